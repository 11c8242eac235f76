package simulation

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// rush is what became of callers who came together when a token had ended.
type rush struct {
	mu sync.Mutex // guards what follows
	// first and all are when one caller, and each caller, had the next token.
	first, all time.Duration
	// tokens, limited and others are calls that got a token, RateLimited and another
	// error; refused are those that Lambda had no place for.
	tokens, limited, others, refused int
	longest                          time.Duration // call
}

// rushes lets callers come at once, and again after a pause until each has a token.
func (w *World) rushes(callers int, pause, lasts time.Duration) *rush {
	r, began := &rush{}, w.now()
	for n := range callers {
		w.running.Go(func() {
			c := w.draw("rush", fmt.Sprint(n))
			w.sleep(c.between(0, 5*time.Millisecond))
			for w.now().Sub(began) < lasts && !r.called(w, began) {
				w.sleep(c.between(pause/2, pause*3/2))
			}
		})
	}
	w.Until(began.Add(lasts))
	return r
}

// called is one call; it reports whether it got a token.
func (r *rush) called(w *World, began time.Time) bool {
	at := w.now()
	_, taken, err := w.Invoke("c00000", issue.Request{})
	took := w.now().Sub(at)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !taken:
		r.refused++
		return false
	case err == nil:
		r.tokens++
		r.all = w.now().Sub(began)
		if r.first == 0 {
			r.first = r.all
		}
	case apierr.Of(err).Type == apierr.RateLimited:
		r.limited++
	default:
		r.others++
	}
	r.longest = max(r.longest, took)
	return err == nil
}

// Callers come together after a token's end and take every place of the account, so
// that none is left for the renewal that all of them wait for. No call waits long for
// it: each gets RateLimited as soon as Lambda has refused the renewal, and leaves its
// place. So callers who come again after a second are served by then, and those who
// come again at once are in their own way for seconds. A reserve of rotate, or one of
// issue that leaves places to others, keeps a place for the renewal.
func TestAnAccountFullOfCallers(t *testing.T) {
	t.Parallel()
	const (
		early = time.Second     // within which a caller is told, and the first has a token
		soon  = 3 * time.Second // within which all have one, where the renewal has a place
	)
	for executions, callers := range map[int]int{10: 200, 100: 1000} {
		for name, reserves := range map[string]map[string]int{
			"no reserve":          nil,
			"a reserve of rotate": {rotateFunction: executions / 5},
			"reserves of both":    {rotateFunction: executions / 5, issueFunction: executions / 2},
			"a reserve of issue":  {issueFunction: executions * 4 / 5},
		} {
			for how, pause := range map[string]time.Duration{"at once": 20 * time.Millisecond, "after a second": time.Second} {
				t.Run(fmt.Sprintf("%d, %s, again %s", executions, name, how), func(t *testing.T) {
					t.Parallel()
					r := afterTheEnd(t, executions, callers, reserves, pause)
					t.Logf("%d callers: the first token after %s, all after %s; %d RateLimited, %d refused by Lambda; the longest call %s",
						callers, r.first.Round(10*time.Millisecond), r.all.Round(10*time.Millisecond), r.limited, r.refused, r.longest.Round(10*time.Millisecond))
					if r.tokens != callers || r.others > 0 || r.longest > early {
						t.Errorf("%d tokens, %d RateLimited, %d other errors, the longest call %s", r.tokens, r.limited, r.others, r.longest)
					}
					starved := reserves == nil && pause < early
					if starved != (r.first > early) || !starved && r.all > soon || reserves != nil && r.limited > 0 {
						t.Errorf("the first token after %s, all after %s, %d RateLimited; the renewal starves: %t", r.first, r.all, r.limited, starved)
					}
				})
			}
		}
	}
}

// afterTheEnd lets callers rush for a token that has ended, before a tick renews it.
func afterTheEnd(t *testing.T, executions, callers int, reserves map[string]int, pause time.Duration) (r *rush) {
	t.Helper()
	account := lambdahost.NewAccount(executions)
	for function, places := range reserves {
		if err := account.Reserve(function, places); err != nil {
			t.Fatal(err)
		}
	}
	// Where the renewal starves I8 does not hold, and Loose does not judge it.
	cfg := Config{Seed: 23, Exact: true, Loose: true, Account: account}
	scenario(t, cfg, same(1, Spec{Type: connection.ClientCredentials}), func(t *testing.T, w *World) {
		w.Tick()
		w.Until(w.now().Add(10 * time.Second))
		if _, _, err := w.Invoke("c00000", issue.Request{}); err != nil {
			t.Fatal(err)
		}
		w.Until(w.Grant("c00000").ExpiresAt.Add(3 * time.Second))
		r = w.rushes(callers, pause, 2*time.Minute)
	})
	return r
}
