package deploy

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// operatorPolicy are the statements of the operators' managed policies.
func (t template) operatorPolicy() []statement {
	var all []statement
	for _, policy := range []string{"OperatorPolicy", "OperatorMorePolicy", "RunbookPolicy"} {
		for _, s := range listOf(at(t.get(policy).properties(), "PolicyDocument", "Statement")) {
			all = append(all, t.statement(s))
		}
	}
	return all
}

// policySize is how many characters IAM counts of a managed policy, in a stack with
// a name of 50 in GovCloud, where names are longest.
func policySize(t template, r resource) int {
	text, err := json.Marshal(t.resolved(at(r.properties(), "PolicyDocument")))
	if err != nil {
		return math.MaxInt
	}
	name := strings.Repeat("s", 50)
	long := strings.NewReplacer(
		"arn:aws:", "arn:aws-us-gov:", region, "us-gov-west-1", "table/Table", "table/"+name+"-Table-"+strings.Repeat("X", 13),
		"key/Key", "key/"+strings.Repeat("k", 36), ":FailureQueue", ":"+name+"-FailureQueue-"+strings.Repeat("X", 13), stack, name,
	)
	return len(long.Replace(string(text)))
}

// resolved resolves all intrinsic functions in a value.
func (t template) resolved(v any) any {
	switch v := v.(type) {
	case []any:
		all := make([]any, 0, len(v))
		for _, entry := range v {
			all = append(all, t.resolved(entry))
		}
		return all
	case object:
		own := object{}
		for key, entry := range v {
			if key == "Ref" || strings.HasPrefix(key, "Fn::") {
				return t.resolve(v)
			}
			own[key] = t.resolved(entry)
		}
		return own
	default:
		return v
	}
}

// byHand are the actions that the reltio-tokens command does not call: what
// docs/operations.md tells an operator to do instead, each after its Sid.
var byHand = map[string]string{
	"LookAtStack cloudformation:ListStackResources":       "make logs",
	"LookAtFunctions lambda:GetFunctionConfiguration":     "make logs",
	"ReadLogs logs:FilterLogEvents":                       "aws logs filter-log-events",
	"LookAtKey kms:DescribeKey":                           "aws kms describe-key",
	"StopAndStartRotate lambda:PutFunctionConcurrency":    "aws lambda put-function-concurrency",
	"StopAndStartRotate lambda:DeleteFunctionConcurrency": "aws lambda delete-function-concurrency",
	"ReadFailures sqs:ReceiveMessage":                     "aws sqs receive-message",
	"ReadFailures sqs:PurgeQueue":                         "aws sqs purge-queue",
	"WriteConnections secretsmanager:UpdateSecret":        "aws secretsmanager update-secret",
	"ForgetGrants secretsmanager:UpdateSecret":            "aws secretsmanager update-secret",
	"ForgetGrants secretsmanager:RestoreSecret":           "aws secretsmanager restore-secret",
	"OpenDashboard cloudwatch:GetDashboard":               "DashboardUrl",
	"ReadLogs logs:StartQuery":                            "DashboardUrl",
	"LookAround logs:GetQueryResults":                     "DashboardUrl",
	"LookAround cloudwatch:GetMetricData":                 "DashboardUrl",
	"LookAround cloudwatch:DescribeAlarms":                "aws cloudwatch describe-alarms",
}

// checkOperator compares the operators' policy with what the command calls and
// with the runbook, both ways, as checkParity and checkKeys do for the roles.
func checkOperator(tb testing.TB, t template) (found problems) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		tb.Fatal(err)
	}
	policy := t.operatorPolicy()
	used, found := t.used(tb, operatorRole, policy)
	named := map[string]bool{}
	for _, s := range policy {
		for _, action := range s.actions {
			name := s.sid + " " + action
			named[name] = true
			// What DynamoDB, Secrets Manager and SQS do with the key.
			via := len(s.conditions["StringEquals"]["kms:ViaService"]) > 0
			if !via && !used[name] && byHand[name] == "" {
				found.addf("operators may %s (%s), which neither the command nor the runbook does", action, s.sid)
			}
		}
	}
	for name, command := range byHand {
		if !named[name] {
			found.addf("the runbook needs %s: %s", name, command)
		}
		if !strings.Contains(string(text), command) {
			found.addf("docs/operations.md does not say %q, for which operators may %s", command, name)
		}
	}
	for _, a := range t.notForOperators() {
		if allowed(policy, a) {
			found.addf("operators may %s on %s with %v", a.action, a.resource, a.context)
		}
	}
	return append(found, t.patterns(tb, operatorRole, policy)...)
}

// notForOperators are calls that must not be allowed.
func (t template) notForOperators() []access {
	item := func(action string, keys ...string) access {
		return access{"dynamodb:" + action, t.attribute("Table", "Arn"), map[string][]string{"dynamodb:LeadingKeys": keys}}
	}
	secret := func(action, name string) access {
		return access{"secretsmanager:" + action, arn("secretsmanager", "secret:"+name+"-AbCdEf"), nil}
	}
	scan := func(choice string, attributes ...string) access {
		a := item("Scan")
		a.context = map[string][]string{"dynamodb:Attributes": attributes}
		if choice != "" {
			a.context["dynamodb:Select"] = []string{choice}
		}
		return a
	}
	return []access{
		scan("ALL_ATTRIBUTES"), scan("SPECIFIC_ATTRIBUTES"), scan("", "pk", "connection"), scan("COUNT", "pk"),
		scan("SPECIFIC_ATTRIBUTES", "pk", "access_token"), scan("SPECIFIC_ATTRIBUTES", "pk", "verifier"), scan("SPECIFIC_ATTRIBUTES", "refresh_token"),
		item("GetItem"), item("GetItem", "request#1"), item("GetItem", "invitation#1"), item("UpdateItem"), item("UpdateItem", "request#1"),
		item("UpdateItem", "request#1", "budget#a:443"), item("DeleteItem"), item("DeleteItem", "grant#a"), item("DeleteItem", "account#1"),
		item("PutItem", "grant#a"), item("Scan", "grant#a"), item("DeleteTable", "grant#a"),
		secret("GetSecretValue", "other/connections/acme"), secret("PutSecretValue", "other/grants/acme"), secret("CreateSecret", "other/grants/acme"),
		{"kms:Decrypt", t.attribute("Key", "Arn"), nil},
		{"lambda:InvokeFunction", t.ref("CallbackFunction.Alias"), nil},
		{"lambda:PutFunctionConcurrency", arn("lambda", "function:"+stack+"-issue"), nil},
		{"lambda:UpdateFunctionConfiguration", arn("lambda", "function:"+stack+"-rotate"), nil},
		{"logs:FilterLogEvents", arn("logs", "log-group:/aws/lambda/"+stack+"-other:*"), nil},
	}
}
