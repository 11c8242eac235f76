package deploy

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

var rate = regexp.MustCompile(`^rate\(([0-9]+) (minute|minutes|hour|hours|day|days)\)$`)

// checkExpression is what EventBridge Scheduler takes: rate(n units), in the
// singular for one, or cron( of six fields, of which one of the two days is "?".
func checkExpression(text string) string {
	if m := rate.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n < 1 || (n == 1) == strings.HasSuffix(m[2], "s") {
			return "a rate of " + m[1] + " " + m[2]
		}
		return ""
	}
	inner, ok := strings.CutPrefix(text, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return "neither rate( nor cron("
	}
	fields := strings.Fields(inner)
	if len(fields) != 6 {
		return fmt.Sprintf("a cron of %d fields, want 6", len(fields))
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return "exactly one of day of month and day of week has to be ?"
	}
	return ""
}

func TestExpressions(t *testing.T) {
	good := []string{"rate(1 minute)", "rate(5 minutes)", "rate(2 hours)", "cron(* * * * ? *)", "cron(0/1 8 ? * MON-FRI *)"}
	bad := []string{"", "rate(1 minutes)", "rate(2 minute)", "rate(0 minutes)", "rate(1 second)", "cron(* * * * *)", "cron(* * * * * *)", "cron(* * ? * ? *)", "* * * * *"}
	for _, text := range good {
		if problem := checkExpression(text); problem != "" {
			t.Errorf("%s: %s", text, problem)
		}
	}
	for _, text := range bad {
		if checkExpression(text) == "" {
			t.Errorf("%q was taken", text)
		}
	}
}

func checkSchedule(_ testing.TB, t template) (found problems) {
	tick := objectAt(t.get("RotateFunction").properties(), "Events", "Tick", "Properties")
	expression := fmt.Sprint(tick["ScheduleExpression"])
	if problem := checkExpression(expression); problem != "" {
		found.addf("schedule %s: %s", expression, problem)
	} else if expression != "rate(1 minute)" && expression != "cron(* * * * ? *)" {
		found.addf("schedule %s, want every minute", expression)
	}
	want := map[string]string{
		"OmitName": "true", "Input": "{}", "GroupName": "ScheduleGroup", "RoleArn": t.attribute("SchedulerRole", "Arn"),
	}
	for key, want := range want {
		if got := t.resolve(tick[key]); got != want {
			found.addf("schedule: %s is %s, want %s", key, got, want)
		}
	}
	if got := t.resolve(at(tick, "DeadLetterConfig", "Arn")); got != t.attribute("FailureQueue", "Arn") {
		found.addf("schedule: lost ticks go to %s, want the queue", got)
	}
	if at(tick, "RetryPolicy", "MaximumRetryAttempts") != 0 || at(tick, "FlexibleTimeWindow", "Mode") != "OFF" {
		found.addf("schedule: a tick is now or not at all")
	}
	return found
}

// secretsInLogs are what API Gateway could write of a request that holds code,
// state, invitation or cookie.
var secretsInLogs = regexp.MustCompile(`(?i)path|query|cookie|refer|header|resourceId|authorizer|\$context\.error\.responseBody`)

// routed are the callback's routes. API Gateway refuses everything else by itself.
var routed = []string{"GET /authorize", "GET /authorize/go", "GET /callback", "GET /done"}

func checkAPI(_ testing.TB, t template) (found problems) {
	api := t.get("CallbackApi").properties()
	format := fmt.Sprint(at(api, "AccessLogSettings", "Format"))
	if m := secretsInLogs.FindString(format); m != "" {
		found.addf("the access log holds %s", m)
	}
	if !strings.Contains(format, "$context.requestId") || at(api, "AccessLogSettings", "DestinationArn") == nil {
		found.addf("the API has no access log")
	}
	for _, key := range []string{"ThrottlingBurstLimit", "ThrottlingRateLimit"} {
		if n, _ := at(api, "DefaultRouteSettings", key).(int); n < 1 || n > 100 {
			found.addf("the API's %s is %d", key, n)
		}
	}
	var routes []string
	for name, event := range objectAt(t.get("CallbackFunction").properties(), "Events") {
		p := objectAt(event, "Properties")
		route := fmt.Sprint(p["Method"], " ", p["Path"])
		routes = append(routes, route)
		for _, key := range []string{"ThrottlingBurstLimit", "ThrottlingRateLimit"} {
			if n, _ := at(api, "RouteSettings", route, key).(int); n < 1 || n > 20 {
				found.addf("route %s: its %s is %d", route, key, n)
			}
		}
		timeout, _ := p["TimeoutInMillis"].(int)
		if timeout < 1000*timeouts["callback"] || timeout > 30_000 {
			found.addf("route %s waits %d ms: not as long as the function may take, or longer than an HTTP API can", name, timeout)
		}
		if p["PayloadFormatVersion"] != "2.0" || t.resolve(p["ApiId"]) != "CallbackApi" {
			found.addf("route %s: the function reads payload format 2.0 of the one API", name)
		}
	}
	slices.Sort(routes)
	if settings := slices.Sorted(maps.Keys(objectAt(api, "RouteSettings"))); !slices.Equal(routes, routed) || !slices.Equal(settings, routed) {
		found.addf("routes %v with throttles %v, want %v", routes, settings, routed)
	}
	return found
}

// checkTable compares the table with the one on which tests run.
func checkTable(_ testing.TB, t template) (found problems) {
	r := t.get("Table")
	p := r.properties()
	want := map[string]string{
		"PointInTimeRecoverySpecification": "map[PointInTimeRecoveryEnabled:true RecoveryPeriodInDays:7]",
		"SSESpecification":                 "map[KMSMasterKeyId:map[Fn::GetAtt:[Key Arn]] SSEEnabled:true SSEType:KMS]",
		"DeletionProtectionEnabled":        "map[Fn::If:[IsProduction true false]]",
		"TableName":                        "<nil>",
	}
	for key, want := range want {
		if got := fmt.Sprint(p[key]); got != want {
			found.addf("the table's %s is %s, want %s", key, got, want)
		}
	}
	definition := engines.Definition("")
	for key, want := range map[string]any{
		"AttributeDefinitions":    definition.AttributeDefinitions,
		"KeySchema":               definition.KeySchema,
		"GlobalSecondaryIndexes":  definition.GlobalSecondaryIndexes,
		"TimeToLiveSpecification": engines.TimeToLive("", true).TimeToLiveSpecification,
		"BillingMode":             definition.BillingMode,
	} {
		if got, want := fmt.Sprint(p[key]), asTemplate(want); got != want {
			found.addf("the table's %s is %s, want %s, as tests have it", key, got, want)
		}
	}
	for _, id := range []string{"Table", "Key"} {
		// A first deployment that fails leaves nothing.
		for policy, want := range map[string]string{"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"} {
			if got := t.get(id).body[policy]; got != want {
				found.addf("%s: %s is %v, want %s", id, policy, got, want)
			}
		}
	}
	return found
}

// asTemplate is a part of an SDK's request as the template has it: the names are the
// same, and what is nil is left out.
func asTemplate(part any) string {
	v := reflect.ValueOf(part)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		fields := map[string]string{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
				fields[f.Name] = asTemplate(v.Field(i).Interface())
			}
		}
		return fmt.Sprint(fields)
	case reflect.Slice:
		elements := make([]string, v.Len())
		for i := range elements {
			elements[i] = asTemplate(v.Index(i).Interface())
		}
		return fmt.Sprint(elements)
	default:
		return fmt.Sprint(v)
	}
}

// checkParameters: each is described, bounded and shown in a group; the bounds
// are the code's.
func checkParameters(_ testing.TB, t template) (found problems) {
	all := objectAt(t.doc, "Parameters")
	var grouped []string
	for _, group := range listOf(at(t.doc, "Metadata", "AWS::CloudFormation::Interface", "ParameterGroups")) {
		for _, name := range listOf(at(group, "Parameters")) {
			grouped = append(grouped, fmt.Sprint(name))
		}
	}
	slices.Sort(grouped)
	if names := slices.Sorted(maps.Keys(all)); !slices.Equal(names, grouped) {
		found.addf("parameters %v, in groups %v", names, grouped)
	}
	for name, v := range all {
		p := objectAt(v)
		if p["Description"] == nil || p["Default"] == nil {
			found.addf("parameter %s has to have a description and a default", name)
		}
		if p["AllowedValues"] == nil && p["AllowedPattern"] == nil && p["MaxValue"] == nil {
			found.addf("parameter %s takes anything", name)
		}
	}
	for name, most := range map[string]int{"TokenRequestsPerSecond": ratelimit.MaxPerSecond, "LoginAttempts": lockout.MaxAttempts} {
		values := listOf(at(all, name, "AllowedValues"))
		if len(values) != most || values[len(values)-1] != most || at(all, name, "Default") != most {
			found.addf("parameter %s: values %v, want 1 to %d, by default %d", name, values, most, most)
		}
	}
	return found
}

func checkOutputs(_ testing.TB, t template) (found problems) {
	outputs := objectAt(t.doc, "Outputs")
	for _, name := range []string{
		"IssueAliasArn", "RotateAliasArn", "CallbackAliasArn", "RedirectUri", "CallbackBaseUrl", "TableName", "SecretPrefix", "AuthorizationHosts", "KeyArn",
		"FailureQueueUrl", "AlarmTopicArn", "NoticeTopicArn", "DashboardUrl", "CallerPolicyArn", "OperatorPolicyArn", "RunbookPolicyArn", "EventBusName",
	} {
		if at(outputs, name, "Value") == nil || at(outputs, name, "Description") == nil {
			found.addf("output %s is missing, or not described", name)
		}
	}
	return found
}
