package authcode_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestAPersonConnects(t *testing.T) {
	for name, pkce := range map[string]bool{"with PKCE": true, "without PKCE": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", with(secret(), "pkce", pkce))
				w.server.Configure(func(c *reltioauthtest.Config) { c.Clients[0].RequirePKCE = pkce })
				w.expect(w.journey(w.invite(), "ann"), authcode.Done)
				g, r := w.grant(), w.newestToken()
				if !g.Valid(time.Now()) || g.User != "ann" || g.Status != grant.StatusOK || g.SecretVersion != r.Version {
					t.Errorf("grant %+v does not point at %q", g, r.Version)
				}
				if !w.server.Valid(g.AccessToken) || !w.server.Valid(r.Token) || g.RefreshFingerprint != r.Fingerprint() {
					t.Error("what is stored is not what the server gave")
				}
				if want := g.LoggedInAt.Add(28 * 24 * time.Hour); !g.RefreshExpiresAt.Equal(want) || g.Shard != grant.ShardDue {
					t.Errorf("refresh token until %s, want %s", g.RefreshExpiresAt, want)
				}
				w.wantExchanges(1)
			})
		})
	}
}

func TestTheLeaseIsFreeAfterwards(t *testing.T) {
	bubble(t, func(w *world) {
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		now := time.Now()
		if _, err := w.table.TakeLease(t.Context(), lease.Request{Connection: "acme", Owner: "other", Now: now, Until: now.Add(lease.Term)}); err != nil {
			t.Error(err)
		}
	})
}

func TestPreviewChangesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		link := w.invite()
		for range 3 {
			p, outcome, err := w.flow.Preview(t.Context(), link)
			if outcome != authcode.Done || err != nil || p.Connection != "acme" || p.Host != host || !p.Ends.After(time.Now()) {
				t.Fatalf("preview %+v: %s, %v", p, outcome, err)
			}
		}
		w.expect(w.journey(link, "ann"), authcode.Done)
	})
}

func TestAnInvitationThatIsNoUse(t *testing.T) {
	tests := map[string]func(w *world, link string){
		"used":      func(w *world, link string) { w.expect(w.journey(link, "ann"), authcode.Done) },
		"ended":     func(*world, string) { time.Sleep(authrequest.InvitationFromCommand) },
		"no secret": func(w *world, _ string) { _ = w.secrets.DeleteConnection(w.t.Context(), "acme") },
		"other kind": func(w *world, _ string) {
			w.connect("acme", map[string]any{"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"})
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				link := w.invite()
				spoil(w, link)
				_, previewed, _ := w.flow.Preview(t.Context(), link)
				_, begun, _ := w.flow.Begin(t.Context(), link, redirectURI)
				if previewed != authcode.InvitationGone || begun != authcode.InvitationGone {
					t.Errorf("preview %s, begin %s, want %s", previewed, begun, authcode.InvitationGone)
				}
			})
		})
	}
	t.Run("never made", func(t *testing.T) {
		bubble(t, func(w *world) {
			if _, outcome, _ := w.flow.Preview(t.Context(), authrequest.NewText().Reveal()); outcome != authcode.InvitationGone {
				t.Errorf("outcome %s", outcome)
			}
		})
	})
}

func TestAMalformedConnectionIsBroken(t *testing.T) {
	bubble(t, func(w *world) {
		link := w.invite()
		w.connect("acme", with(secret(), "pkce", "perhaps"))
		if _, outcome, err := w.flow.Begin(t.Context(), link, redirectURI); outcome != authcode.Broken || err == nil {
			t.Errorf("outcome %s, error %v", outcome, err)
		}
	})
}

func TestParallelTabs(t *testing.T) {
	bubble(t, func(w *world) {
		link := w.invite()
		first, second := w.begin(link), w.begin(link)
		w.expect(w.complete(w.login(second, "ann")), authcode.Done)
		w.expect(w.complete(w.login(first, "ann")), authcode.InvitationGone)
		w.wantExchanges(1)
	})
}

func TestAReloadGetsTheSameAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.CodeReusable = true })
		cb := w.login(w.begin(w.invite()), "ann")
		for range 3 {
			w.expect(w.complete(cb), authcode.Done)
		}
		other := cb
		other.Binding = authrequest.NewText()
		w.expect(w.complete(other), authcode.WrongBrowser)
		time.Sleep(authrequest.RequestLife)
		w.expect(w.complete(cb), authcode.RequestGone)
		w.wantExchanges(1)
	})
}

func TestTwoCallbacksAtOnceExchangeOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.CodeReusable = true })
		cb := w.login(w.begin(w.invite()), "ann")
		results := make([]authcode.CallbackResult, 5)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i] = w.complete(cb) })
		}
		all.Wait()
		counts := map[authcode.Outcome]int{}
		for _, a := range results {
			counts[a.Outcome]++
		}
		// Busy is for a callback that lost its lease at the last moment: a reload
		// says that the login is done.
		if counts[authcode.Done] != 1 || counts[authcode.RequestGone]+counts[authcode.Busy] != 4 {
			t.Errorf("outcomes %v, want one done", counts)
		}
		w.wantExchanges(1)
		if g := w.grant(); !g.Valid(time.Now()) {
			t.Error("no token is stored")
		}
	})
}

func TestAnotherBrowserGetsNothing(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		right := cb.Binding
		for _, binding := range []reltioauth.Secret{{}, authrequest.NewText(), w.begin(w.invite()).Binding} {
			cb.Binding = binding
			w.expect(w.complete(cb), authcode.WrongBrowser)
		}
		w.wantExchanges(0)
		cb.Binding = right
		w.expect(w.complete(cb), authcode.Done)
	})
}

func TestAnotherServersAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		cb.Issuer = "https://evil.example"
		w.expect(w.complete(cb), authcode.WrongServer)
		cb.Issuer = "https://auth.reltio.com"
		w.expect(w.complete(cb), authcode.WrongServer) // it is over
		w.wantExchanges(0)
	})
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.Issuer = "https://auth.reltio.com" })
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
	})
}

func TestAnErrorIsFinalAndTheLinkStillWorks(t *testing.T) {
	bubble(t, func(w *world) {
		link := w.invite()
		cb := authcode.Callback{Error: "access_denied"}
		d := w.begin(link)
		cb.State, cb.Binding = d.State, d.Binding
		for range 2 {
			a := w.complete(cb)
			w.expect(a, authcode.Denied)
			if a.ErrorCode != "access_denied" || a.Connection != "acme" {
				t.Errorf("arrival %+v", a)
			}
		}
		w.wantExchanges(0)
		w.expect(w.journey(link, "ann"), authcode.Done)
	})
}

func TestAnErrorNeedsNoSecret(t *testing.T) {
	bubble(t, func(w *world) {
		d := w.begin(w.invite())
		w.out.before = failing("Connection")
		w.expect(w.complete(authcode.Callback{Error: "server_error", State: d.State, Binding: d.Binding}), authcode.Denied)
	})
}

func TestARequestEnds(t *testing.T) {
	bubble(t, func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.CodeTTL = time.Hour })
		cb := w.login(w.begin(w.invite()), "ann")
		time.Sleep(authrequest.RequestLife)
		w.expect(w.complete(cb), authcode.RequestGone)
		cb.State = authrequest.NewText()
		w.expect(w.complete(cb), authcode.RequestGone)
		w.wantExchanges(0)
	})
}

// A person's login is not lost because Reltio cannot be reached now.
func TestBusyKeepsTheLogin(t *testing.T) {
	tests := map[string]func(w *world){
		"no free instant": func(w *world) {
			at := time.Now().Add(8 * time.Second)
			if _, err := w.table.Reserve(w.t.Context(), host, ratelimit.Window{Now: time.Now(), Earliest: at, Latest: at, Interval: time.Second}); err != nil {
				w.t.Fatal(err)
			}
		},
		"the host is paused": func(w *world) {
			_, _ = w.table.Throttled(w.t.Context(), host, ratelimit.Throttle{Client: "c", RetryAfter: 9 * time.Second, Now: time.Now()})
		},
		"the host is paused while it waits": func(w *world) {
			w.out.after = func(op string) error {
				if op == "ConsumeRequest" {
					_, _ = w.table.Throttled(w.t.Context(), host, ratelimit.Throttle{Client: "c", RetryAfter: 9 * time.Second, Now: time.Now()})
				}
				return nil
			}
		},
		"Reltio cannot be reached": func(w *world) {
			w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
		},
		"the connection breaks before the code leaves": func(w *world) {
			w.out.after = waiting(func() {
				w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
			})
		},
		"the instant is missed": func(w *world) {
			w.out.before = waiting(func() { time.Sleep(5 * time.Second) })
		},
	}
	for name, hinder := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				hinder(w)
				a := w.complete(cb)
				w.expect(a, authcode.Busy)
				if a.RetryAfter < time.Second || a.RetryAfter > 10*time.Second {
					t.Errorf("retry after %s", a.RetryAfter)
				}
				w.wantExchanges(0)
				w.heal()
				w.server.Outage(reltioauthtest.Outage{})
				time.Sleep(a.RetryAfter)
				w.expect(w.complete(cb), authcode.Done)
				w.wantExchanges(1)
			})
		})
	}
}

func TestAMissedSlotIsReservedAgain(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		slow := true
		w.out.before = waiting(func() {
			if slow {
				slow = false
				time.Sleep(2 * time.Second)
			}
		})
		w.expect(w.complete(cb), authcode.Done)
	})
}

func TestARenewalThatHoldsTheLeaseIsOutranked(t *testing.T) {
	bubble(t, func(w *world) {
		now := time.Now()
		held, err := w.table.TakeLease(t.Context(), lease.Request{Connection: "acme", Owner: "renewal", Now: now, Until: now.Add(lease.Term)})
		if err != nil {
			t.Fatal(err)
		}
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		if err := w.table.PutGrant(t.Context(), held, grant.Grant{Connection: "acme"}); err == nil {
			t.Error("the renewal stored over a person's grant")
		}
	})
}

func TestAPausedConnection(t *testing.T) {
	bubble(t, func(w *world) {
		link := w.invite()
		cb := w.login(w.begin(link), "ann")
		w.pause(grant.StatusPaused)
		w.expect(w.complete(cb), authcode.Paused)
		if _, outcome, _ := w.flow.Begin(t.Context(), link, redirectURI); outcome != authcode.Paused {
			t.Errorf("begin: %s", outcome)
		}
		w.wantExchanges(0)
		w.pause(grant.StatusOK)
		w.expect(w.complete(cb), authcode.Done)
	})
}

// pause writes a status as an operator does.
func (w *world) pause(s grant.Status) {
	w.t.Helper()
	now := time.Now()
	held, err := w.table.SeizeLease(w.t.Context(), lease.Request{Connection: "acme", Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.Term)})
	if err != nil {
		w.t.Fatal(err)
	}
	g := w.grant()
	g.Connection, g.Status = "acme", s
	if err := w.table.PutGrant(w.t.Context(), held, g); err != nil {
		w.t.Fatal(err)
	}
}

func TestRecoveredIsAnnounced(t *testing.T) {
	bubble(t, func(w *world) {
		w.pause(grant.StatusReauthorize)
		w.events.err = errDown()
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		w.wantFoundByASweep()
	})
	bubble(t, func(w *world) {
		w.pause(grant.StatusReauthorize)
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		w.wantRecovered()
	})
}

// wantFoundByASweep expects an event that could not be sent, and that the sweep of
// the next minute tries it again.
func (w *world) wantFoundByASweep() {
	w.t.Helper()
	if g := w.grant(); len(g.Unpublished) != 1 || g.DueAt.After(time.Now().Add(time.Minute)) {
		w.t.Errorf("unpublished %v, due %s: a sweep has to find it", g.Unpublished, g.DueAt)
	}
}

// wantRecovered expects one event, which says so.
func (w *world) wantRecovered() {
	w.t.Helper()
	if len(w.events.events) != 1 || w.events.events[0].Type != grant.Recovered || len(w.grant().Unpublished) != 0 {
		w.t.Errorf("events %v, unpublished %v, want one %s", w.events.events, w.grant().Unpublished, grant.Recovered)
	}
}

func TestTheRedirectHoldsNoSecretButTheState(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", with(secret(), "pkce", true))
		link := w.invite()
		d := w.begin(link)
		for what, text := range map[string]string{"the binding": d.Binding.Reveal(), "the invitation": link, "the client's secret": "client-secret-1"} {
			if strings.Contains(d.URL, text) {
				t.Errorf("the URL holds %s", what)
			}
		}
		r, err := w.table.Request(t.Context(), authrequest.HashOf(d.State))
		if err != nil || r.Verifier.IsZero() || strings.Contains(d.URL, r.Verifier.Reveal()) {
			t.Errorf("the verifier is missing or in the URL: %v", err)
		}
	})
}
