package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// wantEvents waits for a connection's events, and returns the detail of the last.
func (w *world) wantEvents(t *testing.T, connection string, types ...string) map[string]any {
	t.Helper()
	var events []sent
	eventually(t, strings.Join(types, ", ")+" on the bus", func() bool {
		events = w.published.of(connection)
		return len(events) >= len(types)
	})
	var got []string
	var detail map[string]any
	for _, e := range events {
		got = append(got, e.DetailType)
		if e.Source != "reltio-tokens" || e.EventBusName != "default" {
			t.Errorf("source %q, bus %q", e.Source, e.EventBusName)
		}
		detail = nil
		if err := json.Unmarshal([]byte(e.Detail), &detail); err != nil {
			t.Fatal(err)
		}
		if link, ok := detail["link"].(string); ok {
			_, text, _ := strings.Cut(link, "invitation=")
			w.secrets.put("invitation", text)
		}
		want := []string{"connection", "error", "link", "refresh_expires_at", "status"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(detail))); diff != "" {
			t.Errorf("detail of %s (-want +got):\n%s", e.DetailType, diff)
		}
	}
	if diff := cmp.Diff(types, got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	return detail
}

// A person is told to log in with a link that works, and that it is over.
func TestEventsForAPerson(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.authorizationCode())
	w.ask(t, name)
	detail := w.wantEvents(t, name, "ReauthorizationRequired")
	link, _ := detail["link"].(string)
	if !strings.HasPrefix(link, w.CallbackURL+"/authorize?invitation=") {
		t.Fatal("the event has no link")
	}
	delete(detail, "link")
	want := map[string]any{"connection": name, "status": "reauthorize", "error": "ReauthorizationRequired", "refresh_expires_at": nil}
	if diff := cmp.Diff(want, detail); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, text, _ := strings.Cut(link, "invitation=")
	wantAbout(t, "the link's end", time.Unix(number(w.item(t, "invitation#"+hashOf(text))["ttl"]), 0), time.Now().Add(7*24*time.Hour))

	w.ask(t, name) // said once
	b := w.browser(t)
	b.get(t, b.login(t, s, link, "ann")).want(t, http.StatusSeeOther)
	detail = w.wantEvents(t, name, "ReauthorizationRequired", "Recovered")
	if detail["status"] != "ok" || detail["error"] != nil || detail["link"] != nil {
		t.Errorf("got %v", detail["status"])
	}
	text, _ = detail["refresh_expires_at"].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	wantAbout(t, "refresh_expires_at", at, time.Now().Add(28*24*time.Hour))

	// Less than a quarter of its life is left.
	w.age(t, name, 23*24*time.Hour)
	w.rotate(t, fields{"connection": name, "force": true})
	detail = w.wantEvents(t, name, "ReauthorizationRequired", "Recovered", "ReauthorizationSoon")
	if detail["link"] == nil || detail["status"] != "ok" {
		t.Errorf("ReauthorizationSoon: status %v, a link: %v", detail["status"], detail["link"] != nil)
	}
	w.Host.Recycle("issue")
	a := w.ask(t, name)
	wantToken(t, a)
	if diff := cmp.Diff([]any{"refresh_token_ends_soon"}, a.Body["warnings"]); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// age makes the login behind a grant older than it is.
func (w *world) age(t *testing.T, name string, by time.Duration) {
	t.Helper()
	id := aws.String(w.Secrets.Prefix + "/grants/" + name)
	out, err := w.SecretsManager.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id})
	if err != nil {
		t.Fatal(err)
	}
	var held map[string]any
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &held); err != nil {
		t.Fatal(err)
	}
	epoch, _ := held["epoch"].(float64)
	held["epoch"], held["logged_in_at"] = epoch+1, time.Now().Add(-by).UTC().Format(time.RFC3339)
	text, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.SecretsManager.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: aws.String(string(text))})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEventsForAnOperator(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.password("ann").with(fields{"password": w.canary("wrong password")}))
	force := fields{"connection": name, "force": true}
	w.rotate(t, force)
	if got := w.published.of(name); len(got) != 0 {
		t.Errorf("the first refusal is told: %d events", len(got))
	}
	w.rotate(t, force)
	detail := w.wantEvents(t, name, "CredentialsRejected")
	want := map[string]any{
		"connection": name, "status": "credentials_rejected", "error": "CredentialsRejected", "refresh_expires_at": nil, "link": nil,
	}
	if diff := cmp.Diff(want, detail); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.write(t, name, s.password("ann"))
	w.rotate(t, force)
	w.wantEvents(t, name, "CredentialsRejected", "Recovered")
}

// Three connections of one server are refused with no success between them, whose
// credentials it has accepted before: the server is the cause, and no other connection's
// login is risked.
func TestAServerThatRefusesEveryone(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	var names []string
	for range 4 {
		names = append(names, w.add(t, s.clientCredentials()))
	}
	for _, name := range names { // what was never accepted says nothing about the server
		wantRotated(t, w.rotate(t, fields{"connection": name}), "renewed", nil)
	}
	s.Outage(out(reltioauthtest.FaultInvalidClient))
	began := time.Now()
	for _, name := range names[:3] {
		w.rotate(t, fields{"connection": name, "force": true})
	}
	if detail := w.wantEvents(t, names[2], "ServerRefusing"); detail["connection"] != names[2] || detail["link"] != nil {
		t.Errorf("detail %v", detail)
	}
	// The fourth is renewed as usual, until it is refused itself. Of those held back one is
	// the probe of this minute.
	for want := 4; want <= 5; want++ {
		if got := w.rotate(t, fields{"connection": names[3], "force": true}); got.text("outcome") == "renewed" || got.FunctionError != "" {
			t.Errorf("got %v", got)
		}
		if got := s.TokenRequests(began, time.Time{}); got != want {
			t.Errorf("%d token requests, want %d", got, want)
		}
	}
	for _, name := range names {
		got := w.rotate(t, fields{"connection": name, "force": true})
		if problem, _ := got.Body["error"].(map[string]any); got.text("outcome") != "left_over" || problem["type"] != "RateLimited" {
			t.Errorf("one that is held back: %v", got)
		}
	}
	if got := s.TokenRequests(began, time.Time{}); got != 5 {
		t.Errorf("%d token requests, want 5", got)
	}
	if got := str(w.item(t, "grant#"+names[3])["status"]); got == "credentials_rejected" {
		t.Error("the probe's refusal set a status")
	}
}
