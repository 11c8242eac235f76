package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
)

// The functions' timeouts, in seconds, and memory, in MB. The code counts on the
// timeouts: rotate's sweep ends after 100 s, issue waits for 20 s, callback's steps
// take 27 s at most. Below 256 MB the CPU that comes with the memory makes a TLS
// handshake slow; rotate makes many at once.
var (
	timeouts = map[string]int{"issue": 25, "rotate": 120, "callback": 29}
	// issue follows its caller: traces of its own would be most of its price.
	tracing = map[string]string{"issue": "PassThrough", "rotate": "Active", "callback": "Active"}
	// Lambda's own lines would be more than half of issue's log.
	systemLog = map[string]string{"issue": "WARN", "rotate": "INFO", "callback": "INFO"}
	memory    = map[string]int{"issue": 256, "rotate": 512, "callback": 256}
)

func checkFunctions(_ testing.TB, t template) (found problems) {
	var ids []string
	for _, r := range t.resources("AWS::Serverless::Function") {
		ids = append(ids, r.id)
	}
	if want := slices.Sorted(maps.Values(functions)); !slices.Equal(ids, want) {
		found.addf("functions %v, want %v", ids, want)
	}
	for name, id := range functions {
		same := map[string]string{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": "[arm64]", "CodeUri": ".",
			"Tracing": tracing[name], "AutoPublishAlias": "live", "AutoPublishAliasAllProperties": "true",
			"FunctionName": "?", "Timeout": fmt.Sprint(timeouts[name]),
			"MemorySize": fmt.Sprint(memory[name]),
		}
		same["FunctionName"] = stack + "-" + name
		for key, want := range same {
			if got := t.resolve(t.setting(id, key)); got != want {
				found.addf("%s: %s is %s, want %s", id, key, got, want)
			}
		}
		if got := at(t.get(id).body, "Metadata", "BuildMethod"); got != "makefile" {
			found.addf("%s: BuildMethod %v, want makefile: the flags are in the Makefile", id, got)
		}
		if t.setting(id, "Policies") != nil || at(t.get(id).properties(), "Role", "Fn::GetAtt") == nil {
			found.addf("%s: its role has to be one of this template", id)
		}
		found = append(found, checkLogging(t, name, id)...)
		found = append(found, checkDeployment(t, id)...)
	}
	return found
}

func checkLogging(t template, name, id string) (found problems) {
	if got := t.setting(id, "LoggingConfig", "LogFormat"); got != "JSON" {
		found.addf("%s: LogFormat %v, want JSON", id, got)
	}
	if got := t.setting(id, "LoggingConfig", "SystemLogLevel"); got != systemLog[name] {
		found.addf("%s: SystemLogLevel %v, want %s", id, got, systemLog[name])
	}
	group, _ := at(t.setting(id, "LoggingConfig"), "LogGroup", "Ref").(string)
	p := t.get(group).properties()
	if got, want := t.resolve(p["LogGroupName"]), "/aws/lambda/"+stack+"-"+name; got != want {
		found.addf("%s: log group %s, want %s", id, got, want)
	}
	if p["RetentionInDays"] == nil || p["KmsKeyId"] == nil {
		found.addf("%s: its log group needs retention and key", id)
	}
	// At another level Lambda drops the line that the metrics are in.
	if got := fmt.Sprint(t.setting(id, "LoggingConfig", "ApplicationLogLevel")); got != "map[Fn::If:[IsDebugging DEBUG INFO]]" {
		found.addf("%s: ApplicationLogLevel %s drops metrics", id, got)
	}
	return found
}

// shifts is how a function's traffic moves to a new version in production. Five
// ticks of which a tenth is to go there may all go elsewhere.
var shifts = map[string]string{
	"IssueFunction": "Canary10Percent5Minutes", "RotateFunction": "Linear10PercentEvery1Minute", "CallbackFunction": "Canary10Percent5Minutes",
}

// checkDeployment: step by step, and judged by the errors of the new version
// alone. Among those of all versions a tenth is lost.
func checkDeployment(t template, id string) (found problems) {
	preference := objectAt(t.get(id).properties(), "DeploymentPreference")
	if got, want := fmt.Sprint(preference["Type"]), "map[Fn::If:[HasCanary "+shifts[id]+" AllAtOnce]]"; got != want {
		found.addf("%s: deployed by %s, want %s", id, got, want)
	}
	choice := listOf(at(preference, "Alarms", "Fn::If"))
	if len(choice) != 3 || len(listOf(choice[1])) == 0 {
		found.addf("%s: no alarms stop its deployment", id)
		return found
	}
	judged := false
	for _, alarm := range listOf(choice[1]) {
		r := t.get(fmt.Sprint(at(alarm, "Ref")))
		if r.body["Type"] != "AWS::CloudWatch::Alarm" {
			found.addf("%s: %v is no alarm", id, alarm)
			continue
		}
		for _, m := range metricsOf(r.properties()) {
			if m["MetricName"] == "Duration" {
				continue // of all calls the slowest hundredth: a tenth is enough
			}
			judged = judged || m["MetricName"] == "Errors"
			if got, want := dimension(m, "ExecutedVersion"), id+".Version.Version"; got != want {
				found.addf("%s: %v judges its deployment by the %v of version %q, want %s", id, alarm, m["MetricName"], got, want)
			}
		}
	}
	if !judged {
		found.addf("%s: no alarm on its errors stops its deployment", id)
	}
	return found
}

// dimension is the attribute that a metric's dimension is taken from.
func dimension(metric object, name string) string {
	for _, d := range listOf(metric["Dimensions"]) {
		if parts := listOf(at(d, "Value", "Fn::GetAtt")); at(d, "Name") == name && len(parts) > 0 {
			return strings.ReplaceAll(strings.Trim(fmt.Sprint(parts), "[]"), " ", ".")
		}
	}
	return ""
}

// notSet are variables that a function reads and the template does not set, with
// the reason.
var notSet = map[string]string{
	"callback CALLBACK_BASE_URL": "the API needs the function, so the function cannot need the API",
}

// forGo are variables that Go itself and AWS's SDK read: on al2023 Go parses every root
// certificate twice if it may look into the directories, and finds none if it is
// told of one bundle that is not there.
var forGo = map[string]string{"SSL_CERT_DIR": "/nonexistent", "AWS_USE_FIPS_ENDPOINT": "false"}

// environment is what a function is given: with what all are given.
func (t template) environment(id string) object {
	set := maps.Clone(objectAt(t.doc, "Globals", "Function", "Environment", "Variables"))
	maps.Copy(set, objectAt(t.get(id).properties(), "Environment", "Variables"))
	return set
}

// checkEnvironment compares the names that a function is given with those that
// its configuration reads, both ways, and has it read the values.
func checkEnvironment(_ testing.TB, t template) (found problems) {
	read := map[string]func(func(string) string) error{
		"issue":    func(getenv func(string) string) error { _, err := config.Issue(getenv); return err },
		"rotate":   func(getenv func(string) string) error { _, err := config.Rotate(getenv); return err },
		"callback": func(getenv func(string) string) error { _, err := config.Callback(getenv); return err },
	}
	for function, id := range functions {
		set := t.environment(id)
		var asked []string
		err := read[function](func(name string) string {
			asked = append(asked, name)
			if name == config.CallbackBaseURL {
				return "" // an intrinsic condition; checkURL looks at it
			}
			if v, ok := set[name]; ok {
				return t.resolve(v)
			}
			return ""
		})
		if err != nil {
			found.addf("%s does not start with its environment: %v", function, err)
		}
		for _, name := range asked {
			_, exempt := notSet[function+" "+name]
			if _, ok := set[name]; !ok && !exempt {
				found.addf("%s reads %s, which the template does not set", function, name)
			}
			if _, ok := set[name]; ok && exempt {
				found.addf("%s is set for %s: %s", name, function, notSet[function+" "+name])
			}
		}
		for name, want := range forGo {
			if got := t.resolve(set[name]); got != want {
				found.addf("%s: %s is %v, want %s", function, name, got, want)
			}
		}
		for name := range set {
			if _, ok := forGo[name]; !ok && !slices.Contains(asked, name) {
				found.addf("%s is given %s, which it does not read", function, name)
			}
		}
	}
	return append(found, checkURL(t)...)
}

// checkURL looks at both forms of the address that rotate is told.
func checkURL(t template) (found problems) {
	choice := listOf(at(t.setting("RotateFunction", "Environment", "Variables", config.CallbackBaseURL), "Fn::If"))
	if len(choice) != 3 || choice[0] != "HasDomain" {
		found.addf("CALLBACK_BASE_URL has to depend on HasDomain")
		return found
	}
	for _, v := range choice[1:] {
		text, _ := at(v, "Fn::Sub").(string)
		if !strings.HasPrefix(text, "https://${C") || strings.HasSuffix(text, "/") {
			found.addf("CALLBACK_BASE_URL %q is no address of this stack", text)
		}
	}
	return found
}

// checkEvents looks at what invokes a function, and at what becomes of
// asynchronous events.
func checkEvents(_ testing.TB, t template) (found problems) {
	want := map[string]string{"IssueFunction": "", "RotateFunction": "ScheduleV2", "CallbackFunction": strings.TrimSpace(strings.Repeat("HttpApi ", len(routed)))}
	for id, kind := range want {
		var kinds []string
		for _, e := range objectAt(t.get(id).properties(), "Events") {
			kinds = append(kinds, fmt.Sprint(at(e, "Type")))
		}
		if got := strings.Join(kinds, " "); got != kind {
			found.addf("%s: invoked by %q, want %q", id, got, kind)
		}
	}
	for _, id := range []string{"IssueFunction", "RotateFunction"} {
		later := objectAt(t.get(id).properties(), "EventInvokeConfig")
		if later["MaximumRetryAttempts"] != 0 {
			found.addf("%s: asynchronous events are tried %v times more, want 0", id, later["MaximumRetryAttempts"])
		}
		if later["MaximumEventAgeInSeconds"] != 60 {
			found.addf("%s: asynchronous events live %v s, want 60", id, later["MaximumEventAgeInSeconds"])
		}
	}
	if at(t.get("IssueFunction").properties(), "EventInvokeConfig", "DestinationConfig") != nil {
		found.addf("IssueFunction: a destination would get tokens")
	}
	later := objectAt(t.get("RotateFunction").properties(), "EventInvokeConfig")
	if t.resolve(at(later, "DestinationConfig", "OnFailure", "Destination")) != t.attribute("FailureQueue", "Arn") {
		found.addf("RotateFunction: failed events have to go to the queue")
	}
	return found
}
