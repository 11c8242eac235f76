package handler_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// wantLine fails unless there is exactly one line, which has what every
// invocation's has.
func wantLine(t *testing.T, all []map[string]any, message, connection, outcome string) map[string]any {
	t.Helper()
	lines := of(all, message)
	if len(lines) != 1 {
		t.Fatalf("%d lines %q, want 1: %v", len(lines), message, all)
	}
	line := lines[0]
	if line["connection"] != connection || line["outcome"] != outcome || line["requestId"] != "request-1" {
		t.Errorf("line %v, want connection %q, outcome %q", line, connection, outcome)
	}
	for _, key := range []string{"version", "fingerprint", "duration_ms", "timestamp", "level"} {
		if _, ok := line[key]; !ok {
			t.Errorf("line %v has no %s", line, key)
		}
	}
	return line
}

func TestOneLinePerInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("acme", byClient)
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Delay: 250 * time.Millisecond}})
		_, _ = w.ask(`{"connection":"acme"}`)
		all := w.log.take(t)
		if len(all) != 2 {
			t.Errorf("%d lines, want one of each function", len(all))
		}
		rotated := wantLine(t, all, "rotate", "acme", "renewed")
		if rotated["fingerprint"] != w.grant("acme").Fingerprint || rotated["version"] != 1.0 || rotated["level"] != "INFO" {
			t.Errorf("line %v", rotated)
		}
		issued := wantLine(t, all, "issue", "acme", "renewed")
		if ms, ok := issued["duration_ms"].(float64); !ok || ms < 250 || ms > 400 {
			t.Errorf("duration_ms %v, want 250 and a pause", issued["duration_ms"])
		}

		_, _ = w.ask(`{"connection":"acme"}`)
		cached := wantLine(t, w.log.take(t), "issue", "acme", "cached")
		if cached["fingerprint"] != w.grant("acme").Fingerprint || cached["version"] != 1.0 {
			t.Errorf("line %v", cached)
		}
		_, _ = w.ask(`{"connection":"nobody"}`)
		all = w.log.take(t)
		wantLine(t, all, "rotate", "nobody", "failed")
		if line := wantLine(t, all, "issue", "nobody", "UnknownConnection"); line["level"] != "WARN" {
			t.Errorf("level %v, want WARN", line["level"])
		}
		_, _ = w.ask(`{"connection":"NOBODY"}`)
		wantLine(t, w.log.take(t), "issue", "", "InvalidRequest")
		_, _ = w.tell(`{"force":1}`)
		wantLine(t, w.log.take(t), "rotate", "", "InvalidRequest")
	})
}

func TestARenewalThatCannotBeStoredIsAFunctionErrorOfOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("acme", byClient)
		w.rotate.Renewer.Grants = failing{w.table}
		_, err := w.tell(`{"connection":"acme"}`)
		if e := functionError(t, err); e.Type != "StoreUnavailable" {
			t.Errorf("%s, want StoreUnavailable", e.Type)
		}
		all := w.log.take(t)
		if len(all) != 1 {
			t.Errorf("%d lines, want 1: %v", len(all), all)
		}
		wantLine(t, all, "rotate", "acme", "failed")

		_, err = w.tell(`{}`)
		if e := functionError(t, err); e.Type != "StoreUnavailable" {
			t.Errorf("%s of a sweep, want StoreUnavailable", e.Type)
		}
		wantLine(t, w.log.take(t), "rotate", "", "StoreUnavailable")
	})
}

// failing reads and writes no grants.
type failing struct{ *memstore.Table }

// Grant implements grant.Store.
func (failing) Grant(context.Context, string, grant.Consistency) (grant.Grant, error) {
	return grant.Grant{}, apierr.New(apierr.StoreUnavailable, "the table: out of order")
}

// DueGrants implements grant.Store.
func (failing) DueGrants(context.Context, grant.Shard, time.Time, *grant.Due, int) ([]grant.Due, error) {
	return nil, apierr.New(apierr.StoreUnavailable, "the table: out of order")
}

// panics panics with what it is.
type panics struct{ *memstore.Table }

// Grant implements grant.Store.
func (panics) Grant(context.Context, string, grant.Consistency) (grant.Grant, error) {
	panic("a text with " + password + " in it")
}

func TestAPanicIsInternal(t *testing.T) {
	w := newWorld(t)
	w.connect("acme", byClient)
	w.issue.Issuer.Grants = panics{w.table}
	w.rotate.Renewer.Grants = panics{w.table}
	for message, invoke := range map[string]func(string) ([]byte, error){"issue": w.ask, "rotate": w.tell} {
		data, err := invoke(`{"connection":"acme"}`)
		if e := functionError(t, err); e.Type != "Internal" || e.Message != "request request-1" || data != nil {
			t.Errorf("%s: %q, %s, want Internal: request request-1", e.Type, e.Message, data)
		}
		if text := w.log.String(); strings.Contains(text, password) {
			t.Errorf("the log has what was panicked with: %s", text)
		}
		all := w.log.take(t)
		line := wantLine(t, all, message, "acme", "Internal")
		if line["level"] != "ERROR" {
			t.Errorf("level %v, want ERROR", line["level"])
		}
		said := of(all, "panic")
		if len(said) != 1 || said[0]["type"] != "string" || !strings.Contains(said[0]["stack"].(string), "panics") {
			t.Errorf("lines %v, want one with the stack", said)
		}
	}
}

// metrics checks a line's embedded metrics against CloudWatch's format, and
// returns their values with the dimension they count by.
func metrics(t *testing.T, line map[string]any) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	aws, ok := line["_aws"].(map[string]any)
	if !ok {
		return values
	}
	at, ok := aws["Timestamp"].(float64)
	if !ok || at != float64(int64(at)) || at < 9e11 {
		t.Errorf("Timestamp %v is no number of milliseconds", aws["Timestamp"])
	}
	directives, ok := aws["CloudWatchMetrics"].([]any)
	if !ok || len(directives) == 0 || len(aws) != 2 {
		t.Fatalf("_aws is %v", aws)
	}
	for _, entry := range directives {
		d := entry.(map[string]any)
		if d["Namespace"] != "ReltioTokens" || len(d) != 3 {
			t.Errorf("directive %v", d)
		}
		for _, set := range d["Dimensions"].([]any) {
			for _, name := range set.([]any) {
				if text, ok := line[name.(string)].(string); !ok || text == "" || name != "Outcome" {
					t.Errorf("dimension %v has the value %v", name, line[name.(string)])
				}
			}
		}
		for _, entry := range d["Metrics"].([]any) {
			m := entry.(map[string]any)
			value, ok := line[m["Name"].(string)].(float64)
			if !ok {
				t.Errorf("metric %v has no number", m["Name"])
			}
			if !slices.Contains([]any{"Count", "Seconds", "None"}, m["Unit"]) {
				t.Errorf("unit %v", m["Unit"])
			}
			name := m["Name"].(string)
			if sets := d["Dimensions"].([]any); len(sets) == 1 && len(sets[0].([]any)) == 1 {
				name += " " + line["Outcome"].(string)
			}
			values[name] += value
		}
	}
	return values
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("acme", byClient)
		_, _ = w.ask(`{"connection":"acme"}`)
		_, _ = w.ask(`{"connection":"acme"}`)
		_, _ = w.ask(`{"connection":"nobody"}`)
		_, _ = w.ask(`{`)
		w.connect("bad", strings.Replace(byPassword, password, "wrong", 1))
		_, _ = w.tell(`{"connection":"bad"}`)
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}})
		_, _ = w.tell(`{"connection":"acme","force":true}`)
		sum := map[string]float64{}
		for _, line := range w.log.take(t) {
			for name, value := range metrics(t, line) {
				sum[name] += value
			}
		}
		for name, want := range map[string]float64{
			"Issued renewed": 1, "Issued cached": 1, "Issued UnknownConnection": 1, "Issued InvalidRequest": 1,
			"Renewals renewed": 1, "Renewals failed": 3, "TokenRequests": 3, "Throttled": 1, "RefusedLogins": 1,
		} {
			if sum[name] != want {
				t.Errorf("%s is %v, want %v", name, sum[name], want)
			}
		}
	})
}

func TestTheLinesOfASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("good", byClient)
		w.connect("bad", strings.Replace(byPassword, password, "wrong", 1))
		_, _ = w.tell(`{"connection":"good"}`)
		_, _ = w.tell(`{"connection":"bad"}`)
		time.Sleep(2 * time.Hour)
		w.log.take(t)
		_, err := w.tell(`{}`)
		if err != nil {
			t.Fatal(err)
		}
		all := w.log.take(t)
		swept := of(all, "sweep")
		if len(swept) != 1 || swept[0]["due"] != 2.0 || swept[0]["renewed"] != 1.0 || swept[0]["failed"] != 1.0 {
			t.Fatalf("lines %v, want one of the sweep", swept)
		}
		if _, ok := swept[0]["duration_ms"]; !ok {
			t.Error("the sweep's line has no duration")
		}
		if line := of(all, "renewal"); len(line) != 1 || line[0]["connection"] != "bad" || line[0]["error"] != "CredentialsRejected" {
			t.Errorf("lines %v, want one of the renewal that failed", line)
		}
		sum := map[string]float64{}
		for _, line := range all {
			for name, value := range metrics(t, line) {
				sum[name] += value
			}
		}
		want := map[string]float64{"Renewals renewed": 1, "Renewals failed": 1, "TokenRequests": 2, "RefusedLogins": 1, "SweepFinished": 1}
		for name, n := range want {
			if sum[name] != n {
				t.Errorf("%s is %v, want %v", name, sum[name], n)
			}
		}
		for _, name := range []string{"Throttled", "BudgetWaitSeconds"} {
			if _, ok := sum[name]; !ok {
				t.Errorf("%s is missing", name)
			}
		}
	})
}

// Why Reltio refused, or could not be heard, is in the lines of a renewal and of a
// sweep, and in no answer.
func TestTheReasonOfARefusalIsInTheLines(t *testing.T) {
	const words = "Words of the server"
	tests := map[string]struct {
		secret string
		fault  reltioauthtest.Fault
		want   map[string]any // what the lines have of Reltio, and nothing else
	}{
		"a wrong password": {
			byPassword, oauthError(400, "invalid_grant", words),
			map[string]any{"reltio_error": "invalid_grant", "reltio_status": 400.0, "reltio_description": words},
		},
		"a wrong client": {
			byClient, oauthError(401, "invalid_client", words+", of "+clientSecret),
			map[string]any{"reltio_error": "invalid_client", "reltio_status": 401.0, "reltio_description": words + ", of [redacted]"},
		},
		"a scope": {
			byClient, oauthError(400, "invalid_scope", words),
			map[string]any{"reltio_error": "invalid_scope", "reltio_status": 400.0, "reltio_description": words},
		},
		"a user store that is down": {
			byPassword, oauthError(401, "unauthorized", words),
			map[string]any{"reltio_error": "unauthorized", "reltio_status": 401.0, "reltio_description": words},
		},
		"a page of a firewall": {
			byPassword,
			reltioauthtest.Fault{Kind: reltioauthtest.FaultFirewall},
			map[string]any{"reltio_error": "", "reltio_status": 403.0},
		},
		"nobody there": {
			byClient,
			reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable},
			map[string]any{"reltio_cause": "dial tcp: connect: connection refused"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.connect("acme", test.secret)
				w.server.Outage(reltioauthtest.Outage{Fault: test.fault})
				data, err := w.tell(`{"connection":"acme"}`)
				time.Sleep(2 * time.Hour)
				swept, sweepErr := w.tell(`{}`)
				_, callerErr := w.ask(`{"connection":"acme"}`)
				if text := fmt.Sprint(string(data), err, string(swept), sweepErr, callerErr); strings.Contains(text, words) {
					t.Errorf("a caller gets the server's words: %s", text)
				}
				all := w.log.take(t)
				lines := append(of(all, "rotate"), of(all, "renewal")...)
				if len(lines) < 2 {
					t.Fatalf("%d lines, want one of the renewal and one of the sweep's", len(lines))
				}
				for _, line := range lines {
					maps.DeleteFunc(line, func(key string, _ any) bool { return !strings.HasPrefix(key, "reltio_") })
					if diff := cmp.Diff(test.want, line); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
				for _, line := range of(all, "issue") {
					if _, said := line["reltio_description"]; said {
						t.Errorf("issue's line %v", line)
					}
				}
			})
		})
	}
}
