package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// lines are those of the log that satisfy wanted, decoded.
func (w *world) lines(wanted func(map[string]any) bool) []map[string]any {
	var found []map[string]any
	for text := range strings.Lines(w.log.String()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && wanted(line) {
			found = append(found, line)
		}
	}
	return found
}

// linesOf waits for n lines about a connection.
func (w *world) linesOf(t *testing.T, connection, message string, n int) []map[string]any {
	t.Helper()
	var found []map[string]any
	eventually(t, "lines of "+message, func() bool {
		found = w.lines(func(line map[string]any) bool { return line["connection"] == connection && line["message"] == message })
		return len(found) >= n
	})
	if len(found) != n {
		t.Errorf("%d lines of %s, want %d", len(found), message, n)
	}
	return found
}

// counted are the metrics of a line and their dimensions.
func counted(t *testing.T, line map[string]any) map[string][]string {
	t.Helper()
	var embedded struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	text, _ := json.Marshal(line)
	if err := json.Unmarshal(text, &embedded); err != nil {
		t.Fatal(err)
	}
	if age := time.Since(time.UnixMilli(embedded.AWS.Timestamp)); age < -time.Minute || age > 10*time.Minute {
		t.Errorf("the metrics' timestamp is %v old", age)
	}
	found := map[string][]string{}
	for _, directive := range embedded.AWS.CloudWatchMetrics {
		if directive.Namespace != "ReltioTokens" {
			t.Errorf("namespace %q", directive.Namespace)
		}
		for _, m := range directive.Metrics {
			if _, isNumber := line[m.Name].(float64); !isNumber || m.Unit == "" {
				t.Errorf("metric %s has no value or no unit", m.Name)
			}
			for _, d := range directive.Dimensions {
				found[m.Name] = d
				for _, name := range d {
					if _, ok := line[name].(string); !ok {
						t.Errorf("dimension %s of %s is not in the line", name, m.Name)
					}
				}
			}
		}
	}
	return found
}

func TestOneLineForEachInvocation(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(func(c *reltioauthtest.Config) { c.Behaviour.Refresh = reltioauthtest.NewToken })
	name := w.add(t, s.password("ann"))
	first, second := w.ask(t, name), w.ask(t, name)
	wantToken(t, second)
	lines := w.linesOf(t, name, "issue", 2)
	for i, a := range []answer{first, second} {
		for _, member := range []string{"connection", "version", "fingerprint", "outcome"} {
			if lines[i][member] != a.Body[member] {
				t.Errorf("line %d: %s is %v, want %v", i+1, member, lines[i][member], a.Body[member])
			}
		}
		if _, ok := lines[i]["duration_ms"].(float64); !ok {
			t.Errorf("line %d: duration_ms is %v", i+1, lines[i]["duration_ms"])
		}
		if diff := cmp.Diff(map[string][]string{"Issued": {"Outcome"}}, counted(t, lines[i])); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	}
	line := w.linesOf(t, name, "rotate", 1)[0]
	for member, want := range map[string]any{"version": 1.0, "fingerprint": first.Body["fingerprint"], "outcome": "renewed"} {
		if line[member] != want {
			t.Errorf("rotate: %s is %v, want %v", member, line[member], want)
		}
	}
	want := map[string][]string{
		"Renewals": {"Outcome"}, "TokenRequests": {}, "Throttled": {}, "BudgetWaitSeconds": {}, "RefusedLogins": {}, "Unstored": {},
		"DaysUntilRefreshTokenEnds": {},
	}
	if diff := cmp.Diff(want, counted(t, line)); diff != "" {
		t.Errorf("metrics of rotate (-want +got):\n%s", diff)
	}
	if line["TokenRequests"] != 1.0 || line["RefusedLogins"] != 0.0 {
		t.Errorf("TokenRequests %v, RefusedLogins %v", line["TokenRequests"], line["RefusedLogins"])
	}
}

// A function error has its one line too, and no other: what the Lambda library
// would write of it by itself is left out.
func TestOneLineForAnError(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.clientCredentials().with(fields{"client_secret": w.canary("wrong secret")}))
	a := w.ask(t, name)
	wantError(t, a, "CredentialsRejected")
	line := w.linesOf(t, name, "issue", 1)[0]
	if line["outcome"] != "CredentialsRejected" || line["error"] != "CredentialsRejected" || line["level"] != "WARN" {
		t.Errorf("outcome %v, error %v, level %v", line["outcome"], line["error"], line["level"])
	}
	if got := counted(t, w.linesOf(t, name, "rotate", 1)[0]); got["Renewals"] == nil {
		t.Errorf("metrics of rotate: %v", got)
	}
	for text := range strings.Lines(w.log.String()) {
		if strings.Contains(text, "errorMessage") {
			t.Errorf("a line beside it: %s", text)
			break
		}
	}
}

func TestALineForACallback(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.authorizationCode())
	b := w.browser(t)
	link := w.invite(t, name)
	p := b.get(t, link).want(t, http.StatusOK)
	b.get(t, b.login(t, s, link, "ann")).want(t, http.StatusSeeOther)
	lines := w.linesOf(t, name, "callback", 3)
	var outcomes []string
	for _, line := range lines {
		outcome, _ := line["outcome"].(string)
		outcomes = append(outcomes, outcome)
		reference, _ := line["reference"].(string)
		if _, ok := line["duration_ms"].(float64); !ok || reference == "" {
			t.Errorf("duration_ms %v, reference %q", line["duration_ms"], reference)
		}
		if diff := cmp.Diff([]string{"Outcome"}, counted(t, line)["Callbacks"]); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{"previewed", "begun", "done"}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if reference, _ := lines[0]["reference"].(string); !strings.Contains(p.body, reference) {
		t.Error("the page's reference is not the line's")
	}
}

func TestTheLineOfASweep(t *testing.T) {
	w := start(t)
	isSweep := func(line map[string]any) bool { return line["SweepFinished"] != nil }
	before := len(w.lines(isSweep))
	w.rotate(t, fields{})
	var lines []map[string]any
	eventually(t, "the line of a sweep", func() bool { lines = w.lines(isSweep); return len(lines) > before })
	line := lines[len(lines)-1]
	metrics := counted(t, line)
	for _, name := range []string{"SweepFinished", "OldestOverdueSeconds", "TokenRequests", "Throttled", "BudgetWaitSeconds", "RefusedLogins", "Waiting", "ServerRefusing"} {
		if dimensions, ok := metrics[name]; !ok || len(dimensions) > 0 {
			t.Errorf("metric %s: there %v, dimensions %v", name, ok, dimensions)
		}
	}
	for _, member := range []string{"due", "renewed", "unchanged", "contended", "failed", "reauthorize", "left_over", "duration_ms"} {
		if _, ok := line[member].(float64); !ok {
			t.Errorf("%s is %v", member, line[member])
		}
	}
}
