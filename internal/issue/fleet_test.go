package issue_test

import (
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// fleet are calls on many instances at once; tally counts what they got.
func fleet(w *world, instances, calls int, r issue.Request) (tokens map[string]int, errs map[apierr.Type]int) {
	issuers := make([]*issue.Issuer, instances)
	for i := range issuers {
		issuers[i] = w.issuer()
	}
	var (
		mu  sync.Mutex
		all sync.WaitGroup
	)
	tokens, errs = map[string]int{}, map[apierr.Type]int{}
	for i := range calls {
		all.Go(func() {
			a, err := w.issue(issuers[i%instances], r)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[apierr.Of(err).Type]++
				return
			}
			tokens[a.Fingerprint]++
		})
	}
	all.Wait()
	return tokens, errs
}

// slowly gives the store the latency of a network, the same in every run.
func slowly(w *world) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	w.store.latency = func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(1+random.IntN(15)) * time.Millisecond
	}
}

func TestAThousandCallersWithNothingCachedCauseOneTokenRequest(t *testing.T) {
	for _, grantType := range []string{"client_credentials", "password"} {
		t.Run(grantType, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, grantType)
				slowly(w)
				tokens, errs := fleet(w, 100, 1000, issue.Request{})
				if len(errs) > 0 || len(tokens) != 1 || tokens[w.grant().Fingerprint] != 1000 {
					t.Errorf("tokens %v, errors %v, want 1000 of the stored token", tokens, errs)
				}
				w.wantRequests(1)
			})
		})
	}
}

func TestAThousandCallersWithAWrongPasswordCauseAtMostTwoLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		slowly(w)
		f := fields("password")
		f["password"] = "wrong"
		w.connect(f)
		for range 20 { // over ten minutes and more
			tokens, errs := fleet(w, 100, 1000, issue.Request{})
			if len(tokens) > 0 || errs[apierr.CredentialsRejected] != 1000 {
				t.Fatalf("tokens %v, errors %v, want 1000 CredentialsRejected", tokens, errs)
			}
			time.Sleep(35 * time.Second)
		}
		w.wantRequests(2)
		if n := w.server.RefusedLogins("ann", time.Time{}, time.Time{}); n != 2 {
			t.Errorf("%d refused logins, want 2", n)
		}
		if w.server.Locked("ann") {
			t.Error("the user is locked")
		}
	})
}

func TestAThousandCallersWhileReltioIsDownCauseOneRequestPerBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		slowly(w)
		w.down()
		for backOffs := 1; backOffs <= 4; backOffs++ {
			for range 3 { // calls again within the back-off
				tokens, errs := fleet(w, 100, 1000, issue.Request{})
				if len(tokens) > 0 || errs[apierr.ReltioUnavailable] != 1000 {
					t.Fatalf("tokens %v, errors %v, want 1000 ReltioUnavailable", tokens, errs)
				}
				w.wantRequests(backOffs)
			}
			time.Sleep(time.Until(w.grant().RetryAt))
		}
		w.up()
		tokens, errs := fleet(w, 100, 1000, issue.Request{})
		if len(errs) > 0 || tokens[w.grant().Fingerprint] != 1000 {
			t.Errorf("after the outage: tokens %v, errors %v, want 1000 of the stored token", tokens, errs)
		}
		w.wantRequests(5)
	})
}

// lastMinutes spreads calls over the last 15 minutes of acme's token and a
// minute more, and delivers what is invoked on the way. It returns how many
// token requests came before the token's end and after it.
func lastMinutes(t *testing.T, w *world, calls int) (before, after int) {
	t.Helper()
	first := w.grant()
	issuers := make([]*issue.Issuer, 50)
	for i := range issuers {
		issuers[i] = w.issuer()
	}
	start := first.ExpiresAt.Add(-15 * time.Minute)
	time.Sleep(time.Until(start))
	began := w.requests()
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			time.Sleep(16 * time.Minute * time.Duration(i) / time.Duration(calls))
			a, err := w.issue(issuers[i%len(issuers)], issue.Request{})
			if err != nil {
				t.Errorf("call %d: %v", i, err)
				return
			}
			if !time.Now().Before(a.ExpiresAt) {
				t.Errorf("call %d got a token that has ended", i)
			}
			w.rotate.deliver(t.Context())
		})
	}
	all.Wait()
	before = w.server.TokenRequests(start, first.ExpiresAt)
	return before, w.requests() - began - before
}

func TestAServerThatGivesTheSameTokenIsAskedAfterItsEndOnly(t *testing.T) {
	for _, grantType := range []string{"client_credentials", "password"} {
		t.Run(grantType, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, grantType)
				w.must(issue.Request{})
				// The first token's end teaches the mode: the early question of
				// the week is then not due for the second.
				time.Sleep(time.Until(w.grant().Due()))
				w.must(issue.Request{})
				w.rotate.deliver(t.Context())
				time.Sleep(time.Until(w.grant().ExpiresAt.Add(time.Second)))
				w.must(issue.Request{})
				if mode := w.grant().Mode(); mode != "at_end" {
					t.Fatalf("mode %s, want at_end", mode)
				}
				before, after := lastMinutes(t, w, 10000)
				if before != 0 || after < 1 || after > 2 {
					t.Errorf("%d token requests before the end, %d after it, want 0 and at most 2", before, after)
				}
			})
		})
	}
}

func TestAServerThatGivesNewTokensIsAskedOnceBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewToken })
		w.must(issue.Request{})
		time.Sleep(time.Until(w.grant().Due()))
		w.must(issue.Request{})
		w.rotate.deliver(t.Context())
		if mode := w.grant().Mode(); mode != "overlap" {
			t.Fatalf("mode %s, want overlap", mode)
		}
		before, after := lastMinutes(t, w, 2000)
		if before != 1 || after != 0 {
			t.Errorf("%d token requests before the end, %d after it, want 1 and 0", before, after)
		}
	})
}

// A read that sees the past is served what was true a moment ago, and no more.
func TestStaleReadsCauseNothing(t *testing.T) {
	for name, behave := range map[string]func(*reltioauthtest.Behaviour){
		"same token":              func(*reltioauthtest.Behaviour) {},
		"new token":               func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewToken },
		"new token, old one dies": func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewTokenOldDies },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.behave(behave)
				slowly(w)
				var mu sync.Mutex
				random := rand.New(rand.NewPCG(3, 4))
				w.store.behind = func() time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(random.IntN(2000)) * time.Millisecond
				}
				tokens, errs := fleet(w, 100, 1000, issue.Request{})
				if len(errs) > 0 || len(tokens) != 1 {
					t.Errorf("first tokens: %v, errors %v, want one token and no error", maps.Clone(tokens), errs)
				}
				w.wantRequests(1)
				before, after := lastMinutes(t, w, 3000)
				if before+after > 3 { // the early one, the end's one or two
					t.Errorf("%d token requests before the end, %d after it, want at most 3", before, after)
				}
			})
		})
	}
}
