package docs_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "embed"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// runbookTime is what all commands of the runbook may take, each of which starts the
// AWS CLI at least once.
const runbookTime = 8 * time.Minute

// notRun are the commands of docs/operations.md that are not run here, by how they
// begin, each with the reason.
var notRun = map[string]string{
	"make deploy": "it builds and deploys",
	"git pull":    "it takes another release",
	"go build":    "the command is built already",
	"aws service-quotas request-service-quota-increase": "moto has no such request",
	"aws lambda get-account-settings":                   "moto has no such request",
	"aws cloudformation cancel-update-stack":            "no update is under way",
	"aws dynamodb restore-table-from-backup":            "moto makes no backup of a table that is deleted",
	"aws resourcegroupstaggingapi":                      "moto cannot schedule the deletion of a key",
}

// atTheEnd are the commands that remove what others need, in the order in which they
// are run, by what they, or their block, have.
var atTheEnd = []string{"--revoke --yes", failedTry, "delete-secret --secret-id", "list-tables", "list-layer-versions"}

// failedTry is in the block that removes a first deployment that failed.
const failedTry = "cloudformation delete-stack"

// otherwise are parts of commands that are others here.
var otherwise = strings.NewReplacer(
	" --follow", "", // it does not end
	"--function-version 41", "--function-version 1",
	"reltio-tokens connect acme-prod", "reltio-tokens connect acme-person", // the only one that a person connects
	"aws sqs ", `aws --endpoint-url "$AWS_ENDPOINT_URL" sqs `, // version 1 looks for it elsewhere
)

// mayFail are commands that say by their exit code what they have found.
var mayFail = regexp.MustCompile(`^reltio-tokens (doctor|check)\b`)

//go:embed testdata/stack.sh
var stackScript string

// Every command of the runbook runs, with the names that it takes from $stack: against
// the real functions, and moto in AWS's place.
func TestRunbook(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test starts functions and engines; make test runs it")
	}
	for _, tool := range []string{"bash", "aws", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing", tool)
		}
	}
	all, total := runbookCommands(t)
	if text := fmt.Sprintf("%d of the %d commands", runWithCLI2(t), total); !strings.Contains(read(t, "docs/operations.md"), text) {
		t.Errorf("docs/operations.md does not say that %s are run", text)
	}
	for i, result := range startRunbook(t).run(t, all) {
		said := mayFail.MatchString(all[i].text) && slices.Contains([]string{"1", "3"}, result.code)
		if result.code != "0" && !said {
			t.Errorf("docs/operations.md:%d: $ %s\nends with %s:\n%s", all[i].line, all[i].text, result.code, result.text)
		}
	}
	t.Logf("%d of %d commands of docs/operations.md were run", len(all), total)
}

// runbookCommands are the commands of docs/operations.md that are run, in the order in
// which that is done, and how many it has in all.
func runbookCommands(t *testing.T) (run []command, total int) {
	t.Helper()
	exempt := maps.Clone(notRun)
	if out, err := exec.CommandContext(t.Context(), "aws", "--version").CombinedOutput(); err != nil || strings.HasPrefix(string(out), "aws-cli/1") {
		exempt["aws logs tail"] = "this AWS CLI is version 1"
	}
	used := map[string]bool{}
	var last []command
	for _, b := range blocks(read(t, "docs/operations.md")) {
		if b.language != "console" {
			continue
		}
		failed := slices.ContainsFunc(b.lines, func(line string) bool { return strings.Contains(line, failedTry) })
		for _, c := range b.commands() {
			total++
			if failed {
				c.text += " # " + failedTry
			}
			switch begin := beginning(exempt, c.text); {
			case begin != "":
				used[begin] = true
				t.Logf("docs/operations.md:%d is not run: %s", c.line, exempt[begin])
			case lateness(c) >= 0:
				last = append(last, c)
			default:
				run = append(run, c)
			}
		}
	}
	for begin := range exempt {
		if !used[begin] {
			t.Errorf("no command begins with %q any more", begin)
		}
	}
	slices.SortStableFunc(last, func(a, b command) int { return lateness(a) - lateness(b) })
	return append(run, last...), total
}

// runWithCLI2 is how many commands are run where the AWS CLI is version 2.
func runWithCLI2(t *testing.T) (n int) {
	t.Helper()
	for _, b := range blocks(read(t, "docs/operations.md")) {
		for _, c := range b.commands() {
			if beginning(notRun, c.text) == "" {
				n++
			}
		}
	}
	return n
}

// beginning is the exemption that a command has; "" for none.
func beginning(exempt map[string]string, text string) string {
	for begin := range exempt {
		if strings.HasPrefix(text, begin) {
			return begin
		}
	}
	return ""
}

// lateness is the place of a command among those at the end; -1 for the others.
func lateness(c command) int {
	return slices.IndexFunc(atTheEnd, func(part string) bool { return strings.Contains(c.text, part) })
}

// runbook is an installation that commands are run on.
type runbook struct {
	name, folder string
	env          []string
}

func startRunbook(t *testing.T) *runbook {
	t.Helper()
	moto := engines.Moto(t)
	s, err := stack.Start(t.Context(), stack.Config{
		Now: time.Now, DynamoDB: moto, Moto: moto,
		Sandbox: reltioauthtest.Config{
			Clients: []reltioauthtest.Client{{ID: "demo-client", Secret: reltioauth.NewSecret("demo-secret")}},
			Users:   []reltioauthtest.User{{Username: "demo-user", Password: reltioauth.NewSecret("demo-password")}},
		},
	})
	if err != nil {
		engines.Need(t, err)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	person := map[string]any{"grant_type": "authorization_code", "client_id": "demo-client", "client_secret": "demo-secret", "tenant_id": "t"}
	if err := s.AddConnection(t.Context(), "acme-person", person); err != nil {
		t.Fatal(err)
	}
	r := &runbook{name: s.Secrets.Prefix, folder: t.TempDir()}
	binary := build(t, "reltio-tokens")
	host := strings.TrimPrefix(s.ReltioURL, "http://")
	formation := &cloudFormation{name: r.name, folder: r.folder, outputs: map[string]string{
		"TableName": s.Table.Name, "SecretPrefix": s.Secrets.Prefix, "AuthorizationHosts": host, "CallbackBaseUrl": s.CallbackURL,
		"IssueAliasArn": s.Host.ARN("issue") + ":live", "RotateAliasArn": s.Host.ARN("rotate") + ":live", "CallbackAliasArn": s.Host.ARN("callback") + ":live",
	}}
	description := httptest.NewServer(formation)
	t.Cleanup(description.Close)
	for name, text := range map[string]string{
		"stack.sh": stackScript,
		"acme-prod.json": fmt.Sprintf(`{"grant_type":"password","client_id":"demo-client","client_secret":"demo-secret","username":"demo-user",`+
			`"password":"demo-password","auth_url":%q}`, s.ReltioURL),
	} {
		if err := os.WriteFile(filepath.Join(r.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(r.folder, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(r.folder, "bin", "reltio-tokens")); err != nil {
		t.Fatal(err)
	}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.folder, "NO_COLOR=1", "AWS_PAGER=", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_ENDPOINT_URL=" + moto, "AWS_ENDPOINT_URL_LAMBDA=" + lambdaAt(t, s.LambdaURL, moto),
		"AWS_ENDPOINT_URL_CLOUDFORMATION=" + description.URL,
	}
	return r
}

// cloudFormation is CloudFormation with one stack. (This moto has not what its own
// needs.)
type cloudFormation struct {
	name, folder string
	outputs      map[string]string
	deleted      atomic.Bool
}

// ServeHTTP implements http.Handler.
func (f *cloudFormation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action := r.PostFormValue("Action")
	if r.PostFormValue("StackName") != f.name || f.deleted.Load() {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></ErrorResponse>`)
		return
	}
	var result strings.Builder
	switch action {
	case "DescribeStacks":
		fmt.Fprintf(&result, `<Stacks><member><StackName>%s</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-23T16:00:00Z</CreationTime><Outputs>`, f.name)
		made, _ := os.ReadFile(filepath.Join(f.folder, "made")) // not there before stack.sh has ended
		if key, queue, ok := strings.Cut(strings.TrimSpace(string(made)), "\n"); ok {
			fmt.Fprintf(&result, output, "KeyArn", key)
			fmt.Fprintf(&result, output, "FailureQueueUrl", queue)
		}
		for name, value := range f.outputs {
			fmt.Fprintf(&result, output, name, value)
		}
		result.WriteString(`</Outputs></member></Stacks>`)
	case "DescribeStackResources":
		fmt.Fprintf(&result, `<StackResources><member><LogicalResourceId>Table</LogicalResourceId><PhysicalResourceId>%s-Table-1</PhysicalResourceId></member></StackResources>`, f.name)
	case "DeleteStack":
		f.deleted.Store(true)
	}
	_, _ = fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, result.String())
}

const output = "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>"

// lambdaAt is Lambda: invocations go to the functions, everything else to moto.
func lambdaAt(t *testing.T, functions, moto string) string {
	t.Helper()
	to := func(address string) *httputil.ReverseProxy {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return httputil.NewSingleHostReverseProxy(u)
	}
	invoked, rest := to(functions), to(moto)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/invocations") {
			invoked.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// ended is what a command printed, and its exit code.
type ended struct{ text, code string }

// run runs commands in one shell.
func (r *runbook) run(t *testing.T, all []command) []ended {
	t.Helper()
	var script strings.Builder
	fmt.Fprintf(&script, "exec 2>&1\nset -o pipefail\nstack=%s\n. ./stack.sh\nunset key queue role\nprintf '\\n%%s 0\\n' '%s'\n", r.name, end)
	for _, c := range all {
		text := otherwise.Replace(strings.TrimSpace(c.text))
		text = strings.ReplaceAll(text, "stack=reltio-tokens", "stack="+r.name)
		fmt.Fprintf(&script, "%s\nprintf '\\n%%s %%s\\n' '%s' $?\n", text, end)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runbookTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc")
	cmd.Dir, cmd.Stdin, cmd.Env, cmd.WaitDelay = r.folder, strings.NewReader(script.String()), r.env, time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("bash: %v", err)
	}
	found := regexp.MustCompile(`(?s)(.*?)\n`+regexp.QuoteMeta(end)+` (\d+)\n`).FindAllStringSubmatch(string(out), -1)
	if len(found) != len(all)+1 {
		t.Fatalf("%d commands ended, want %d:\n%s", len(found)-1, len(all), out)
	}
	var results []ended
	for _, m := range found[1:] {
		results = append(results, ended{m[1], m[2]})
	}
	return results
}
