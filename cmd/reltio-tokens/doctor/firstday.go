package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// firstDayDocument has the checks of the first day, a section each.
const firstDayDocument = "docs/first-day-on-aws.md"

// The metrics of the last minutes that the first day looks at. Of five ticks one or
// two may not have arrived yet.
const (
	metricsTime = 5 * time.Minute
	fewTicks    = 3
)

// firstDayCheck is one of the checks of the first day on AWS.
type firstDayCheck struct {
	// title is that of its section in the document, without the number.
	title string
	// run makes the check, or the part of it that a command can make; nil: no command
	// can, for the reason in byHand.
	run    func(*examination, context.Context) (level Level, what, do string)
	byHand string
}

// firstDayChecks are the sections of the document, in its order.
func firstDayChecks() []firstDayCheck {
	return []firstDayCheck{
		{title: "The first deployment", run: (*examination).firstDeployment},
		{title: "The sweep may query the index", run: (*examination).firstSweep},
		{title: "The schedule ticks, and its metrics arrive", run: (*examination).firstMetrics},
		{title: "Mail comes through the encrypted topics", byHand: "a person looks into the mailbox"},
		{title: "A lost event reaches the encrypted queue", byHand: "renewals are stopped for it"},
		{title: "A token, and a second one over an old environment", byHand: "it renews a token, and takes ten minutes"},
		{title: "The browser's way", run: (*examination).firstPages},
		{title: "An upgrade that fails goes back", byHand: "it deploys"},
		{title: "An alarm on two metrics of which one never was", run: (*examination).firstAlarm},
		{title: "Deleted, and created again under the same name", byHand: "it deletes the stack"},
	}
}

// firstDay makes those checks of the first day on AWS that a command can make, and
// names the others.
func (e *examination) firstDay(ctx context.Context) {
	for i, c := range firstDayChecks() {
		check, section := fmt.Sprintf("first day %d", i+1), fmt.Sprintf("%s, %d. %s", firstDayDocument, i+1, c.title)
		switch {
		case e.AWS == nil:
			e.found(check, Skipped, "the local stack is not on AWS", section)
		case c.run == nil:
			e.found(check, Skipped, "by hand: "+c.byHand, section)
		case e.AWS.Stack == nil || e.AWS.Query == nil:
			e.found(check, Skipped, "which one it is, a stack says", "give --stack; "+section)
		default:
			level, what, do := c.run(e, ctx)
			if level != OK {
				do = strings.TrimPrefix(do+"; "+section, "; ")
			}
			e.found(check, level, what, do)
		}
	}
}

// firstDeployment checks that the stack was created.
func (e *examination) firstDeployment(context.Context) (level Level, what, do string) {
	status := e.AWS.Stack.Status
	if slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE"}, status) {
		return OK, "the stack is " + status, ""
	}
	return Failed, "the stack is " + status + ", want CREATE_COMPLETE", "look at the events that failed"
}

// functionErrorType is what an errorType of Lambda looks like; nothing else that a
// function writes is shown.
var functionErrorType = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// firstSweep asks rotate for a sweep, as a tick does.
func (e *examination) firstSweep(ctx context.Context) (level Level, what, do string) {
	const look = "look at the log of rotate: AccessDeniedException of a Query is IAM's condition on the index"
	out, err := e.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(e.RotateFunction), Payload: []byte(`{}`)})
	if err != nil {
		return Failed, "Lambda Invoke of rotate, a sweep: " + Reason(err), advice(err)
	}
	if out.FunctionError != nil {
		var said struct {
			Type string `json:"errorType"`
		}
		if json.Unmarshal(out.Payload, &said) != nil || !functionErrorType.MatchString(said.Type) {
			said.Type = "no known error"
		}
		return Failed, "a sweep ended with " + said.Type, look
	}
	var swept rotateapi.Result
	if json.Unmarshal(out.Payload, &swept) != nil {
		return Failed, "a sweep's result cannot be read", look
	}
	return OK, fmt.Sprintf("a sweep ended without an error; %d were due, %d renewed", swept.Due, swept.Renewed), ""
}

// firstMetrics checks that ticks swept in the last minutes, by the metrics that they
// wrote into their log lines.
func (e *examination) firstMetrics(ctx context.Context) (level Level, what, do string) {
	const look = "look at a line of rotate's log: its metrics were not taken out of it, or there is none"
	sweeps, err := e.metric(ctx, "SweepFinished", "Sum")
	if err != nil {
		return Failed, "CloudWatch GetMetricData: " + Reason(err), advice(err)
	}
	refusing, err := e.metric(ctx, "ServerRefusing", "Maximum")
	if err != nil {
		return Failed, "CloudWatch GetMetricData: " + Reason(err), advice(err)
	}
	var sum float64
	for _, v := range sweeps {
		sum += v
	}
	switch {
	case len(sweeps) == 0:
		return Failed, "no SweepFinished in the last 5 minutes, want 4 or 5", look
	case len(refusing) == 0:
		return Failed, "no ServerRefusing in the last 5 minutes, want 0", look
	case slices.Max(refusing) > 0:
		return Warning, "ServerRefusing is 1, want 0", "docs/operations.md, server-refusing"
	case sum < fewTicks:
		return Warning, fmt.Sprintf("%.0f sweeps finished in the last 5 minutes, want 4 or 5", sum), "wait until the stack is five minutes old, and look again"
	default:
		return OK, fmt.Sprintf("%.0f sweeps finished in the last 5 minutes, and no server refuses", sum), ""
	}
}

// metric gets the values of a metric of the stack in the last minutes, the current one
// included, one value a minute.
func (e *examination) metric(ctx context.Context, name, statistic string) ([]float64, error) {
	const query = "MetricDataQueries.member.1."
	var data struct {
		Values []float64 `xml:"GetMetricDataResult>MetricDataResults>member>Values>member"`
	}
	end := e.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	err := e.AWS.Query.call(ctx, cloudWatch(), "GetMetricData", map[string]string{
		"StartTime": end.Add(-metricsTime).Format(time.RFC3339), "EndTime": end.Format(time.RFC3339), query + "Id": "m",
		query + "MetricStat.Metric.Namespace":  "ReltioTokens/" + e.AWS.Stack.Name,
		query + "MetricStat.Metric.MetricName": name,
		query + "MetricStat.Period":            strconv.Itoa(int(time.Minute / time.Second)),
		query + "MetricStat.Stat":              statistic,
	}, &data)
	return data.Values, err
}

// firstPages checks that API Gateway responds by itself to what is no page, and that the
// callback function makes those that are.
func (e *examination) firstPages(ctx context.Context) (level Level, what, do string) {
	base := e.about.CallbackURL
	if base == "" {
		return Skipped, "nobody said where the callback function answers", "give --stack, or --callback-url (CALLBACK_BASE_URL)"
	}
	for _, p := range []struct {
		path string
		want int
	}{{"/wp-login.php", http.StatusNotFound}, {"/done", http.StatusOK}} {
		page, err := e.open(ctx, base+p.path, "the callback")
		switch {
		case err != nil:
			return Failed, base + p.path + " is not reached from this machine: " + trouble(err), "look at --callback-url, at the domain's DNS record and certificate"
		case page.status != p.want:
			return Failed, fmt.Sprintf("%s answers HTTP %d, want %d", p.path, page.status, p.want), "look at the API's routes and at the callback function's log"
		case p.want == http.StatusNotFound && page.header.Get("Content-Security-Policy") != "":
			return Failed, p.path + " is answered by the callback function, want API Gateway", "the API has a route for every path: deploy this release"
		}
	}
	return OK, "/wp-login.php is API Gateway's 404, /done is the function's; the login and the access log are looked at by hand", ""
}

// firstAlarm looks at the state of the alarm that adds two metrics, before one of
// them ever was.
func (e *examination) firstAlarm(ctx context.Context) (level Level, what, do string) {
	var alarms struct {
		States []string `xml:"DescribeAlarmsResult>MetricAlarms>member>StateValue"`
	}
	err := e.AWS.Query.call(ctx, cloudWatch(), "DescribeAlarms", map[string]string{"AlarmNames.member.1": e.AWS.Stack.Name + "-issue-broken"}, &alarms)
	switch {
	case err != nil:
		return Failed, "CloudWatch DescribeAlarms: " + Reason(err), advice(err)
	case len(alarms.States) != 1:
		return Failed, "the alarm issue-broken is missing", "deploy the stack again"
	case alarms.States[0] == "ALARM":
		return Failed, "issue-broken is ALARM, want OK", "docs/operations.md, issue-broken"
	case alarms.States[0] != "OK":
		return Failed, "issue-broken is not OK", "if it stays so for minutes, a metric that never was is no 0"
	default:
		return OK, "issue-broken is OK; that it goes on is looked at by hand", ""
	}
}
