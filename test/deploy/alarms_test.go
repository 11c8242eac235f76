package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// ownMetrics are the service's, and the dimension that each has.
var ownMetrics = map[string]string{
	telemetry.Issued: "Outcome", telemetry.Renewals: "Outcome", telemetry.Callbacks: "Outcome",
	telemetry.TokenRequests: "", telemetry.Throttled: "", telemetry.BudgetWaitSeconds: "",
	telemetry.RefusedLogins: "", telemetry.Unstored: "", telemetry.Waiting: "", telemetry.OldestOverdueSeconds: "",
	telemetry.DaysUntilRefreshTokenEnds: "", telemetry.SweepFinished: "", telemetry.ServerRefusing: "",
}

// watched is what some alarm has to look at: the metric and, of those that the
// functions share, the function.
var watched = []string{
	telemetry.SweepFinished, telemetry.OldestOverdueSeconds, telemetry.Waiting, telemetry.RefusedLogins, telemetry.Unstored, telemetry.ServerRefusing,
	telemetry.DaysUntilRefreshTokenEnds, telemetry.BudgetWaitSeconds, telemetry.Throttled, telemetry.Issued,
	"Errors issue", "Errors rotate", "Errors callback", "Throttles issue", "Throttles rotate", "Throttles callback",
	"Duration issue", "Duration rotate", "Duration callback", "ApproximateNumberOfMessagesVisible",
}

var runbook = regexp.MustCompile(`Runbook: https://[a-z./-]+/docs/operations\.md#([a-z0-9-]+)$`)

// paging are the alarms that wake an operator: callers fail, or will when the tokens end
// that they hold. All others are for working hours.
var paging = []string{
	"SweepStoppedAlarm", "OverdueAlarm", "ServerRefusingAlarm", "IssueBrokenAlarm", "IssueFailingAlarm", "IssueThrottledAlarm",
	"RotateThrottledAlarm", "IssueSlowAlarm",
}

func checkAlarms(tb testing.TB, t template) (found problems) {
	tb.Helper()
	sections := headings(tb, filepath.Join(root, "docs", "operations.md"))
	var seen []string
	for _, r := range t.resources("AWS::CloudWatch::Alarm") {
		p := r.properties()
		m := runbook.FindStringSubmatch(t.resolve(p["AlarmDescription"]))
		switch {
		case m == nil:
			found.addf("%s: its description names no section of the runbook", r.id)
		case !slices.Contains(sections, m[1]):
			found.addf("%s: docs/operations.md has no section %s", r.id, m[1])
		}
		topic := "[map[Ref:NoticeTopic]]"
		if slices.Contains(paging, r.id) {
			topic = "[map[Ref:AlarmTopic]]"
		}
		for _, when := range []string{"AlarmActions", "OKActions"} {
			if got := fmt.Sprint(p[when]); got != topic {
				found.addf("%s: %s tells %s, want %s", r.id, when, got, topic)
			}
		}
		if !strings.HasPrefix(t.resolve(p["AlarmName"]), stack+"-") {
			found.addf("%s: its name does not begin with the stack's", r.id)
		}
		missing := "notBreaching"
		for _, metric := range metricsOf(p) {
			name, problem := t.metric(metric)
			if problem != "" {
				found.addf("%s: %s", r.id, problem)
			}
			if name == telemetry.SweepFinished {
				missing = "breaching" // nothing is also what a stopped sweep sends
			}
			seen = append(seen, name)
		}
		if got := p["TreatMissingData"]; got != missing {
			found.addf("%s: missing data is %v, want %s", r.id, got, missing)
		}
	}
	for _, name := range watched {
		if !slices.Contains(seen, name) {
			found.addf("no alarm looks at %s", name)
		}
	}
	return found
}

// metricsOf are the metrics of an alarm.
func metricsOf(alarm object) []object {
	if alarm["MetricName"] != nil {
		return []object{alarm}
	}
	var all []object
	for _, query := range listOf(alarm["Metrics"]) {
		if m := objectAt(query, "MetricStat", "Metric"); len(m) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// metric names a metric as `watched` does, and says what is wrong with it.
func (t template) metric(m object) (name, problem string) {
	name = fmt.Sprint(m["MetricName"])
	dimensions := map[string]string{}
	for _, d := range listOf(m["Dimensions"]) {
		if at(d, "Name") != nil {
			dimensions[fmt.Sprint(at(d, "Name"))] = t.resolve(at(d, "Value"))
		}
	}
	switch t.resolve(m["Namespace"]) {
	case t.namespace("IssueFunction"):
		dimension, known := ownMetrics[name]
		if !known {
			return name, "there is no metric " + name
		}
		if _, ok := dimensions[dimension]; (dimension == "" && len(dimensions) > 0) || (dimension != "" && !ok) {
			return name, fmt.Sprintf("%s has dimension %q, not %v", name, dimension, dimensions)
		}
	case "AWS/Lambda":
		function := strings.TrimPrefix(dimensions["FunctionName"], stack+"-")
		if _, known := functions[function]; !known {
			return name, "there is no function " + function
		}
		return name + " " + function, t.tooLate(m, function)
	}
	return name, ""
}

// namespace is that of a function's metrics.
func (t template) namespace(function string) string {
	return t.resolve(objectAt(t.get(function).properties(), "Environment", "Variables")["METRICS_NAMESPACE"])
}

// Two stacks in one account have a namespace each, else the ticks of one would
// silence the alarms of the other; and all of a stack's functions, alarms and
// widgets use the same.
func TestAStacksMetricsAreItsOwn(t *testing.T) {
	tmpl := load(t)
	want := telemetry.Namespace + "/" + stack
	for _, function := range []string{"IssueFunction", "RotateFunction", "CallbackFunction"} {
		if got := tmpl.namespace(function); got != want {
			t.Errorf("%s: namespace %q, want %q", function, got, want)
		}
	}
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`ReltioTokens[^\s"',}]*`).FindAllString(string(text), -1) {
		if found != "ReltioTokens/${AWS::StackName" {
			t.Errorf("the template names %s", found)
		}
	}
}

// tooLate says whether an alarm on a duration could never be raised.
func (template) tooLate(m object, function string) string {
	threshold, _ := m["Threshold"].(int)
	if m["MetricName"] == "Duration" && (threshold >= 1000*timeouts[function] || m["ExtendedStatistic"] != "p99") {
		return fmt.Sprintf("%s ends after %d s, and the alarm waits for more than %d ms", function, timeouts[function], threshold)
	}
	return ""
}

// headings are the anchors of a document's sections.
func headings(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "#"); ok {
			text = strings.ToLower(strings.TrimSpace(strings.TrimLeft(text, "#")))
			all = append(all, strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(text, ""), " ", "-"))
		}
	}
	return all
}

// widget is what is looked at of a widget of the dashboard.
type widget struct {
	X, Y       int
	Properties struct {
		Title  string
		Alarms []string
	}
}

// checkDashboard: it is JSON, begins with the question that matters, and shows every
// metric of the service and every alarm.
func checkDashboard(_ testing.TB, t template) (found problems) {
	text := t.resolve(t.get("Dashboard").properties()["DashboardBody"])
	var body struct{ Widgets []widget }
	if err := json.Unmarshal([]byte(text), &body); err != nil || len(body.Widgets) == 0 {
		found.addf("the dashboard is not JSON: %v", err)
		return found
	}
	places := map[[2]int]bool{}
	var shown []string
	for _, w := range body.Widgets {
		if places[[2]int{w.X, w.Y}] {
			found.addf("the dashboard: %q covers another widget", w.Properties.Title)
		}
		places[[2]int{w.X, w.Y}] = true
		shown = append(shown, w.Properties.Alarms...)
	}
	if first := body.Widgets[0]; first.Properties.Title != "Do callers get tokens?" || first.X+first.Y > 0 {
		found.addf("the dashboard begins with %q", first.Properties.Title)
	}
	for _, r := range t.resources("AWS::CloudWatch::Alarm") {
		if !slices.Contains(shown, t.attribute(r.id, "Arn")) {
			found.addf("the dashboard does not show %s", r.id)
		}
	}
	for name := range ownMetrics {
		if !strings.Contains(text, `"`+name+`"`) && !strings.Contains(text, `\"`+name+`\"`) {
			found.addf("the dashboard does not show %s", name)
		}
	}
	return found
}
