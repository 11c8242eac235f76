package issue_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		time.Sleep(300 * time.Millisecond)
		sent := time.Now()
		a := w.must(issue.Request{})
		const life = time.Hour - time.Second // the server never says the whole hour
		end := sent.Add(life).Truncate(time.Second)
		if a.Connection != acme || a.TokenType != "bearer" || a.Scope != "read" || a.Version != 1 ||
			!a.ExpiresAt.Equal(end) || a.ExpiresAt.Location() != time.UTC || a.ExpiresIn != life || !a.MinTTLMet {
			t.Errorf("answer %+v", a)
		}
		wantWarnings(t, a)
		time.Sleep(100 * time.Millisecond)
		if a = w.must(issue.Request{}); a.ExpiresIn != life-time.Second {
			t.Errorf("expires_in %v, want it rounded down", a.ExpiresIn)
		}
		if !w.server.Valid(a.AccessToken) {
			t.Error("it is not Reltio's token")
		}
	})
}

func TestWhatReltioDidNotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.behave(func(b *reltioauthtest.Behaviour) { b.OmitScope, b.OmitTokenType, b.OmitExpiresIn = true, true, true })
		a := w.must(issue.Request{})
		if a.Scope != "" || a.TokenType != "bearer" || a.ExpiresIn != 5*time.Minute {
			t.Errorf("scope %q, type %q, %v left, want none, bearer, 5 min", a.Scope, a.TokenType, a.ExpiresIn)
		}
		wantWarnings(t, a, issueapi.ExpiresInMissing)
	})
}

func TestAliases(t *testing.T) {
	tests := map[string]struct {
		aliases []string
		alias   string
		allowed bool
	}{
		"none named, none invoked": {nil, "", true},
		"none named, one invoked":  {nil, "team-a", true},
		"the named one":            {[]string{"team-a", "team-b"}, "team-b", true},
		"another one":              {[]string{"team-a"}, "team-b", false},
		"no qualifier":             {[]string{"team-a"}, "", false},
		"the unpublished version":  {[]string{"team-a"}, "$LATEST", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "")
				f := fields("client_credentials")
				if test.aliases != nil {
					f["aliases"] = test.aliases
				}
				w.connect(f)
				for range 2 { // the first call makes the grant
					if test.allowed {
						w.must(issue.Request{Alias: test.alias})
						continue
					}
					w.refused(issue.Request{Alias: test.alias}, apierr.AccessDenied)
				}
				w.wantRequests(1)
				w.down()
				time.Sleep(2 * time.Hour)
				if !test.allowed { // nor does it learn how Reltio is
					w.refused(issue.Request{Alias: test.alias}, apierr.AccessDenied)
				}
				w.wantRequests(1)
			})
		})
	}
}

func TestAnUnknownConnectionIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		message := w.refused(issue.Request{}, apierr.UnknownConnection)
		if message == "" {
			t.Error("the error says nothing")
		}
		w.connect(fields("client_credentials"))
		time.Sleep(59 * time.Second)
		w.refused(issue.Request{}, apierr.UnknownConnection)
		if n := w.rotate.invoked(); n != 1 {
			t.Errorf("%d invocations within a minute, want 1", n)
		}
		time.Sleep(time.Second)
		w.must(issue.Request{})
	})
}

func TestStoredErrorsWithoutAToken(t *testing.T) {
	tests := map[grant.Status]apierr.Type{
		grant.StatusInvalidConnection:   apierr.InvalidConnection,
		grant.StatusCredentialsRejected: apierr.CredentialsRejected,
		grant.StatusMFARequired:         apierr.MFARequired,
		grant.StatusReauthorize:         apierr.ReauthorizationRequired,
		grant.StatusTokenLimit:          apierr.TokenLimitReached,
		grant.StatusFailing:             apierr.ReltioUnavailable,
		grant.StatusPaused:              apierr.ConnectionPaused,
		grant.StatusUnknown:             apierr.UnknownConnection,
	}
	for status, want := range tests {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.blank()
				w.alter(func(g *grant.Grant) {
					*g = g.Failed(status, apierr.New(want, "what is stored"), time.Now(), 0, 0)
				})
				start := time.Now()
				w.refused(issue.Request{}, want)
				if time.Since(start) != 0 || w.rotate.invoked() != 0 {
					t.Error("want the answer at once")
				}
			})
		})
	}
}

func TestAPausedConnectionWithoutAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.must(issue.Request{})
		w.alter(func(g *grant.Grant) { g.Status = grant.StatusPaused })
		time.Sleep(2 * time.Hour)
		start := time.Now()
		w.refused(issue.Request{}, apierr.ConnectionPaused)
		if time.Since(start) != 0 || w.rotate.invoked() != 1 {
			t.Error("want the answer at once")
		}
		w.alter(func(g *grant.Grant) { g.Status = grant.StatusOK })
		w.must(issue.Request{})
	})
}

func TestAValidTokenIsTheAnswerWhateverTheStatus(t *testing.T) {
	tests := map[grant.Status][]issueapi.Warning{
		grant.StatusOK:                  {},
		grant.StatusPaused:              {},
		grant.StatusFailing:             {issueapi.RenewalFailing},
		grant.StatusInvalidConnection:   {issueapi.RenewalFailing},
		grant.StatusCredentialsRejected: {issueapi.RenewalFailing},
		grant.StatusMFARequired:         {issueapi.RenewalFailing},
		grant.StatusReauthorize:         {issueapi.RenewalFailing},
		grant.StatusTokenLimit:          {issueapi.RenewalFailing},
	}
	for status, want := range tests {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.must(issue.Request{})
				w.alter(func(g *grant.Grant) { g.Status, g.RetryAt = status, time.Now().Add(5*time.Minute) })
				for _, r := range []issue.Request{{}, {MinTTL: 24 * time.Hour}, {RejectedFingerprint: other}} {
					wantWarnings(t, w.must(r), want...)
				}
				w.wantRequests(1)
			})
		})
	}
}

func TestARefreshTokenNearItsEndIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "password")
		w.must(issue.Request{})
		now := time.Now()
		w.alter(func(g *grant.Grant) {
			g.LoggedInAt, g.RefreshExpiresAt = now.Add(-26*24*time.Hour), now.Add(2*24*time.Hour)
			g.Status, g.ExpiresInMissing = grant.StatusReauthorize, true
			g.CheckedAt, g.CheckVerdict, g.RetryAt = now, grant.Active, now.Add(time.Minute)
			g.TriedAt = time.Time{}
		})
		a := w.must(issue.Request{RejectedFingerprint: w.grant().Fingerprint})
		wantWarnings(t, a, issueapi.ExpiresInMissing, issueapi.RefreshTokenEndsSoon, issueapi.RejectedTokenIsAlive, issueapi.RenewalFailing)
		if !slices.IsSorted(a.Warnings) {
			t.Errorf("warnings %v are not sorted", a.Warnings)
		}
	})
}

func TestAValidTokenHidesEveryFailure(t *testing.T) {
	down := apierr.New(apierr.StoreUnavailable, "rotate: it cannot be invoked")
	limited := apierr.New(apierr.RateLimited, "retry after 1 s")
	tests := map[string]func(w *world){
		"rotate down":      func(w *world) { w.rotate.refuse = func(rotateapi.Request) error { return down } },
		"rotate throttled": func(w *world) { w.rotate.refuse = func(rotateapi.Request) error { return limited } },
		"Reltio down":      func(w *world) { w.down() },
		"leases failing":   func(w *world) { w.store.leaseFault = func() error { return down } },
		"strong reads failing": func(w *world) {
			w.store.readFault = func(c grant.Consistency) error {
				if c == grant.Strong {
					return down
				}
				return nil
			}
		},
		"every read after the first failing": func(w *world) {
			n := 0
			w.store.readFault = func(grant.Consistency) error {
				n++
				if n > 1 {
					return down
				}
				return nil
			}
		},
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := overlapping(t)
				fail(w)
				a := w.must(issue.Request{MinTTL: 40 * time.Minute})
				if a.Version != 1 || a.MinTTLMet {
					t.Errorf("version %d, want the current token", a.Version)
				}
				wantWarnings(t, a, issueapi.RenewalFailing)
			})
		})
	}
}

func TestReltioDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		end := w.must(issue.Request{}).ExpiresAt
		w.down()
		for time.Until(end) >= time.Second {
			if a := w.must(issue.Request{}); a.Version != 1 {
				t.Fatalf("version %d, want the valid token", a.Version)
			}
			w.rotate.deliver(t.Context())
			time.Sleep(min(time.Minute, max(time.Until(end)-time.Second, time.Millisecond)))
		}
		for range 10 {
			w.refused(issue.Request{}, apierr.ReltioUnavailable)
			time.Sleep(30 * time.Second)
		}
		w.up()
		time.Sleep(5 * time.Minute) // the longest back-off
		if a := w.must(issue.Request{}); a.Version != 2 {
			t.Errorf("version %d, want a new token", a.Version)
		}
		wantWarnings(t, w.must(issue.Request{}))
	})
}

func TestAnErrorOfTheFirstRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.must(issue.Request{})
		w.store.readFault = func(grant.Consistency) error { return apierr.New(apierr.StoreUnavailable, "the table: out of order") }
		w.refused(issue.Request{}, apierr.StoreUnavailable)
	})
}
