package deploy

import (
	"slices"
	"strings"
	"testing"
)

// put sets a value of the template at a path of keys and list indexes.
func (t template) put(v any, path ...any) {
	var in any = t.doc
	for _, step := range path[:len(path)-1] {
		in = inside(in, step)
	}
	switch last := path[len(path)-1].(type) {
	case string:
		o, _ := in.(object)
		if v == nil {
			delete(o, last)
			return
		}
		o[last] = v
	case int:
		in.([]any)[last] = v
	}
}

func inside(in, step any) any {
	switch step := step.(type) {
	case string:
		return at(in, step)
	case int:
		return in.([]any)[step]
	default:
		return nil
	}
}

// statementOf is the path of a statement in a role's policy.
func (t template) statementOf(role, sid string) []any {
	path := []any{"Resources", role, "Properties", "Policies", 0, "PolicyDocument", "Statement"}
	var list any = t.doc
	for _, step := range path {
		list = inside(list, step)
	}
	i := slices.IndexFunc(listOf(list), func(s any) bool { return at(s, "Sid") == sid })
	return append(path, i)
}

// operatorStatement is the path of a statement in the operators' policy.
func (t template) operatorStatement(sid string) []any {
	path := property("OperatorPolicy", "PolicyDocument", "Statement")
	var list any = t.doc
	for _, step := range path {
		list = inside(list, step)
	}
	i := slices.IndexFunc(listOf(list), func(s any) bool { return at(s, "Sid") == sid })
	return append(path, i)
}

// runbookStatement is the same of the policy for the runbook.
func (t template) runbookStatement(sid string) []any {
	path := property("RunbookPolicy", "PolicyDocument", "Statement")
	var list any = t.doc
	for _, step := range path {
		list = inside(list, step)
	}
	i := slices.IndexFunc(listOf(list), func(s any) bool { return at(s, "Sid") == sid })
	return append(path, i)
}

// property is the path of a resource's property.
func property(id string, path ...any) []any {
	return append([]any{"Resources", id, "Properties"}, path...)
}

// seeded are mistakes, and the check that has to find each.
var seeded = map[string]struct {
	check string
	make  func(template)
}{
	"a wildcard action": {"statements", func(t template) {
		t.put("dynamodb:*", append(t.statementOf("IssueRole", "ReadGrantsAndLeases"), "Action")...)
	}},
	"a wildcard resource": {"statements", func(t template) {
		t.put("*", append(t.statementOf("RotateRole", "KeepRefreshTokens"), "Resource")...)
	}},
	"a statement without a Sid": {"statements", func(t template) {
		t.put(nil, append(t.statementOf("RotateRole", "ReadConnections"), "Sid")...)
	}},
	"a missing Null guard": {"statements", func(t template) {
		t.put(nil, append(t.statementOf("IssueRole", "TakeLeases"), "Condition", "Null")...)
	}},
	"a Null guard the wrong way round": {"keys", func(t template) {
		t.put(object{"dynamodb:LeadingKeys": "true"}, append(t.statementOf("IssueRole", "TakeLeases"), "Condition", "Null")...)
	}},
	"the key for anybody's service": {"statements", func(t template) {
		t.put(nil, append(t.statementOf("IssueRole", "TableKey"), "Condition")...)
	}},
	"events of any source": {"statements", func(t template) {
		t.put(nil, append(t.statementOf("CallbackRole", "TellOperators"), "Condition")...)
	}},
	"a managed policy on a role": {"statements", func(t template) {
		t.put([]any{"arn:aws:iam::aws:policy/AdministratorAccess"}, property("RotateRole", "ManagedPolicyArns")...)
	}},
	"issue writes grants": {"keys", func(t template) {
		t.put([]any{"lease#*", "grant#*"}, append(t.statementOf("IssueRole", "TakeLeases"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"issue reads parked refresh tokens": {"keys", func(t template) {
		t.put([]any{"grant#*", "lease#*", "parked#*"}, append(t.statementOf("IssueRole", "ReadGrantsAndLeases"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"refresh tokens that rotate cannot park": {"parity", func(t template) {
		t.put([]any{"grant#*", "lease#*", "account#*", "budget#*", "invitation#*"}, append(t.statementOf("RotateRole", "WriteItems"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"refresh tokens that callback cannot park": {"parity", func(t template) {
		t.put([]any{"grant#*", "lease#*", "budget#*", "invitation#*", "request#*"}, append(t.statementOf("CallbackRole", "WriteItems"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"an operator who cannot remove a parked refresh token": {"operator", func(t template) {
		t.put([]any{"grant#*", "lease#*", "account#*", "invitation#*"}, append(t.operatorStatement("WriteItems"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"issue reads secrets": {"parity", func(t template) {
		t.put([]any{"dynamodb:GetItem", "secretsmanager:GetSecretValue"}, append(t.statementOf("IssueRole", "ReadGrantsAndLeases"), "Action")...)
	}},
	"an action too many": {"parity", func(t template) {
		t.put([]any{"dynamodb:UpdateItem", "dynamodb:DeleteItem"}, append(t.statementOf("RotateRole", "WriteItems"), "Action")...)
	}},
	"an action too few": {"parity", func(t template) {
		t.put([]any{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"},
			append(t.statementOf("CallbackRole", "KeepRefreshTokens"), "Action")...)
	}},
	"a kind of key too few": {"parity", func(t template) {
		t.put([]any{"grant#*", "lease#*", "budget#*"}, append(t.statementOf("RotateRole", "WriteItems"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"another index": {"parity", func(t template) {
		t.put(object{"Fn::Sub": "${Table.Arn}/index/other"}, append(t.statementOf("RotateRole", "FindWhatIsDue"), "Resource")...)
	}},
	"rotate invoked without its alias": {"parity", func(t template) {
		t.put(object{"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-rotate"},
			append(t.statementOf("IssueRole", "AskForRenewals"), "Resource")...)
	}},
	"secrets that cannot be made with the key": {"key", func(t template) {
		t.put([]any{"kms:Decrypt"}, append(t.statementOf("CallbackRole", "SecretsKey"), "Action")...)
	}},
	"the key for secrets in issue's hands": {"key", func(t template) {
		t.put(object{"StringEquals": object{"kms:ViaService": object{"Fn::Sub": "secretsmanager.${AWS::Region}.amazonaws.com"}}},
			append(t.statementOf("IssueRole", "TableKey"), "Condition")...)
	}},
	"operators read logins under way": {"operator", func(t template) {
		t.put([]any{"grant#*", "request#*"}, append(t.operatorStatement("ReadItems"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"operators delete items": {"operator", func(t template) {
		t.put([]any{"dynamodb:UpdateItem", "dynamodb:DeleteItem"}, append(t.operatorStatement("WriteItems"), "Action")...)
	}},
	"operators write logins under way": {"operator", func(t template) {
		t.put([]any{"grant#*", "lease#*", "account#*", "invitation#*", "parked#*", "request#*"}, append(t.operatorStatement("WriteItems"), "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")...)
	}},
	"an operator who cannot restore a connection": {"operator", func(t template) {
		t.put([]any{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret"},
			append(t.operatorStatement("WriteConnections"), "Action")...)
	}},
	"a doctor who cannot see the schedule": {"operator", func(t template) {
		t.put([]any{"secretsmanager:ListSecrets"}, append(t.operatorStatement("LookAround"), "Action")...)
	}},
	"an action that no operator needs": {"operator", func(t template) {
		t.put([]any{"sqs:ReceiveMessage", "sqs:PurgeQueue", "sqs:SendMessage"}, append(t.runbookStatement("ReadFailures"), "Action")...)
	}},
	"a confused deputy": {"trust", func(t template) {
		t.put(nil, property("SchedulerRole", "AssumeRolePolicyDocument", "Statement", 0, "Condition", "ArnEquals")...)
	}},
	"a missing TTL":           {"table", func(t template) { t.put(nil, property("Table", "TimeToLiveSpecification")...) }},
	"a TTL of another name":   {"table", func(t template) { t.put("expires", property("Table", "TimeToLiveSpecification", "AttributeName")...) }},
	"a table that is deleted": {"table", func(t template) { t.put("Delete", "Resources", "Table", "DeletionPolicy") }},
	"tokens in the index": {"table", func(t template) {
		t.put("ALL", property("Table", "GlobalSecondaryIndexes", 0, "Projection", "ProjectionType")...)
	}},
	"no backups":                {"table", func(t template) { t.put(nil, property("Table", "PointInTimeRecoverySpecification")...) }},
	"a wrong architecture":      {"functions", func(t template) { t.put([]any{"x86_64"}, "Globals", "Function", "Architectures") }},
	"too little memory":         {"functions", func(t template) { t.put(128, property("IssueFunction", "MemorySize")...) }},
	"no memory":                 {"functions", func(t template) { t.put(nil, property("RotateFunction", "MemorySize")...) }},
	"a timeout below the sweep": {"functions", func(t template) { t.put(60, property("RotateFunction", "Timeout")...) }},
	"settings without a version": {"functions", func(t template) {
		t.put(nil, property("RotateFunction", "AutoPublishAliasAllProperties")...)
	}},
	"metrics dropped with the log level": {"functions", func(t template) {
		t.put(object{"Ref": "LogLevel"}, property("IssueFunction", "LoggingConfig", "ApplicationLogLevel")...)
	}},
	"logs for ever": {"functions", func(t template) { t.put(nil, property("IssueLogGroup", "RetentionInDays")...) }},
	"a deployment that nothing stops": {"functions", func(t template) {
		t.put(nil, property("CallbackFunction", "DeploymentPreference", "Alarms")...)
	}},
	"a deployment judged by all versions": {"functions", func(t template) {
		t.put([]any{object{"Ref": "IssueFailingAlarm"}, object{"Ref": "IssueSlowAlarm"}},
			property("IssueFunction", "DeploymentPreference", "Alarms", "Fn::If", 1)...)
	}},
	"a deployment judged by its duration alone": {"functions", func(t template) {
		t.put([]any{object{"Ref": "RotateSlowAlarm"}}, property("RotateFunction", "DeploymentPreference", "Alarms", "Fn::If", 1)...)
	}},
	"a deployment judged by another function": {"functions", func(t template) {
		t.put([]any{object{"Ref": "IssueNewVersionAlarm"}}, property("CallbackFunction", "DeploymentPreference", "Alarms", "Fn::If", 1)...)
	}},
	"ticks that all pass the new version by": {"functions", func(t template) {
		t.put("Canary10Percent5Minutes", property("RotateFunction", "DeploymentPreference", "Type", "Fn::If", 1)...)
	}},
	"a variable that the code does not read": {"environment", func(t template) {
		t.put("1", property("RotateFunction", "Environment", "Variables", "ROTATE_CONCURENCY")...)
	}},
	"a variable that is not set": {"environment", func(t template) {
		t.put(nil, property("RotateFunction", "Environment", "Variables", "LOGIN_ATTEMPTS")...)
	}},
	"a value that the code refuses": {"environment", func(t template) { t.put(9, "Parameters", "TokenRequestsPerSecond", "Default") }},
	"root certificates parsed twice": {"environment", func(t template) {
		t.put(nil, "Globals", "Function", "Environment")
	}},
	"root certificates looked for in one place": {"environment", func(t template) {
		t.put("/etc/pki/tls/certs/ca-bundle.crt", property("IssueFunction", "Environment", "Variables", "SSL_CERT_FILE")...)
	}},
	"a cycle": {"environment", func(t template) {
		t.put("https://example.com", property("CallbackFunction", "Environment", "Variables", "CALLBACK_BASE_URL")...)
	}},
	"asynchronous retries": {"events", func(t template) {
		t.put(2, property("RotateFunction", "EventInvokeConfig", "MaximumRetryAttempts")...)
	}},
	"failures that are lost": {"events", func(t template) {
		t.put(nil, property("RotateFunction", "EventInvokeConfig", "DestinationConfig")...)
	}},
	"a five-field cron": {"schedule", func(t template) {
		t.put("cron(* * * * *)", property("RotateFunction", "Events", "Tick", "Properties", "ScheduleExpression")...)
	}},
	"one minutes": {"schedule", func(t template) {
		t.put("rate(1 minutes)", property("RotateFunction", "Events", "Tick", "Properties", "ScheduleExpression")...)
	}},
	"a schedule outside its group": {"schedule", func(t template) {
		t.put(nil, property("RotateFunction", "Events", "Tick", "Properties", "GroupName")...)
	}},
	"a route for everything": {"api", func(t template) {
		t.put(object{"Type": "HttpApi", "Properties": object{"TimeoutInMillis": 30_000}}, property("CallbackFunction", "Events", "Browser")...)
	}},
	"a page without a throttle": {"api", func(t template) {
		t.put(nil, property("CallbackApi", "RouteSettings", "GET /callback")...)
	}},
	"an integration that gives up first": {"api", func(t template) {
		t.put(10_000, property("CallbackFunction", "Events", "Callback", "Properties", "TimeoutInMillis")...)
	}},
	"a query in the access log": {"api", func(t template) {
		t.put(`{"id":"$context.requestId","q":"$request.querystring"}`, property("CallbackApi", "AccessLogSettings", "Format")...)
	}},
	"no throttling": {"api", func(t template) { t.put(nil, property("CallbackApi", "DefaultRouteSettings")...) }},
	"an alarm on a metric that is not": {"alarms", func(t template) {
		t.put("SweepsFinished", property("SweepStoppedAlarm", "MetricName")...)
	}},
	"missing sweeps taken for good": {"alarms", func(t template) {
		t.put("notBreaching", property("SweepStoppedAlarm", "TreatMissingData")...)
	}},
	"an alarm that tells nobody": {"alarms", func(t template) { t.put(nil, property("WaitingAlarm", "AlarmActions")...) }},
	"an alarm without a runbook": {"alarms", func(t template) {
		t.put("Look. Runbook: docs/operations.md#nowhere", property("OverdueAlarm", "AlarmDescription")...)
	}},
	"an alarm that is never raised": {"alarms", func(t template) { t.put(26_000, property("IssueSlowAlarm", "Threshold")...) }},
	"an alarm that is missing":      {"alarms", func(t template) { t.put(nil, "Resources", "FailureQueueAlarm") }},
	"an alarm that wakes nobody": {"alarms", func(t template) {
		t.put([]any{object{"Ref": "NoticeTopic"}}, property("IssueFailingAlarm", "AlarmActions")...)
	}},
	"an alarm that wakes somebody for nothing": {"alarms", func(t template) {
		t.put([]any{object{"Ref": "AlarmTopic"}}, property("WaitingAlarm", "AlarmActions")...)
	}},
	"an alarm whose link is no address": {"alarms", func(t template) {
		t.put("Look. Runbook: docs/operations.md#overdue", property("OverdueAlarm", "AlarmDescription")...)
	}},
	"tokens for a destination": {"events", func(t template) {
		t.put(object{"OnSuccess": object{"Type": "SQS"}}, property("IssueFunction", "EventInvokeConfig", "DestinationConfig")...)
	}},
	"a server that refuses, in silence": {"alarms", func(t template) { t.put(nil, "Resources", "ServerRefusingAlarm") }},
	"an alarm on a rule without a target": {"alarms", func(t template) {
		t.put("AWS/Events", property("ServerRefusingAlarm", "Namespace")...)
		t.put("TriggeredRules", property("ServerRefusingAlarm", "MetricName")...)
	}},
	"refresh tokens lost in silence": {"alarms", func(t template) { t.put(nil, "Resources", "UnstoredAlarm") }},
	"a dashboard without an alarm": {"dashboard", func(t template) {
		t.put(t.get("WaitingAlarm").body, "Resources", "OtherAlarm")
	}},
	"a dashboard that is not JSON":     {"dashboard", func(t template) { t.put("{", property("Dashboard", "DashboardBody")...) }},
	"a parameter that takes anything":  {"parameters", func(t template) { t.put(nil, "Parameters", "AuthHosts", "AllowedPattern") }},
	"a rate that Reltio does not take": {"parameters", func(t template) { t.put([]any{8, 10}, "Parameters", "TokenRequestsPerSecond", "AllowedValues") }},
	"an exemption that nobody explains": {"exemptions", func(t template) {
		t.put([]any{object{"id": "CKV_AWS_28"}}, "Resources", "RotateFunction", "Metadata", "checkov", "skip")
	}},
	"a layer built for another architecture": {"layers", func(t template) {
		t.put("arm64", "Resources", "ExtensionLayerX86", "Metadata", "BuildArchitecture")
	}},
	"a layer's version that goes with the next": {"layers", func(t template) {
		t.put("Delete", property("ExtensionLayerArm64", "RetentionPolicy")...)
	}},
	"a layer that nobody finds":          {"layers", func(t template) { t.put(nil, "Outputs", "ExtensionLayerArm64Arn") }},
	"an output that is missing":          {"outputs", func(t template) { t.put(nil, "Outputs", "RedirectUri") }},
	"an output that nobody can describe": {"outputs", func(t template) { t.put(nil, "Outputs", "KeyArn", "Description") }},
}

func TestSeededMistakesAreFound(t *testing.T) {
	for name, mistake := range seeded {
		t.Run(name, func(t *testing.T) {
			check := checks[mistake.check]
			wrong := load(t)
			mistake.make(wrong)
			before := check(t, load(t))
			for _, problem := range check(t, wrong) {
				if !slices.Contains(before, problem) {
					t.Log(strings.TrimSpace(problem))
					return
				}
			}
			t.Errorf("%s was not found by %q", name, mistake.check)
		})
	}
}
