package deploy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// anywhere are the actions that know no resource.
var anywhere = []string{
	"xray:PutTraceSegments", "xray:PutTelemetryRecords", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData",
	"secretsmanager:ListSecrets", "scheduler:ListSchedules", "logs:GetQueryResults", "lambda:GetAccountSettings",
	// Lambda's own calls for a function in a VPC, which its code may not make.
	"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
	"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
}

// beside are the actions that AWS's services do with a function's role, and its
// code does not.
var beside = []string{
	"kms:", "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords", "sqs:SendMessage",
}

func isBeside(action string) bool {
	return slices.ContainsFunc(beside, func(b string) bool { return strings.HasPrefix(action, b) })
}

var sidText = regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`)

// checkStatements looks at every statement of every policy.
func checkStatements(_ testing.TB, t template) (found problems) {
	granting, trust := t.documents()
	for _, d := range append(trust, granting...) {
		var sids []string
		for _, raw := range listOf(d.body["Statement"]) {
			s := t.statement(raw)
			where := d.where + "/" + s.sid
			if !sidText.MatchString(s.sid) || slices.Contains(sids, s.sid) {
				found.addf("%s: a statement needs a Sid of its own", where)
			}
			sids = append(sids, s.sid)
			if at(raw, "NotAction") != nil || at(raw, "NotResource") != nil || at(raw, "NotPrincipal") != nil {
				found.addf("%s: says what is not allowed", where)
			}
			if at(raw, "Principal") == nil { // what a role or a managed policy gives
				found = append(found, checkGrant(where, s)...)
			}
		}
	}
	for _, r := range t.resources("AWS::IAM::Role") {
		if r.properties()["ManagedPolicyArns"] != nil {
			found.addf("%s: has a managed policy, want exact actions", r.id)
		}
	}
	return found
}

// checkGrant looks at a statement of a policy.
func checkGrant(where string, s statement) (found problems) {
	if denial := s.sid == "NotFromCode"; len(s.actions) == 0 || (s.effect != "Allow") != denial {
		found.addf("%s: allows nothing", where)
	}
	for _, action := range s.actions {
		if strings.ContainsAny(action, "*?") {
			found.addf("%s: %s is no exact action", where, action)
		}
		for _, r := range s.resources {
			if (r == "*" || strings.Contains(r, ":::*")) && !slices.Contains(anywhere, action) {
				found.addf("%s: %s on everything", where, action)
			}
			if strings.Contains(r, "?") {
				found.addf("%s: resource %s is not known", where, r)
			}
		}
		if strings.HasPrefix(action, "kms:") && action != "kms:DescribeKey" && len(s.conditions["StringEquals"]["kms:ViaService"]) == 0 {
			found.addf("%s: %s without kms:ViaService", where, action)
		}
		if action == "events:PutEvents" && !slices.Equal(s.conditions["StringEquals"]["events:source"], []string{"reltio-tokens"}) {
			found.addf("%s: PutEvents of any source", where)
		}
	}
	for operator, keys := range s.conditions {
		for key := range keys {
			if strings.HasPrefix(operator, "ForAllValues:") && !slices.Equal(s.conditions["Null"][key], []string{"false"}) {
				found.addf("%s: %s on %s is true where there is no key: it needs the Null guard", where, operator, key)
			}
		}
	}
	if len(s.resources) == 0 {
		found.addf("%s: names no resource", where)
	}
	return found
}

// checkTrust: one service takes each role, and Scheduler only from our group.
func checkTrust(_ testing.TB, t template) (found problems) {
	want := map[string]string{
		"IssueRole": "lambda.amazonaws.com", "RotateRole": "lambda.amazonaws.com", "CallbackRole": "lambda.amazonaws.com",
		"SchedulerRole": "scheduler.amazonaws.com", "DeploymentRole": "codedeploy.amazonaws.com",
	}
	_, trust := t.documents()
	got := map[string]string{}
	for _, d := range trust {
		for _, raw := range listOf(d.body["Statement"]) {
			got[d.where] += fmt.Sprint(at(raw, "Principal", "Service"))
			s := t.statement(raw)
			if !slices.Equal(s.actions, []string{"sts:AssumeRole"}) {
				found.addf("%s: trust in %v", d.where, s.actions)
			}
			if d.where == "DeploymentRole" && !slices.Equal(s.conditions["StringEquals"]["aws:SourceAccount"], []string{accountID}) {
				found.addf("DeploymentRole: a deployment of another account may take it")
			}
			if d.where == "SchedulerRole" {
				group := arn("scheduler", "schedule-group/"+t.resolve(t.get("ScheduleGroup").properties()["Name"]))
				if !slices.Equal(s.conditions["ArnEquals"]["aws:SourceArn"], []string{group}) ||
					!slices.Equal(s.conditions["StringEquals"]["aws:SourceAccount"], []string{accountID}) {
					found.addf("SchedulerRole: a schedule of anybody's may take it")
				}
			}
		}
	}
	if !maps.Equal(got, want) {
		found.addf("roles and who takes them: %v, want %v", got, want)
	}
	return found
}

// checkParity compares the roles with the calls that the code made: each call is
// allowed, each action was called.
func checkParity(tb testing.TB, t template) (found problems) {
	tb.Helper()
	for function := range functions {
		used, missing := t.used(tb, function, t.roleOf(function))
		found = append(found, missing...)
		for _, s := range t.roleOf(function) {
			for _, action := range s.actions {
				if !isBeside(action) && !used[s.sid+" "+action] {
					found.addf("%s: its role allows %s (%s), which it never calls", function, action, s.sid)
				}
			}
		}
	}
	return found
}

// used are the actions of a policy, each after its Sid, that a role's recorded
// calls need; a call that the policy does not allow is a problem.
func (t template) used(tb testing.TB, who string, policy []statement) (used map[string]bool, found problems) {
	tb.Helper()
	used = map[string]bool{}
	for _, c := range recorded(tb) {
		if c.function != who {
			continue
		}
		a := t.access(c)
		if !allowed(policy, a) {
			found.addf("%s calls %s, and may not", who, c)
		}
		for _, s := range policy {
			if s.allows(a) {
				used[s.sid+" "+c.action] = true
			}
		}
	}
	return used, found
}

// notRecorded are patterns of keys that no engine sees a call for, with the
// reason.
var notRecorded = map[string]string{
	"issue ReadGrantsAndLeases lease#*": "read where DynamoDB does not show the item that refused a write",
	"rotate ReadItems lease#*":          "as for issue",
	"rotate ReadItems grant#*":          "read by itself where DynamoDB has not processed it in a batch",
	"callback ReadItems lease#*":        "as for issue",
	"operator ReadItems lease#*":        "as for issue",
}

// denied are calls that must not be allowed, whatever else is.
func (t template) denied() map[string][]access {
	table, secret := t.attribute("Table", "Arn"), func(name string) string {
		return arn("secretsmanager", "secret:"+stack+"/"+name+"-AbCdEf")
	}
	item := func(action string, keys ...string) access {
		return access{"dynamodb:" + action, table, map[string][]string{"dynamodb:LeadingKeys": keys}}
	}
	all := map[string][]access{
		"issue": {
			item("GetItem", "account#1"), item("GetItem", "budget#a:443"), item("GetItem", "request#1"), item("GetItem", "invitation#1"),
			item("GetItem", "parked#a"), item("GetItem", "grant#a", "parked#a"), item("UpdateItem", "parked#a"),
			item("GetItem", "grant#a", "account#1"), item("UpdateItem", "grant#a"), item("UpdateItem", "lease#a", "grant#a"),
			item("BatchGetItem", "grant#a"),
			{"secretsmanager:GetSecretValue", secret("connections/acme"), nil},
			{"secretsmanager:GetSecretValue", secret("grants/acme"), nil},
			{"lambda:InvokeFunction", arn("lambda", "function:other:live"), nil},
			{"events:PutEvents", arn("events", "event-bus/"+stack), map[string][]string{"events:source": {"reltio-tokens"}}},
		},
		"rotate": {
			item("GetItem", "request#1"), item("UpdateItem", "request#1"), item("BatchGetItem"),
			item("BatchGetItem", "grant#a", "request#1"), item("BatchGetItem", "account#1"), item("BatchGetItem", "invitation#1"),
		},
		"callback": {item("GetItem", "account#1"), item("UpdateItem", "account#1"), item("BatchGetItem", "grant#a")},
	}
	for function := range all {
		all[function] = append(all[function],
			item("GetItem"), item("UpdateItem"), // no key at all
			item("Scan", "grant#a"), item("DeleteItem", "grant#a"), item("DeleteTable", "grant#a"),
			access{"dynamodb:GetItem", arn("dynamodb", "table/Other"), map[string][]string{"dynamodb:LeadingKeys": {"grant#a"}}},
			access{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:other/connections/acme-AbCdEf"), nil},
			access{"secretsmanager:PutSecretValue", secret("connections/acme"), nil},
			access{"secretsmanager:TagResource", secret("connections/acme"), nil},
			access{"secretsmanager:DeleteSecret", secret("grants/acme"), nil},
			access{"events:PutEvents", arn("events", "event-bus/"+stack), map[string][]string{"events:source": {"other"}}},
			access{"kms:Decrypt", t.attribute("Key", "Arn"), nil}, // by no role's service
		)
	}
	return all
}

// checkKeys evaluates the conditions over the recorded keys: what must not be
// allowed is not, and no pattern is there for nothing.
func checkKeys(tb testing.TB, t template) (found problems) {
	tb.Helper()
	for function, accesses := range t.denied() {
		for _, a := range accesses {
			if allowed(t.roleOf(function), a) {
				found.addf("%s may %s on %s with %v", function, a.action, a.resource, a.context)
			}
		}
	}
	for function := range functions {
		found = append(found, t.patterns(tb, function, t.roleOf(function))...)
	}
	return found
}

// patterns looks for patterns of keys that no call needs.
func (t template) patterns(tb testing.TB, who string, policy []statement) (found problems) {
	tb.Helper()
	calls := recorded(tb)
	for _, s := range policy {
		for operator, keys := range s.conditions {
			for _, pattern := range keys["dynamodb:LeadingKeys"] {
				name := who + " " + s.sid + " " + pattern
				_, exempt := notRecorded[name]
				hit := slices.ContainsFunc(calls, func(c call) bool {
					return c.function == who && slices.Contains(s.actions, c.action) && like(pattern, c.key)
				})
				switch {
				case operator == "Null":
				case hit && exempt:
					found.addf("%s was recorded: take it off the list of what is not", name)
				case !hit && !exempt:
					found.addf("%s fits no call", name)
				}
			}
		}
	}
	return found
}
