package authcode_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// at fails the nth call of a store.
func at(n int) func(string) error {
	calls := 0
	return func(string) error {
		calls++
		if calls == n+1 {
			return errDown()
		}
		return nil
	}
}

// callsOf counts the calls of a callback in which nothing fails.
func callsOf(t *testing.T, prepare func(w *world), user string) []string {
	var ops []string
	bubble(t, func(w *world) {
		prepare(w)
		cb := w.login(w.begin(w.invite()), user)
		w.out.before = func(op string) error {
			ops = append(ops, op)
			return nil
		}
		w.complete(cb)
	})
	return ops
}

// Wherever one call of a store fails, before it or after it: the code is sent
// at most once; a person is told the truth; what was not stored is revoked; and
// the person can go on, by a reload or by the link.
func TestOneCallFails(t *testing.T) {
	worlds := map[string]func(w *world){
		"the first login": func(*world) {},
		"the same token":  func(w *world) { w.same(); w.connected("ann") },
		"a new token":     func(w *world) { w.connected("ann") },
	}
	for name, prepare := range worlds {
		ops := callsOf(t, prepare, "ann")
		for n, op := range ops {
			for _, when := range []string{"before", "after"} {
				t.Run(fmt.Sprintf("%s/%s %d %s", name, when, n, op), func(t *testing.T) {
					bubble(t, func(w *world) {
						prepare(w)
						oneCallFails(w, n, when)
					})
				})
			}
		}
	}
}

func oneCallFails(w *world, n int, when string) {
	w.t.Helper()
	link := w.invite()
	cb := w.login(w.begin(link), "ann")
	sent := w.exchanges()
	if when == "before" {
		w.out.before = at(n)
	} else {
		w.out.after = at(n)
	}
	a := w.complete(cb)
	w.heal()
	if got := w.exchanges() - sent; got > 1 {
		w.t.Fatalf("the code was sent %d times", got)
	}
	access, refresh := w.server.Tokens()
	g := w.grant()
	switch a.Outcome {
	case authcode.Done, authcode.DoneSameToken:
		if !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) || !w.server.Valid(w.newestToken().Token) {
			w.t.Errorf("%s, but what is stored is dead", a.Outcome)
		}
		return
	case authcode.Again:
		w.expect(w.complete(w.login(a.Redirect, "ann")), authcode.Done)
		return
	}
	if g.HasToken() && !w.server.Valid(g.AccessToken) {
		w.t.Errorf("%s left a dead token in use", a.Outcome)
	}
	if w.exchanges() > sent && (access > 1 || refresh > 1) {
		w.t.Errorf("%s left %d access and %d refresh tokens alive", a.Outcome, access, refresh)
	}
	w.goesOn(link, cb)
}

// goesOn reloads, then opens the link again, and has to end connected.
func (w *world) goesOn(link string, cb authcode.Callback) {
	w.t.Helper()
	time.Sleep(time.Second)
	a := w.complete(cb)
	if a.Outcome != authcode.Done && a.Outcome != authcode.Again {
		a = w.journey(link, "ann")
	}
	if a.Outcome == authcode.Again {
		a = w.complete(w.login(a.Redirect, "ann"))
	}
	w.expect(a, authcode.Done)
	if g := w.grant(); !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) {
		w.t.Error("no living token at the end")
	}
}

func TestInvitingAndBeginningFail(t *testing.T) {
	bubble(t, func(w *world) {
		w.out.before = failing("PutInvitation")
		if _, err := w.flow.Invite(t.Context(), "acme", time.Hour, false); err == nil {
			t.Error("an invitation that was not stored")
		}
	})
	for _, op := range []string{"Invitation", "Connection", "Grant", "PutRequest"} {
		bubble(t, func(w *world) {
			link := w.invite()
			w.out.before = failing(op)
			if _, outcome, err := w.flow.Begin(t.Context(), link, redirectURI); outcome != authcode.Broken || err == nil {
				t.Errorf("%s fails: %s, %v", op, outcome, err)
			}
		})
	}
}

// Before the code is sent a failing store costs nothing: the same address works
// again when the store does.
func TestCompletingWithoutStores(t *testing.T) {
	for _, op := range []string{"Request", "Connection", "Grant", "Current", "SeizeLease", "Reserve", "Invitation", "UseInvitation"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				w.out.before = failing(op)
				a := w.complete(cb)
				w.expect(a, authcode.StoreFailing)
				if a.RetryAfter != 10*time.Second || a.Err == nil {
					t.Errorf("retry after %s, error %v", a.RetryAfter, a.Err)
				}
				w.wantExchanges(0)
				w.heal()
				w.expect(w.complete(cb), authcode.Done) // the login was kept
			})
		})
	}
}

// A callback that lost its lease may be repeated; an unexpected error is a
// defect.
func TestFailuresBeforeTheExchange(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		err  error
		want authcode.Outcome
	}{
		"the lease was taken":     {lease.ErrLost, authcode.Busy},
		"a higher epoch":          {grant.ErrFenced, authcode.Busy},
		"no instant":              {&ratelimit.LimitError{Until: later}, authcode.Busy},
		"a store":                 {errDown(), authcode.StoreFailing},
		"a store, wrapped":        {fmt.Errorf("reading: %w", errDown()), authcode.StoreFailing},
		"the secret is malformed": {apierr.New(apierr.InvalidConnection, "pkce: must be true or false"), authcode.Broken},
		"a defect":                {errors.New("unforeseen"), authcode.Broken},
	} {
		for _, op := range []string{"Connection", "Current", "SeizeLease"} {
			t.Run(name+", "+op, func(t *testing.T) {
				bubble(t, func(w *world) {
					cb := w.login(w.begin(w.invite()), "ann")
					w.out.before = func(called string) error {
						if called == op {
							return test.err
						}
						return nil
					}
					w.expect(w.complete(cb), test.want)
					w.wantExchanges(0)
					w.heal()
					w.expect(w.complete(cb), authcode.Done)
				})
			})
		}
	}
}

// The secret is gone, or another kind, when the person comes back.
func TestTheSecretChangesMeanwhile(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		if err := w.secrets.DeleteConnection(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		w.expect(w.complete(cb), authcode.InvitationGone)
		w.connect("acme", map[string]any{"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"})
		w.expect(w.complete(cb), authcode.InvitationGone)
		w.connect("acme", with(secret(), "pkce", "perhaps"))
		w.expect(w.complete(cb), authcode.Broken)
		w.wantExchanges(0)
		w.connect("acme", secret())
		w.expect(w.complete(cb), authcode.Done)
	})
}

// An invitation is a name and a deadline; anyone with write access can make one.
func TestAnInvitationMadeByHand(t *testing.T) {
	bubble(t, func(w *world) {
		text := reltioauth.NewSecret("made-by-hand-with-the-command-line-of-AWS-00")
		i := authrequest.Invitation{Hash: authrequest.HashOf(text), Connection: "acme", Ends: time.Now().Add(time.Hour)}
		if err := w.table.PutInvitation(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		w.expect(w.journey(text.Reveal(), "ann"), authcode.Done)
	})
}
