package issue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

func TestTheEndOfTheTimeout(t *testing.T) {
	limited := apierr.New(apierr.RateLimited, "")
	outage := apierr.New(apierr.ReltioUnavailable, "an old outage")
	tests := map[string]struct {
		stored *apierr.Error
		want   apierr.Type
	}{
		"nothing stored":          {nil, apierr.ReltioUnavailable},
		"a stored rate limit":     {limited, apierr.RateLimited},
		"another error is stored": {outage, apierr.ReltioUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.blank()
				if test.stored != nil {
					w.alter(func(g *grant.Grant) { *g = g.Postponed(test.stored, time.Now()) })
				}
				w.rotate.answer = func(ctx context.Context, _ rotateapi.Request) (rotateapi.Result, error) {
					<-ctx.Done() // no answer in time
					return rotateapi.Result{}, apierr.Wrap(apierr.StoreUnavailable, "rotate: no answer in time", ctx.Err())
				}
				start := time.Now()
				message := w.refused(issue.Request{}, test.want)
				if took := time.Since(start); took != issue.Timeout {
					t.Errorf("it took %v, want %v", took, issue.Timeout)
				}
				if test.want == apierr.RateLimited && message != "retry after 1 s" {
					t.Errorf("message %q", message)
				}
			})
		})
	}
}

func TestTheInvocationsEndBoundsTheWaiting(t *testing.T) {
	for _, left := range []time.Duration{10 * time.Second, 1500 * time.Millisecond, time.Second, 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "client_credentials")
			w.hold(time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			start := time.Now()
			_, err := w.issuer().Issue(ctx, issue.Request{Connection: acme})
			if apierr.Of(err).Type != apierr.ReltioUnavailable {
				t.Errorf("error %v, want ReltioUnavailable", err)
			}
			if took := time.Since(start); took > max(0, left-time.Second) {
				t.Errorf("it took %v of %v, want a second left", took, left)
			}
		})
	}
}

func TestAStoreThatHangsEndsWithTheCallersTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.must(issue.Request{})
		hanging := errors.New("hanging")
		for _, c := range []grant.Consistency{grant.Eventual, grant.Strong} {
			v := w.issuer()
			v.Grants = hangs{w.store, c}
			ctx, cancel := context.WithTimeoutCause(t.Context(), 25*time.Second, hanging)
			start := time.Now()
			r := issue.Request{Connection: acme}
			if c == grant.Strong {
				time.Sleep(2 * time.Hour) // no valid token: the winner reads strongly
				start = time.Now()
				cancel()
				ctx, cancel = context.WithTimeoutCause(t.Context(), 25*time.Second, hanging)
			}
			_, err := v.Issue(ctx, r)
			cancel()
			want := apierr.StoreUnavailable
			if c == grant.Strong {
				want = apierr.ReltioUnavailable // the store answers, only not now
			}
			if apierr.Of(err) == nil || apierr.Of(err).Type != want || time.Since(start) > issue.Timeout {
				t.Errorf("error %v after %v, want one within %v", err, time.Since(start), issue.Timeout)
			}
		}
	})
}

// A lease that cannot be given back ends by itself; the answer does not wait.
func TestAStoreThatHangsFromTheWinnersReadOn(t *testing.T) {
	for _, invocation := range []time.Duration{25 * time.Second, 10 * time.Second, 2 * time.Second, 1200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "client_credentials")
			v := w.issuer()
			v.Grants, v.Leases = hangs{w.store, grant.Strong}, hangsOnRelease{w.store}
			ctx, cancel := context.WithTimeout(t.Context(), invocation)
			defer cancel()
			start := time.Now()
			_, err := v.Issue(ctx, issue.Request{Connection: acme})
			if apierr.Of(err) == nil || apierr.Of(err).Type != apierr.ReltioUnavailable {
				t.Errorf("error %v, want ReltioUnavailable", err)
			}
			most := min(issue.Timeout, invocation-time.Second) + 250*time.Millisecond
			if took := time.Since(start); took > most {
				t.Errorf("of %v it took %v, want at most %v", invocation, took, most)
			}
		})
	}
}

// hangsOnRelease gives no lease back until the caller has had enough.
type hangsOnRelease struct{ *store }

// ReleaseLease implements lease.Store.
func (hangsOnRelease) ReleaseLease(ctx context.Context, _ lease.Lease) error {
	<-ctx.Done()
	return apierr.Wrap(apierr.StoreUnavailable, "the table: the context has ended", ctx.Err())
}

// hangs never answers reads of one consistency.
type hangs struct {
	*store
	c grant.Consistency
}

// Grant implements grant.Store.
func (h hangs) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	if c == h.c {
		<-ctx.Done()
		return grant.Grant{}, apierr.Wrap(apierr.StoreUnavailable, "the table: the context has ended", ctx.Err())
	}
	return h.store.Grant(ctx, name, c)
}

func TestAnInvocationThatFailsIsTheCallersErrorAtOnce(t *testing.T) {
	for _, want := range []*apierr.Error{
		apierr.New(apierr.RateLimited, "retry after 3 s"), apierr.New(apierr.StoreUnavailable, "rotate: it cannot be invoked"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "client_credentials")
			w.rotate.refuse = func(rotateapi.Request) error { return want }
			start := time.Now()
			message := w.refused(issue.Request{}, want.Type)
			if time.Since(start) != 0 || message != want.Message {
				t.Errorf("%v after %v, want %v at once", message, time.Since(start), want)
			}
			if n := w.rotate.invoked(); n != 1 {
				t.Errorf("%d invocations, want one attempt", n)
			}
			if _, held := w.store.holder(t.Context(), time.Now()); held {
				t.Error("the lease was not given back")
			}
		})
	}
}

func TestATokenRenewedAndUnreadableIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		renewed := false
		w.rotate.answer = func(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
			defer func() { renewed = true }()
			return w.rotate.run(ctx, r), nil
		}
		failed := 0
		w.store.readFault = func(grant.Consistency) error {
			if renewed && failed < 1 {
				failed++
				return apierr.New(apierr.StoreUnavailable, "the table: throttled")
			}
			return nil
		}
		a := w.must(issue.Request{})
		if a.Outcome != issueapi.Renewed || failed != 1 {
			t.Errorf("outcome %s after %d failed reads", a.Outcome, failed)
		}
		w.wantRequests(1)
	})
}

func TestTheErrorOfTheWinnersStrongRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.store.readFault = func(c grant.Consistency) error {
			if c == grant.Strong {
				return apierr.New(apierr.StoreUnavailable, "the table: out of order")
			}
			return nil
		}
		w.refused(issue.Request{}, apierr.StoreUnavailable)
		if _, held := w.store.holder(t.Context(), time.Now()); held {
			t.Error("the lease was not given back")
		}
		if w.rotate.invoked() != 0 {
			t.Error("rotate was invoked")
		}
	})
}

func TestAFailureThatCouldNotBeStoredIsTheWinnersError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		want := apierr.New(apierr.StoreUnavailable, "the secrets: out of order")
		w.rotate.answer = func(context.Context, rotateapi.Request) (rotateapi.Result, error) {
			return rotateapi.Single(rotateapi.Failed, want), nil
		}
		if message := w.refused(issue.Request{}, want.Type); message != want.Message {
			t.Errorf("message %q, want %q", message, want.Message)
		}
	})
}
