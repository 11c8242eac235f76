package operator_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// check is acme's secret, as an operator sees it.
func (w *world) check() operator.Checked {
	w.t.Helper()
	c, err := w.operator.Check(w.t.Context(), "acme")
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// What the server refuses is shown with its reason by status and check, until
// another secret is written or it succeeds.
func TestWhyTheServerRefused(t *testing.T) {
	for name, test := range map[string]struct {
		secret map[string]any
		before func(w *world)
		want   operator.Reason
	}{
		"wrong password":      {wrongPassword(), func(*world) {}, operator.ReasonPassword},
		"wrong client secret": {with(clientCredentials(), "client_secret", "wrong"), func(*world) {}, operator.ReasonClient},
		"unknown client":      {with(clientCredentials(), "client_id", "nobody"), func(*world) {}, operator.ReasonClient},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", test.secret)
				test.before(w)
				w.rotate(false)
				time.Sleep(time.Hour)
				w.rotate(true)
				s, c := w.state("acme"), w.check()
				if s.Refusal == nil || s.Refusal.Reason != test.want || s.Refusal.Status == 0 || s.Refusal.Do != test.want.Do("acme") {
					t.Errorf("status: %+v, want %s", s.Refusal, test.want)
				}
				if c.OK || c.Server == nil || c.Server.Reason != test.want || len(c.Problems) != 0 {
					t.Errorf("check: %+v, server %+v; want %s", c, c.Server, test.want)
				}
				w.connect("acme", with(test.secret, "scope", "another"))
				if c := w.check(); !c.OK || c.Server != nil {
					t.Errorf("another secret: %+v; nothing is known of it", c)
				}
				w.connect("acme", password())
				w.rotate(true)
				if s, c := w.state("acme"), w.check(); s.Refusal != nil || !c.OK {
					t.Errorf("after a success: %+v, %+v", s.Refusal, c)
				}
			})
		})
	}
}

// Of what is stored of a grant status and check make the same reason, and check
// never says ok to what does not pass by itself.
func TestRefusalsAsStored(t *testing.T) {
	for name, test := range map[string]struct {
		grant grant.Grant
		want  operator.Reason
		ok    bool
	}{
		"healthy": {grant.Grant{Status: grant.StatusOK}, operator.ReasonNone, true},
		"scope": {
			grant.Grant{Status: grant.StatusInvalidConnection, LastError: apierr.InvalidConnection, LastErrorMessage: "server: invalid_scope", Refusal: grant.Refusal{Code: "invalid_scope", Status: 400}},
			operator.ReasonScope, false,
		},
		"an older release's": {
			grant.Grant{Status: grant.StatusInvalidConnection, LastError: apierr.InvalidConnection, LastErrorMessage: "server: invalid_scope"},
			operator.ReasonNone, false,
		},
		"locked": {
			grant.Grant{Status: grant.StatusCredentialsRejected, Refusal: grant.Refusal{Code: "invalid_grant", Status: 400, Description: "User account is locked"}},
			operator.ReasonUserLocked, false,
		},
		"second factor": {grant.Grant{Status: grant.StatusMFARequired}, operator.ReasonSecondFactor, false},
		"the server's store is down": {
			grant.Grant{Status: grant.StatusFailing, Refusal: grant.Refusal{Code: "unauthorized", Status: 401, Description: "user store is down"}},
			operator.ReasonServerTrouble, true,
		},
		"a web page": {grant.Grant{Status: grant.StatusFailing, Refusal: grant.Refusal{Status: 200}}, operator.ReasonAuthURL, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", password())
				source, err := w.secrets.Connection(t.Context(), "acme")
				if err != nil {
					t.Fatal(err)
				}
				g := test.grant
				g.Connection, g.ConnectionVersion = "acme", source.Version
				w.put(g)
				s, c := w.state("acme"), w.check()
				if got := reasonOf(s.Refusal); got != test.want {
					t.Errorf("status: %q, want %q", got, test.want)
				}
				if c.OK != test.ok || (c.Server == nil) != test.ok {
					t.Errorf("check: ok %v, %+v", c.OK, c.Server)
				}
			})
		})
	}
}

func reasonOf(r *operator.Refused) operator.Reason {
	if r == nil {
		return operator.ReasonNone
	}
	return r.Reason
}

func TestRefusedInOneLine(t *testing.T) {
	for want, r := range map[string]operator.Refused{
		"the user is locked (invalid_grant, HTTP 400: User account is locked)":                  {Code: "invalid_grant", Status: 400, Description: "User account is locked", Reason: operator.ReasonUserLocked},
		"it does not know the client, or the client secret is wrong (no OAuth error, HTTP 401)": {Status: 401, Reason: operator.ReasonClient},
		"the user needs a second factor":                                                        {Reason: operator.ReasonSecondFactor},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A connection fails from the moment at which its token was due; one that never
// had a token fails for long at once.
func TestFailingForLong(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of a bubble
	token := grant.Grant{
		Connection: "acme", AccessToken: reltioauth.NewSecret("a"), Fingerprint: "f", IssuedAt: start.Add(-time.Hour), ExpiresAt: start,
		LoginMode: grant.AtEnd, EarlyAskedAt: start,
	}
	as := func(g grant.Grant, s grant.Status) grant.Grant { g.Connection, g.Status = "acme", s; return g }
	for name, test := range map[string]struct {
		grant grant.Grant
		after time.Duration
		want  bool
	}{
		"a minute":             {as(token, grant.StatusFailing), time.Minute, false},
		"almost 15 minutes":    {as(token, grant.StatusFailing), 15 * time.Minute, false}, // due 1 s after its end
		"15 minutes":           {as(token, grant.StatusFailing), 15*time.Minute + time.Second, true},
		"the cap for an hour":  {as(token, grant.StatusTokenLimit), time.Hour, true},
		"healthy":              {as(token, grant.StatusOK), time.Hour, false},
		"paused":               {as(token, grant.StatusPaused), time.Hour, false},
		"never had a token":    {as(grant.Grant{}, grant.StatusFailing), 0, true},
		"found dead just now":  {as(token, grant.StatusFailing).CheckedAs(grant.Inactive, start), time.Minute, false},
		"found dead long ago":  {as(token, grant.StatusFailing).CheckedAs(grant.Inactive, start), 16 * time.Minute, true},
		"waiting says it else": {as(token, grant.StatusCredentialsRejected), time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", clientCredentials())
				w.put(test.grant)
				time.Sleep(test.after)
				report, err := w.operator.Status(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got := report.FailingForLong(); got != test.want {
					t.Errorf("%v since %v, want %v", got, report.Connections[0].FailingSince, test.want)
				}
			})
		})
	}
}

// Each refresh of a server that gives a new refresh token writes a version.
func TestSecretVersionsADay(t *testing.T) {
	for name, test := range map[string]struct {
		life    time.Duration
		mode    grant.Mode
		rotates bool
		want    int
	}{
		"an hour":                      {time.Hour, grant.AtEnd, true, 23},
		"15 minutes":                   {15 * time.Minute, grant.AtEnd, true, 95},
		"14 minutes":                   {14 * time.Minute, grant.AtEnd, true, 102},
		"10 minutes":                   {10 * time.Minute, grant.AtEnd, true, 143},
		"18 minutes, renewed early":    {18 * time.Minute, grant.Overlap, true, 105},
		"the same refresh token again": {10 * time.Minute, grant.AtEnd, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				now := time.Now()
				w.connect("acme", password())
				w.put(grant.Grant{
					Connection: "acme", Status: grant.StatusOK, AccessToken: reltioauth.NewSecret("a"), Fingerprint: "f",
					IssuedAt: now, ExpiresAt: now.Add(test.life), RefreshMode: test.mode, RefreshFingerprint: "r", Rotates: test.rotates,
					LoggedInAt: now, RefreshExpiresAt: now.Add(28 * 24 * time.Hour),
				})
				if got := w.state("acme").SecretVersionsADay; got < test.want-3 || got > test.want+3 || (test.want == 0) != (got == 0) {
					t.Errorf("%d versions a day, want about %d", got, test.want)
				}
			})
		})
	}
}
