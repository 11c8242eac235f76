package issue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// While the table cannot be read, a token that the execution environment has read
// before is handed out until its end, to whom may have it and did not report it.
func TestTheTableCannotBeRead(t *testing.T) {
	const another = "sha256:00000000000000000000000000000000"
	current := func(w *world) string { return reltioauth.Fingerprint(w.grant().AccessToken) }
	inactive := func(g *grant.Grant) { // and cannot be replaced yet
		g.CheckVerdict, g.Status, g.Failures, g.LastError = grant.Inactive, grant.StatusFailing, 1, apierr.ReltioUnavailable
		g.RetryAt = time.Now().Add(10 * time.Minute)
	}
	for name, c := range map[string]struct {
		change  func(*grant.Grant)
		cold    bool
		after   time.Duration // the read before
		request func(w *world) issue.Request
		want    apierr.Type // "": a token
	}{
		"a moment later":                {after: 31 * time.Second},
		"most of an hour later":         {after: 59 * time.Minute},
		"after its end":                 {after: 61 * time.Minute, want: apierr.StoreUnavailable},
		"nothing was read before":       {cold: true, after: time.Minute, want: apierr.StoreUnavailable},
		"it is reported":                {after: time.Minute, request: func(w *world) issue.Request { return issue.Request{RejectedFingerprint: current(w)} }, want: apierr.StoreUnavailable},
		"another one is reported":       {after: time.Minute, request: func(*world) issue.Request { return issue.Request{RejectedFingerprint: another} }},
		"more life is needed":           {after: 40 * time.Minute, request: func(*world) issue.Request { return issue.Request{MinTTL: time.Hour} }},
		"another alias may have it":     {change: func(g *grant.Grant) { g.Aliases = []string{"team-a"} }, after: time.Minute, want: apierr.AccessDenied},
		"it was found inactive":         {change: inactive, after: time.Minute, want: apierr.StoreUnavailable},
		"an operator paused it":         {change: func(g *grant.Grant) { g.Status = grant.StatusPaused }, after: time.Minute},
		"its renewal failed until then": {change: func(g *grant.Grant) { g.Status, g.Failures = grant.StatusFailing, 1 }, after: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.must(issue.Request{})
				if c.change != nil {
					w.alter(c.change)
				}
				v := w.issuer()
				if !c.cold {
					_, _ = w.issue(v, issue.Request{}) // some of these are refused, and remembered all the same
				}
				time.Sleep(c.after)
				w.store.readFault = func(grant.Consistency) error {
					return apierr.New(apierr.StoreUnavailable, "DynamoDB: InternalServerError")
				}
				r := issue.Request{}
				if c.request != nil {
					r = c.request(w)
				}
				a, err := w.issue(v, r)
				if c.want != "" {
					if err == nil || apierr.Of(err).Type != c.want {
						t.Fatalf("%v, want %s", err, c.want)
					}
					return
				}
				if err != nil || a.Fingerprint != current(w) || a.Warnings[len(a.Warnings)-1] != issueapi.StoreFailing {
					t.Fatalf("%v, %v, want the token with %s", a.Warnings, err, issueapi.StoreFailing)
				}
				if a.MinTTLMet != (r.MinTTL <= a.ExpiresIn) {
					t.Errorf("min_ttl_met %t", a.MinTTLMet)
				}
				w.store.readFault = nil
				if a, err = w.issue(v, issue.Request{}); err != nil || len(a.Warnings) > 0 && a.Warnings[len(a.Warnings)-1] == issueapi.StoreFailing {
					t.Errorf("after the outage: %v, %v", a.Warnings, err)
				}
			})
		})
	}
}

// A read that hangs costs a caller for whom the memory has a token seconds, not its
// timeout.
func TestAReadThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		v := w.issuer()
		if _, err := w.issue(v, issue.Request{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.store.hang = true
		start := time.Now()
		a, err := w.issue(v, issue.Request{})
		if took := time.Since(start); err != nil || took > 3*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		wantWarnings(t, a, issueapi.StoreFailing)
	})
}
