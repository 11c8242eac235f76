package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestAReportedToken(t *testing.T) {
	t.Parallel()
	w := start(t)
	for state, test := range map[string]struct {
		prepare  func(s *server, fingerprint string)
		other    bool // another fingerprint is reported
		outcome  string
		version  float64
		warnings []any
		checks   int
		requests int // to the token endpoint, the first one included
	}{
		"it is not the current one": {
			prepare: func(s *server, f string) { s.Kill(f) }, other: true,
			outcome: "cached", version: 1, warnings: []any{}, requests: 1,
		},
		"it is alive": {
			prepare: func(*server, string) {},
			outcome: "cached", version: 1, warnings: []any{"rejected_token_is_alive"}, checks: 1, requests: 1,
		},
		"it is dead": {
			prepare: func(s *server, f string) { s.Kill(f) },
			outcome: "renewed", version: 2, warnings: []any{}, checks: 1, requests: 2,
		},
		"it is dead and comes again until it is revoked": {
			prepare: func(s *server, f string) {
				s.Configure(func(c *reltioauthtest.Config) {
					c.Behaviour.KilledTokens = reltioauthtest.KilledUntilRevoked
				})
				s.Kill(f)
			},
			outcome: "renewed", version: 2, warnings: []any{}, checks: 1, requests: 3,
		},
		"it is dead and comes again": {
			prepare: func(s *server, f string) {
				s.Configure(func(c *reltioauthtest.Config) {
					c.Behaviour.KilledTokens = reltioauthtest.KilledUntilEnd
				})
				s.Kill(f)
			},
			outcome: "renewed", version: 1, warnings: []any{"rejected_token_reissued"}, checks: 1, requests: 3,
		},
		"nobody may check, and it is alive": {
			prepare: func(s *server, _ string) { s.Configure(denied) },
			outcome: "renewed", version: 1, warnings: []any{"rejected_token_is_alive"}, checks: 1, requests: 2,
		},
		"nobody may check, and it is dead": {
			prepare: func(s *server, f string) { s.Configure(denied); s.Kill(f) },
			outcome: "renewed", version: 2, warnings: []any{}, checks: 1, requests: 2,
		},
		"the server has an error": {
			prepare: func(s *server, _ string) {
				s.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
			},
			outcome: "cached", version: 1, warnings: []any{"renewal_failing"}, checks: 1, requests: 2,
		},
		"the server is not heard": {
			prepare: func(s *server, _ string) {
				s.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}})
			},
			outcome: "cached", version: 1, warnings: []any{"renewal_failing"}, checks: 1, requests: 1,
		},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := w.server(t)
			name := w.add(t, s.clientCredentials())
			first := w.ask(t, name)
			wantToken(t, first)
			test.prepare(s, first.text("fingerprint"))
			report := reporting(first)
			if test.other {
				report = fields{"rejected_fingerprint": "sha256:" + strings.Repeat("0", 32)}
			}
			a := w.ask(t, name, report)
			wantToken(t, a)
			if a.text("outcome") != test.outcome || a.Body["version"] != test.version {
				t.Errorf("got %v, want %s, version %v", a, test.outcome, test.version)
			}
			if diff := cmp.Diff(test.warnings, a.Body["warnings"]); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if got := s.count(reltioauthtest.OpCheckToken); got != test.checks {
				t.Errorf("%d checks, want %d", got, test.checks)
			}
			if got := s.TokenRequests(time.Time{}, time.Time{}); got != test.requests {
				t.Errorf("%d token requests, want %d", got, test.requests)
			}
		})
	}
}

// denied lets no client check a token.
func denied(c *reltioauthtest.Config) { c.Behaviour.CheckDenied = true }

// A token that the server calls invalid is handed out to no caller, though it
// cannot be replaced.
func TestAnInactiveTokenIsNotHandedOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.clientCredentials())
	first := w.ask(t, name)
	wantToken(t, first)
	s.Kill(first.text("fingerprint"))
	s.Outage(reltioauthtest.Outage{
		Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient}, Ops: []reltioauthtest.Op{reltioauthtest.OpToken},
	})
	wantError(t, w.ask(t, name, reporting(first)), "CredentialsRejected")
	w.Host.Recycle("issue")
	wantError(t, w.ask(t, name), "CredentialsRejected")
	wantError(t, w.ask(t, name, reporting(first)), "CredentialsRejected")
	if got := str(w.item(t, "grant#"+name)["check_verdict"]); got != "dead" {
		t.Errorf("check_verdict %q", got)
	}
	if got := s.count(reltioauthtest.OpRevoke); got != 0 {
		t.Errorf("%d revocations, want none", got)
	}
}

// count is how many requests there were for an operation.
func (s *server) count(op reltioauthtest.Op) int {
	return len(slices.DeleteFunc(s.Requests(), func(r reltioauthtest.Request) bool { return r.Op != op }))
}
