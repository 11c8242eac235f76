package doctor_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
)

// api is API Gateway with the callback function behind it; caught says that the
// function gets every path.
type api struct{ caught bool }

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/done" || a.caught {
		maps.Copy(w.Header(), sound())
	}
	if r.URL.Path != "/done" {
		w.WriteHeader(http.StatusNotFound)
	}
}

// firstDay makes an installation on its first day: an hour of ticks, and the alarm
// that adds two metrics.
func firstDay(t *testing.T) *installation {
	t.Helper()
	i := install(t)
	i.doctor.FirstDay = true
	i.apiIs(api{})
	i.metric("SweepFinished", 1, 4)
	i.metric("ServerRefusing", 0, 4)
	i.setAlarm("issue-broken", "OK")
	return i
}

func (i *installation) apiIs(a api) {
	server := httptest.NewServer(a)
	i.t.Cleanup(server.Close)
	i.operator.CallbackURL = server.URL
}

// metric puts values of a metric of the stack.
func (i *installation) metric(name string, value float64, times int) {
	for range times {
		i.ask("monitoring", "PutMetricData", map[string]string{
			"Namespace": "ReltioTokens/" + i.name, "MetricData.member.1.MetricName": name, "MetricData.member.1.Value": fmt.Sprint(value),
		})
	}
}

// ofFirstDay are the findings of the first day.
func ofFirstDay(r doctor.Report) []string {
	return slices.DeleteFunc(lines(r), func(line string) bool { return !strings.Contains(line, " first day ") })
}

func TestTheFirstDay(t *testing.T) {
	got := ofFirstDay(firstDay(t).examine())
	want := []string{
		"ok first day 1: the stack is UPDATE_COMPLETE",
		"ok first day 2: a sweep ended without an error; 2 were due, 1 renewed",
		"ok first day 3: 4 sweeps finished in the last 5 minutes, and no server refuses",
		"skipped first day 4: by hand: a person looks into the mailbox | docs/first-day-on-aws.md, 4. Mail comes through the encrypted topics",
		"skipped first day 5: by hand: renewals are stopped for it | docs/first-day-on-aws.md, 5. A lost event reaches the encrypted queue",
		"skipped first day 6: by hand: it renews a token, and takes ten minutes | docs/first-day-on-aws.md, 6. A token, and a second one over an old environment",
		"ok first day 7: /wp-login.php is API Gateway's 404, /done is the function's; the login and the access log are looked at by hand",
		"skipped first day 8: by hand: it deploys | docs/first-day-on-aws.md, 8. An upgrade that fails goes back",
		"ok first day 9: issue-broken is OK; that it goes on is looked at by hand",
		"skipped first day 10: by hand: it deletes the stack | docs/first-day-on-aws.md, 10. Deleted, and created again under the same name",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Without the flag nothing is swept.
func TestAnyOtherDay(t *testing.T) {
	i := firstDay(t)
	i.doctor.FirstDay, i.lambda.failure = false, `{"errorType":"StoreUnavailable"}`
	if r := i.examine(); len(ofFirstDay(r)) > 0 || !r.OK {
		t.Errorf("%q", lines(r))
	}
}

// What is wrong on the first day is found, with its section of the document.
func TestTroublesOfTheFirstDay(t *testing.T) {
	for name, test := range map[string]struct {
		make func(*installation)
		want string // a pattern
	}{
		"a deployment that failed": {
			func(i *installation) { i.doctor.AWS.Stack.Status = "ROLLBACK_COMPLETE" },
			`^failed first day 1: the stack is ROLLBACK_COMPLETE, want CREATE_COMPLETE \| look at the events that failed; docs/first-day-on-aws.md, 1. The first`,
		},
		"a sweep that is refused": {
			func(i *installation) {
				i.lambda.failure = `{"errorType":"StoreUnavailable","errorMessage":"` + canary + `"}`
			},
			`^failed first day 2: a sweep ended with StoreUnavailable \| look at the log of rotate: .*; docs/first-day-on-aws.md, 2. The sweep`,
		},
		"a function that cannot start": {
			func(i *installation) { i.lambda.failure = `{"errorType":"Runtime.ExitError ` + canary + `"}` },
			`^failed first day 2: a sweep ended with no known error`,
		},
		"a result that is none":    {func(i *installation) { i.lambda.sweep = canary }, `^failed first day 2: a sweep's result cannot be read`},
		"rotate may not be called": {func(i *installation) { i.lambda.refused["invocations"] = true }, `^failed first day 2: Lambda Invoke of rotate, a sweep: AccessDeniedException \| use the operator's role`},
		"no sweeps": {
			func(i *installation) { i.doctor.AWS.Stack.Name = "none" },
			`^failed first day 3: no SweepFinished in the last 5 minutes, want 4 or 5 \| look at a line of rotate's log: .*; docs/first-day-on-aws.md, 3. The schedule`,
		},
		"a server that refuses": {func(i *installation) { i.metric("ServerRefusing", 1, 1) }, `^warning first day 3: ServerRefusing is 1, want 0 \| docs/operations.md, server-refusing; docs`},
		"a function for every path": {
			func(i *installation) { i.apiIs(api{caught: true}) },
			`^failed first day 7: /wp-login.php is answered by the callback function, want API Gateway \| .*; docs/first-day-on-aws.md, 7. The browser's way`,
		},
		"a page that is not there": {func(i *installation) { i.operator.CallbackURL = i.host }, `^failed first day 7: /done answers HTTP 404, want 200`},
		"no page at all":           {func(i *installation) { i.operator.CallbackURL = "http://127.0.0.1:1" }, `^failed first day 7: http://127.0.0.1:1/wp-login.php is not reached`},
		"an address nobody said":   {func(i *installation) { i.operator.CallbackURL = "" }, `^skipped first day 7: nobody said where`},
		"a metric that is no 0":    {func(i *installation) { i.setAlarm("issue-broken", "INSUFFICIENT_DATA") }, `^failed first day 9: issue-broken is not OK \| .*; docs/first-day-on-aws.md, 9. An alarm`},
		"an alarm that is on":      {func(i *installation) { i.setAlarm("issue-broken", "ALARM") }, `^failed first day 9: issue-broken is ALARM, want OK`},
		"no alarm":                 {func(i *installation) { i.doctor.AWS.Stack.Name = "none" }, `^failed first day 9: the alarm issue-broken is missing`},
		"CloudWatch is not there": {func(i *installation) {
			i.doctor.AWS.Query.Endpoint = func(string) string { return "http://127.0.0.1:1" }
		}, `^failed first day 3: CloudWatch GetMetricData: no usable answer`},
		"no stack":        {func(i *installation) { i.doctor.AWS.Stack = nil }, `^skipped first day 1: which one it is, a stack says \| give --stack; docs`},
		"the local stack": {func(i *installation) { i.doctor.AWS = nil }, `^skipped first day 2: the local stack is not on AWS \| docs/first-day-on-aws.md, 2`},
	} {
		t.Run(name, func(t *testing.T) {
			i := firstDay(t)
			test.make(i)
			got := ofFirstDay(i.examine())
			if len(got) != 10 || !slices.ContainsFunc(got, regexp.MustCompile(test.want).MatchString) {
				t.Errorf("nothing like %q in\n%s", test.want, strings.Join(got, "\n"))
			}
		})
	}
}

// Few ticks are no fault of a stack that is a minute old.
func TestTheFirstMinute(t *testing.T) {
	i := install(t)
	i.doctor.FirstDay = true
	i.metric("SweepFinished", 1, 2)
	i.metric("ServerRefusing", 0, 2)
	want := "warning first day 3: 2 sweeps finished in the last 5 minutes, want 4 or 5 | wait until"
	if got := ofFirstDay(i.examine()); !strings.HasPrefix(got[2], want) {
		t.Errorf("%s, want %s", got[2], want)
	}
}

// The checks are the document's, each under its title.
func TestTheFirstDayIsTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../../docs/first-day-on-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^## (\d+\. .*)$`).FindAllStringSubmatch(string(text), -1) {
		want = append(want, "docs/first-day-on-aws.md, "+m[1])
	}
	i := install(t)
	i.doctor.FirstDay, i.doctor.AWS = true, nil
	var got []string
	for _, f := range i.examine().Findings {
		if strings.HasPrefix(f.Check, "first day ") {
			got = append(got, f.Do)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 10 {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
}
