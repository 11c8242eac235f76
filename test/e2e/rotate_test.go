package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// single is the whole answer to a single renewal.
func single(outcome string, failure any) map[string]any {
	want := map[string]any{
		"due": 1.0, "renewed": 0.0, "unchanged": 0.0, "contended": 0.0, "failed": 0.0, "reauthorize": 0.0, "left_over": 0.0,
		"outcome": outcome, "error": failure,
	}
	want[outcome] = 1.0
	return want
}

func wantRotated(t *testing.T, a answer, outcome string, failure any) {
	t.Helper()
	if diff := cmp.Diff(single(outcome, failure), a.Body); diff != "" {
		t.Errorf("rotate (-want +got):\n%s", diff)
	}
}

// lease is what issue hands over.
func lease(owner string, epoch int64) fields { return fields{"owner": owner, "epoch": epoch} }

func TestASingleRenewal(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(newTokens)
	name := w.add(t, s.clientCredentials())
	one := fields{"connection": name}
	wantRotated(t, w.rotate(t, one), "renewed", nil)
	wantRotated(t, w.rotate(t, one), "unchanged", nil)
	wantRotated(t, w.rotate(t, one.with(fields{"min_ttl_seconds": 86400})), "unchanged", nil)
	wantRotated(t, w.rotate(t, one.with(fields{"force": true})), "renewed", nil)
	wantRotated(t, w.rotate(t, one.with(fields{"rejected_fingerprint": "sha256:" + strings.Repeat("0", 32)})), "unchanged", nil)
	wantRotated(t, w.rotate(t, one.with(fields{"colour": "red", "Force": true})), "unchanged", nil) // unknown fields
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 2 {
		t.Errorf("%d token requests, want 2", got)
	}
	if a := w.ask(t, name); a.Body["version"] != 2.0 {
		t.Errorf("issue: %v", a)
	}
}

func TestASingleRenewalThatFails(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	person := w.add(t, s.authorizationCode())
	reauthorize := map[string]any{"type": "ReauthorizationRequired", "message": "a person must log in at Reltio"}
	wantRotated(t, w.rotate(t, fields{"connection": person}), "reauthorize", reauthorize)

	a := w.rotate(t, fields{"connection": unknownName()})
	e, _ := a.Body["error"].(map[string]any)
	if a.FunctionError != "" || a.text("outcome") != "failed" || e["type"] != "UnknownConnection" {
		t.Errorf("an unknown name: %v", a)
	}

	s.Outage(out(reltioauthtest.FaultStatus))
	name := w.add(t, s.clientCredentials())
	a = w.rotate(t, fields{"connection": name})
	e, _ = a.Body["error"].(map[string]any)
	if a.FunctionError != "" || a.text("outcome") != "failed" || e["type"] != "ReltioUnavailable" || e["message"] == "" {
		t.Errorf("an outage: %v", a)
	}
	// force skips the back-off.
	s.Outage(reltioauthtest.Outage{})
	wantRotated(t, w.rotate(t, fields{"connection": name, "force": true}), "renewed", nil)
}

func TestInvalidRenewals(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, payload := range []string{
		`[]`, `null`, `"acme"`, `7`,
		`{"force":true}`, `{"lease":{"owner":"o","epoch":1}}`, `{"min_ttl_seconds":5}`, `{"rejected_fingerprint":"sha256:00"}`,
		`{"connection":null}`, `{"connection":"ACME"}`, `{"connection":"acme","force":"yes"}`, `{"connection":"acme","force":null}`,
		`{"connection":"acme","min_ttl_seconds":-1}`, `{"connection":"acme","min_ttl_seconds":86401}`,
		`{"connection":"acme","rejected_fingerprint":"x"}`, `{"connection":"acme","lease":"x"}`, `{"connection":"acme","lease":{}}`,
		`{"connection":"acme","lease":{"owner":"","epoch":1}}`, `{"connection":"acme","lease":{"owner":"o","epoch":"1"}}`,
		`{"connection":"acme","connection":"acme"}`,
	} {
		if a := w.invoke(t, "rotate:live", payload); a.errorType() != "InvalidRequest" || a.FunctionError == "" {
			t.Errorf("%s: got %v", payload, a)
		}
	}
}

// A lease that is handed over is adopted once. What comes a second time, or is
// replayed, renews nothing.
func TestALeaseIsAdoptedOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(newTokens)
	name := w.add(t, s.clientCredentials())
	wantToken(t, w.ask(t, name))
	before := w.item(t, "lease#"+name)
	epoch := number(before["epoch"]) + 1
	w.put(t, "lease#"+name, map[string]any{
		"owner": "a-caller", "epoch": epoch, "until": ms(time.Now().Add(30 * time.Second)), "ttl": time.Now().Add(time.Hour).Unix(),
	})
	request := fields{"connection": name, "force": true}
	wantRotated(t, w.rotate(t, request), "contended", nil) // another holder has it
	wantRotated(t, w.rotate(t, request.with(fields{"lease": lease("another", epoch)})), "contended", nil)
	wantRotated(t, w.rotate(t, request.with(fields{"lease": lease("a-caller", epoch-1)})), "contended", nil)
	wantRotated(t, w.rotate(t, request.with(fields{"lease": lease("a-caller", epoch)})), "renewed", nil)
	wantRotated(t, w.rotate(t, request.with(fields{"lease": lease("a-caller", epoch)})), "contended", nil) // the duplicate
	if got := number(w.item(t, "lease#"+name)["epoch"]); got != epoch+1 {
		t.Errorf("epoch %d after the adoption, want %d", got, epoch+1)
	}
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 2 {
		t.Errorf("%d token requests, want 2", got)
	}
}

// A paused connection is left alone, by force as well; its token is handed out
// until its end.
func TestAPausedConnection(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	living, none := w.add(t, s.clientCredentials()), w.add(t, s.password("ann"))
	wantToken(t, w.ask(t, living))
	w.operate(t, "pause", living)
	w.operate(t, "pause", none)
	paused := map[string]any{"type": "ConnectionPaused", "message": "an operator paused this connection"}
	for _, name := range []string{living, none} {
		if item := w.item(t, "grant#"+name); str(item["status"]) != "paused" || item["due_shard"] != nil || item["due_at"] != nil {
			t.Errorf("status %q, due_shard %v", str(item["status"]), item["due_shard"])
		}
	}
	for _, payload := range []fields{{"connection": none}, {"connection": none, "force": true}} {
		a := w.rotate(t, payload)
		if diff := cmp.Diff(any(paused), a.Body["error"]); diff != "" {
			t.Errorf("rotate %v: %v (-want +got):\n%s", payload, a, diff)
		}
	}
	w.rotate(t, fields{"connection": living, "force": true})
	wantToken(t, w.ask(t, living))
	wantError(t, w.ask(t, none), "ConnectionPaused")
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 1 {
		t.Errorf("%d token requests, want 1", got)
	}
	w.operate(t, "unpause", none)
	wantToken(t, w.ask(t, none))
}

// A sweep renews all grants that are due, and counts.
func TestASweep(t *testing.T) {
	w := start(t) // alone: other tests' connections may be due too
	s := w.server(t)
	s.Configure(newTokens)
	var due []string
	for range 3 {
		name := w.add(t, s.clientCredentials())
		wantToken(t, w.ask(t, name))
		w.set(t, "grant#"+name, "issued_at", ms(time.Now().Add(-59*time.Minute)))
		w.set(t, "grant#"+name, "expires_at", ms(time.Now().Add(time.Minute)))
		w.set(t, "grant#"+name, "due_at", ms(time.Now().Add(-time.Minute)))
		due = append(due, name)
	}
	notDue := w.add(t, s.clientCredentials())
	wantToken(t, w.ask(t, notDue))
	w.set(t, "grant#"+notDue, "due_at", ms(time.Now().Add(-time.Minute))) // the index is a hint
	for _, payload := range []any{fields{}, fields{"source": "aws.scheduler", "Connection": "x"}} {
		a := w.rotate(t, payload)
		members := slices.Sorted(maps.Keys(a.Body))
		want := []string{"contended", "due", "error", "failed", "left_over", "outcome", "reauthorize", "renewed", "unchanged"}
		if diff := cmp.Diff(want, members); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
		sum := 0.0
		for _, outcome := range []string{"renewed", "unchanged", "contended", "failed", "reauthorize", "left_over"} {
			n, _ := a.Body[outcome].(float64)
			sum += n
		}
		if a.Body["due"] != sum || a.Body["outcome"] != nil || a.Body["error"] != nil {
			t.Errorf("got %v", a)
		}
	}
	for _, name := range due {
		if got := number(w.item(t, "grant#"+name)["version"]); got != 2 {
			t.Errorf("%s: version %d, want 2", name, got)
		}
	}
	if got := number(w.item(t, "grant#"+notDue)["version"]); got != 1 {
		t.Errorf("what was not due has version %d", got)
	}
}

// A connection whose secret is taken away loses its token at the second look; one whose secret
// names another owner is another holder's.
func TestASecretThatChanges(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	gone, other := w.add(t, s.clientCredentials()), w.add(t, s.password("ann"))
	wantToken(t, w.ask(t, gone))
	first := w.ask(t, other)
	wantToken(t, first)

	w.deleteSecret(t, "connections/"+gone)
	w.rotate(t, fields{"connection": gone, "force": true})
	wantToken(t, w.ask(t, gone)) // one look may err
	w.set(t, "grant#"+gone, "secret_missing_at", time.Now().Add(-61*time.Second).UnixMilli())
	w.rotate(t, fields{"connection": gone, "force": true})
	item := w.item(t, "grant#"+gone)
	if item["access_token"] != nil || item["due_shard"] != nil || str(item["status"]) != "unknown" || number(item["version"]) != 1 {
		t.Errorf("what is left: status %q, %d attributes", str(item["status"]), len(item))
	}
	w.Host.Recycle("issue")
	wantError(t, w.ask(t, gone), "UnknownConnection")

	before := str(w.item(t, "grant#"+other)["identity"])
	w.write(t, other, s.password("bob"))
	wantRotated(t, w.rotate(t, fields{"connection": other, "force": true}), "renewed", nil)
	a := w.ask(t, other)
	if a.Body["version"] != 2.0 || a.text("access_token") == first.text("access_token") {
		t.Errorf("got %v", a)
	}
	if after := str(w.item(t, "grant#"+other)["identity"]); after == before || len(after) != 64 {
		t.Errorf("identity %q", after)
	}
	for _, r := range s.Requests() {
		if r.GrantType == "refresh_token" {
			t.Error("the refresh token of another identity was sent")
		}
	}
}
