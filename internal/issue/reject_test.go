package issue_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// other is the fingerprint of no token.
const other = "sha256:00000000000000000000000000000000"

func TestAReportOfAnotherTokenGetsTheCurrentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		want := w.must(issue.Request{})
		a := w.must(issue.Request{RejectedFingerprint: other})
		if a.Fingerprint != want.Fingerprint || a.Outcome != issueapi.Cached {
			t.Errorf("answer %s, %s, want the current token, cached", a.Fingerprint, a.Outcome)
		}
		wantWarnings(t, a)
		if w.checks() != 0 {
			t.Error("Reltio was asked about it")
		}
		w.wantRequests(1)
	})
}

func TestAReportSkipsMemoryAndReadsStrongly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		v := w.issuer()
		if _, err := w.issue(v, issue.Request{}); err != nil {
			t.Fatal(err)
		}
		strong := w.store.strongReads()
		// Another instance has the token replaced; this one remembers the old.
		w.server.Kill(w.grant().Fingerprint)
		old := w.grant().Fingerprint
		w.must(issue.Request{RejectedFingerprint: old})
		w.store.behind = func() time.Duration { return time.Hour } // all but strong reads see nothing
		between := w.store.strongReads()
		a, err := w.issue(v, issue.Request{RejectedFingerprint: old})
		if err != nil || a.Fingerprint == old || a.Outcome != issueapi.Cached {
			t.Errorf("%v, %v; want the new token, cached", a, err)
		}
		if w.store.strongReads() != between+1 || between == strong {
			t.Error("the read was not strong")
		}
		// The instance remembers the new one from then on.
		if a, err = w.issue(v, issue.Request{}); err != nil || a.Fingerprint == old {
			t.Errorf("%v, %v; want the new token from memory", a, err)
		}
		w.wantRequests(2)
	})
}

func TestAReportedTokenThatIsActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		current := w.must(issue.Request{}).Fingerprint
		for range 3 { // within half a minute
			a := w.must(issue.Request{RejectedFingerprint: current})
			if a.Fingerprint != current || a.Outcome != issueapi.Cached {
				t.Errorf("answer %s, %s, want the same token, cached", a.Fingerprint, a.Outcome)
			}
			wantWarnings(t, a, issueapi.RejectedTokenIsAlive)
			time.Sleep(9 * time.Second)
		}
		wantWarnings(t, w.must(issue.Request{}))
		wantWarnings(t, w.must(issue.Request{RejectedFingerprint: other}))
		if n := w.checks(); n != 1 {
			t.Errorf("%d checks, want 1", n)
		}
		time.Sleep(4 * time.Second)
		w.must(issue.Request{RejectedFingerprint: current})
		if n := w.checks(); n != 2 {
			t.Errorf("%d checks after half a minute, want 2", n)
		}
		w.wantRequests(1)
	})
}

func TestAReportedTokenThatIsInactiveIsReplaced(t *testing.T) {
	for _, grantType := range []string{"client_credentials", "password"} {
		t.Run(grantType, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, grantType)
				inactive := w.must(issue.Request{}).Fingerprint
				before := w.grant()
				w.server.Kill(inactive)
				a := w.must(issue.Request{RejectedFingerprint: inactive})
				if a.Fingerprint == inactive || a.Outcome != issueapi.Renewed || a.Version != 2 {
					t.Errorf("answer %s, %s, version %d, want a new token", a.Fingerprint, a.Outcome, a.Version)
				}
				wantWarnings(t, a)
				w.wantRequests(2)
				after := w.grant()
				if after.RefreshMode != before.RefreshMode || after.LoginMode != before.LoginMode || !after.EarlyAskedAt.Equal(before.EarlyAskedAt) {
					t.Errorf("modes %q and %q were learned of an inactive token", after.RefreshMode, after.LoginMode)
				}
			})
		})
	}
}

func TestAInactiveTokenThatIsReissued(t *testing.T) {
	tests := map[string]struct {
		killed   reltioauthtest.KilledTokens
		replaced bool
	}{
		"until it is revoked": {reltioauthtest.KilledUntilRevoked, true},
		"until its end":       {reltioauthtest.KilledUntilEnd, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.behave(func(b *reltioauthtest.Behaviour) { b.KilledTokens = test.killed })
				inactive := w.must(issue.Request{}).Fingerprint
				w.server.Kill(inactive)
				a := w.must(issue.Request{RejectedFingerprint: inactive})
				if test.replaced {
					if a.Fingerprint == inactive {
						t.Error("want a new token")
					}
					wantWarnings(t, a)
					return
				}
				wantWarnings(t, a, issueapi.RejectedTokenReissued)
				if a.Outcome != issueapi.Renewed || a.Version != 1 {
					t.Errorf("%s, version %d, want the first token, asked for again", a.Outcome, a.Version)
				}
				requests, checks := w.requests(), w.checks()
				for range 4 {
					time.Sleep(time.Minute)
					a = w.must(issue.Request{RejectedFingerprint: inactive})
					wantWarnings(t, a, issueapi.RejectedTokenReissued)
					if a.Outcome != issueapi.Cached {
						t.Errorf("outcome %s, want cached: nothing was asked", a.Outcome)
					}
				}
				if w.requests() != requests || w.checks() != checks {
					t.Error("Reltio was asked again within five minutes")
				}
				time.Sleep(time.Minute)
				w.must(issue.Request{RejectedFingerprint: inactive})
				if w.checks() == checks {
					t.Error("it is not checked again after five minutes")
				}
			})
		})
	}
}

func TestAReportedTokenThatCannotBeCheckedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		current := w.must(issue.Request{}).Fingerprint
		w.server.Outage(reltioauthtest.Outage{
			Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}, Ops: []reltioauthtest.Op{reltioauthtest.OpCheckToken},
		})
		for range 5 {
			a := w.must(issue.Request{RejectedFingerprint: current})
			if a.Fingerprint != current {
				t.Error("another token, want the current one")
			}
			wantWarnings(t, a, issueapi.RenewalFailing)
			time.Sleep(4 * time.Second)
		}
		if n := w.checks(); n != 1 {
			t.Errorf("%d checks in half a minute, want 1", n)
		}
		w.wantRequests(1)
	})
}

// Nothing was sent and nothing has failed, but the reporter has its token back.
func TestAReportWhileTheHostIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		current := w.must(issue.Request{}).Fingerprint
		if _, err := w.store.Throttled(t.Context(), host, ratelimit.Throttle{
			Client: "another", Now: time.Now(), RetryAfter: time.Minute,
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second is answered at once, by retry_at
			a := w.must(issue.Request{RejectedFingerprint: current})
			if a.Fingerprint != current || a.Outcome != issueapi.Cached {
				t.Errorf("answer %s, %s, want the current token, cached", a.Fingerprint, a.Outcome)
			}
			wantWarnings(t, a, issueapi.RenewalFailing)
		}
		wantWarnings(t, w.must(issue.Request{}))
		if w.checks() != 0 {
			t.Error("Reltio was asked though its host is paused")
		}
		time.Sleep(time.Minute)
		wantWarnings(t, w.must(issue.Request{RejectedFingerprint: current}), issueapi.RejectedTokenIsAlive)
	})
}

func TestAThousandReportersCauseOneCheck(t *testing.T) {
	tests := map[string]struct {
		kill     bool
		killed   reltioauthtest.KilledTokens
		denied   bool // checks are denied
		requests int
	}{
		"of a token that is active":               {false, reltioauthtest.KilledAreReplaced, false, 1},
		"of a token that is inactive":             {true, reltioauthtest.KilledAreReplaced, false, 2},
		"of an inactive one that comes again":     {true, reltioauthtest.KilledUntilRevoked, false, 3},
		"of an active token, checks are denied":   {false, reltioauthtest.KilledAreReplaced, true, 2},
		"of an inactive token, checks are denied": {true, reltioauthtest.KilledAreReplaced, true, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.behave(func(b *reltioauthtest.Behaviour) { b.KilledTokens, b.CheckDenied = test.killed, test.denied })
				slowly(w)
				reported := w.must(issue.Request{}).Fingerprint
				if test.kill {
					w.server.Kill(reported)
				}
				tokens, errs := fleet(w, 100, 1000, issue.Request{RejectedFingerprint: reported})
				if len(errs) > 0 || tokens[w.grant().Fingerprint] != 1000 {
					t.Errorf("tokens %v, errors %v, want 1000 of the current token", tokens, errs)
				}
				if same := w.grant().Fingerprint == reported; same == test.kill {
					t.Errorf("the current token is the reported one: %t", same)
				}
				if n := w.checks(); n != 1 {
					t.Errorf("%d checks, want 1", n)
				}
				w.wantRequests(test.requests)
			})
		})
	}
}

func TestOtherReportersWaitForTheCheckAndGetTheCurrentTokenAtTheirDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		current := w.must(issue.Request{}).Fingerprint
		w.hold(time.Minute)
		start := time.Now()
		a := w.must(issue.Request{RejectedFingerprint: current})
		if took := time.Since(start); took < 18*time.Second || took > issue.Timeout {
			t.Errorf("it took %v, want the timeout of a caller", took)
		}
		if a.Fingerprint != current || !slices.Contains(a.Warnings, issueapi.RenewalFailing) {
			t.Errorf("answer %s %v, want the current token with a warning", a.Fingerprint, a.Warnings)
		}
	})
}

func TestAReportOfATokenThatHasEndedIsAnOrdinaryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		ended := w.must(issue.Request{}).Fingerprint
		time.Sleep(2 * time.Hour)
		a := w.must(issue.Request{RejectedFingerprint: ended})
		if a.Fingerprint == ended || w.checks() != 0 {
			t.Errorf("answer %s after %d checks, want a new token and no check", a.Fingerprint, w.checks())
		}
		w.wantRequests(2)
	})
}
