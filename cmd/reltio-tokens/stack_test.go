package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
)

const stackKey = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// cloudFormation answers DescribeStacks: for "mine" with outputs, for "other"
// without, for the rest that there is none.
func cloudFormation(t *testing.T, outputs map[string]string) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stack := r.PostFormValue("StackName")
		if stack != "mine" && stack != "other" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>`+canary+`</Message></Error></ErrorResponse>`)
			return
		}
		var members strings.Builder
		for key, value := range outputs {
			if stack == "mine" {
				fmt.Fprintf(&members, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", key, value)
			}
		}
		_, _ = fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>%s</StackName>`+
			`<StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-23T16:00:00Z</CreationTime>`+
			`<Tags><member><Key>environment</Key><Value>dev</Value></member><member><Key>aws:x</Key><Value>y</Value></member></Tags><Outputs>%s</Outputs>`+
			`</member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, stack, members.String())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// stacked has the command find everything by the stack's name; its environment
// speaks of another installation.
func stacked(t *testing.T) *account {
	t.Helper()
	a := onAWS(t)
	endpoint := cloudFormation(t, map[string]string{
		"TableName": a.table.Name, "SecretPrefix": a.secretStore.Prefix, "AuthorizationHosts": a.host(),
		"IssueAliasArn":    "arn:aws:lambda:us-east-1:000000000000:function:issue",
		"RotateAliasArn":   "arn:aws:lambda:us-east-1:000000000000:function:rotate",
		"CallbackAliasArn": "arn:aws:lambda:us-east-1:000000000000:function:callback",
		"CallbackBaseUrl":  "https://stack.example.com", "KeyArn": stackKey,
	})
	a.command.env = slices.DeleteFunc(a.command.env, func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains([]string{"TABLE_NAME", "SECRET_PREFIX", "AUTH_HOSTS", "ROTATE_FUNCTION"}, name)
	})
	a.command.env = append(a.command.env, "AWS_ENDPOINT_URL_CLOUDFORMATION="+endpoint,
		"TABLE_NAME=other", "SECRET_PREFIX=other", "ROTATE_FUNCTION=other", "CALLBACK_BASE_URL=https://other.example.com")
	return a
}

func TestTheStackAnswers(t *testing.T) {
	a := stacked(t)
	c := a.command
	a.connect("machine", map[string]any{"grant_type": "client_credentials"})
	a.connect("person", map[string]any{"grant_type": "authorization_code", "tenant_id": "t"})
	c.flags = []string{"--stack=mine"}

	c.expect(0, `machine +client_credentials .* new `, "", "status")
	c.expect(0, `outcome      renewed\n`, "", "issue", "machine")
	c.expect(0, `^machine: (renewed|unchanged.*)\n$`, "", "rotate", "machine")
	c.expect(0, `link        https://stack.example.com/authorize`, "", "connect", "person")
	c.expect(0, `link        https://mine.example.com/authorize`, "", "connect", "person", "--callback-url=https://mine.example.com")
	c.expect(1, "", `there is no such table`, "pause", "machine", "--table=none")

	c.expect(1, "", `^reltio-tokens: StoreUnavailable: CloudFormation: ValidationError\n  there is no such stack: look at --stack and --region\n$`, "status", "--stack=none")
	c.expect(1, "", `no output TableName, so it is none of Reltio tokens\n$`, "status", "--stack=other")
	c.expect(2, "", `give one of them`, "--local", "status")
	if strings.Contains(c.seen.String(), canary) {
		t.Errorf("something secret was printed:\n%s", c.seen)
	}
}

// add writes under the stack's key, unless another is given.
func TestAddUsesTheStacksKey(t *testing.T) {
	a := stacked(t)
	c := a.command
	c.in = canary + "-client\n"
	add := func(name string, flags ...string) {
		c.expect(0, `: added\n`, "", slices.Concat([]string{"add", name, "--auth-url=" + a.authURL, "--grant-type=client_credentials", "--client-id=client-1"}, flags)...)
	}
	add("of-the-stack", "--stack=mine")
	add("of-another-key", "--stack=mine", "--kms-key-id=alias/other")
	add("of-the-account", "--table="+a.table.Name, "--secret-prefix="+a.secretStore.Prefix, "--auth-hosts="+a.host())
	for name, want := range map[string]string{"of-the-stack": stackKey, "of-another-key": "alias/other", "of-the-account": ""} {
		out, err := a.secretStore.Client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(a.secretStore.Prefix + "/connections/" + name)})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.KmsKeyId); got != want {
			t.Errorf("%s: key %q, want %q", name, got, want)
		}
	}
}

// add and import give secrets the stack's tags, and those of the command line.
func TestSecretsHaveTheStacksTags(t *testing.T) {
	a := stacked(t)
	c := a.command
	c.in = canary + "-client\n"
	add := func(name string, flags ...string) {
		c.expect(0, `: (added|its secret was replaced)\n`, "", slices.Concat([]string{"add", name, "--auth-url=" + a.authURL, "--grant-type=client_credentials", "--client-id=client-1"}, flags)...)
	}
	add("of-the-stack", "--stack=mine")
	add("of-both", "--stack=mine", "--tag=cost-center=4=2", "--tag", "team=crm, erp")
	add("of-another-value", "--stack=mine", "--tag=environment=trial")
	add("tagged-later", "--table="+a.table.Name, "--secret-prefix="+a.secretStore.Prefix, "--auth-hosts="+a.host())
	add("tagged-later", "--stack=mine", "--force")
	add("of-none", "--table="+a.table.Name, "--secret-prefix="+a.secretStore.Prefix, "--auth-hosts="+a.host())
	c.in = `[{"connection":"imported","grant_type":"client_credentials","client_id":"client-1","client_secret":"` + canary + `-client","auth_url":"` + a.authURL + `"}]`
	c.expect(0, "imported", "", "import", "-", "--stack=mine", "--tag=team=crm")
	for name, want := range map[string]string{
		"of-the-stack": "map[environment:dev]", "of-both": "map[cost-center:4=2 environment:dev team:crm, erp]", "of-another-value": "map[environment:trial]",
		"tagged-later": "map[environment:dev]", "of-none": "map[]", "imported": "map[environment:dev team:crm]",
	} {
		out, err := a.secretStore.Client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(a.secretStore.Prefix + "/connections/" + name)})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, tag := range out.Tags {
			got[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: tags %v, want %s", name, got, want)
		}
	}
}

func TestDoctor(t *testing.T) {
	a := stacked(t)
	c := a.command
	c.env = append(c.env, "AWS_ENDPOINT_URL_SCHEDULER=http://127.0.0.1:1", "AWS_ENDPOINT_URL_CLOUDWATCH=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1")
	a.connect("machine", map[string]any{"grant_type": "client_credentials"})
	c.expect(1, `(?s)^ok +stack +mine is CREATE_COMPLETE\nok +table .*\nfailed +schedule .*\n +look at .*\nwarning +connection machine +its secret is encrypted with another key than the stack's\n +docs/operations.md, `, "", "doctor", "--stack=mine")
	c.expect(1, `^failed   stack  none: StoreUnavailable: CloudFormation: ValidationError\n +there is no such stack: look at --stack and --region\n$`, "", "doctor", "--stack=none")
	c.expect(2, "", `--stack is needed`, "doctor", "--table=")

	got := c.expect(1, `"ok": false`, "", "doctor", "--json", "--table="+a.table.Name, "--secret-prefix="+a.secretStore.Prefix, "--auth-hosts="+a.host())
	var report doctor.Report
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || len(report.Findings) < 10 || report.Findings[0].Level != doctor.Skipped {
		t.Errorf("%v: %s", err, got.out)
	}
	if strings.Contains(c.seen.String(), canary) {
		t.Errorf("something secret was printed:\n%s", c.seen)
	}
}

func TestDoctorOnTheLocalStack(t *testing.T) {
	c := onLocalStack(t)
	c.expect(3, `(?s)^skipped  stack .*\nok +reading +table and secrets can be read; 3 connections\nok +invoke issue .*\nok +auth host .*\nok +callback +answers; .*/callback\nok +clock .*\nok +sweeps .*\nwarning +connection demo-authorization-code +waits for somebody: new\n +reltio-tokens --local=\S+ connect demo-authorization-code makes a link for the person\n.*ok +connection demo-password +password, new\nok +shared client +demo-authorization-code, demo-client-credentials, demo-password share one: .*\n$`, "", "doctor")
	c.flags = []string{"--local=http://127.0.0.1:1"}
	c.expect(1, `failed +reading +the stack: StoreUnavailable: the local stack at http://127.0.0.1:1 does not answer\n`, "", "doctor")
}
