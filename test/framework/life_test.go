package framework

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// lives is what a caller saw that asked once a second, and looked at each token.
type lives struct {
	tokens map[string]bool // by fingerprint
	errors map[string]int  // by what they say
	dead   int             // tokens that the server did not take when they were issued
}

func (w *wired) live(t *testing.T, name string, most time.Duration) lives {
	t.Helper()
	l := lives{tokens: map[string]bool{}, errors: map[string]int{}}
	w.poll(t, name, most, func(a answer) bool {
		switch {
		case a.AccessToken == "":
			l.errors[a.String()]++
		case !w.valid(t, a):
			l.dead++
		}
		if a.Fingerprint != "" {
			l.tokens[a.Fingerprint] = true
		}
		return false
	})
	return l
}

// want fails the test unless there were so many tokens at least, all of them
// valid, and no error.
func (l lives) want(t *testing.T, tokens int) {
	t.Helper()
	if len(l.tokens) < tokens || len(l.errors) > 0 || l.dead > 0 {
		t.Errorf("%d tokens, want %d; errors %v, %d dead tokens", len(l.tokens), tokens, l.errors, l.dead)
	}
}

// asked is how often the server was asked for each token, by fingerprint.
func asked(calls []call) map[string]int {
	n := map[string]int{}
	for _, c := range calls {
		n[c.fingerprint]++
	}
	return n
}

// A login gives the same token again while one is valid: so the service learns to
// ask after a token's end, once.
func TestSameToken(t *testing.T) {
	t.Parallel()
	w := newServer(t, shortTokens(40))
	name := w.add(t, clientCredentials, nil)
	w.live(t, name, 90*time.Second).want(t, 3)
	if mode := w.grant(t, name, "login_mode"); mode != "at_end" {
		t.Errorf("the mode is %q", mode)
	}
	calls := w.tokens()
	if count(calls, http.StatusOK) != len(calls) {
		t.Errorf("the server was asked: %s", story(calls))
	}
	for _, n := range asked(calls) {
		if n > 3 { // the early one that teaches, and two at the end
			t.Errorf("%d requests for one token: %s", n, story(calls))
		}
	}
	for _, c := range calls {
		if c.accept != "application/json" {
			t.Errorf("Accept: %q", c.accept)
		}
	}
	did(t, "same", "learns mode `at_end` from the first renewal; no error, no dead token")
	did(t, "xml", "sends `Accept: application/json`")
}

// A refresh kills the token that callers hold: so it waits for its end.
func TestRefreshes(t *testing.T) {
	t.Parallel()
	for id, with := range map[string]func(*settings){"refresh": nil, "rotating": rotating} {
		for _, grant := range []string{password, authorizationCode} {
			t.Run(id+", "+grant, func(t *testing.T) {
				t.Parallel()
				w := newServer(t, func(s *settings) {
					shortTokens(20)(s)
					if with != nil {
						with(s)
					}
				})
				name := w.granted(t, grant, nil)
				w.live(t, name, 50*time.Second).want(t, 3)
				calls := w.tokens()
				if len(calls) < 3 || len(calls) > 4 || count(calls, http.StatusOK) != len(calls) || calls[0].what != grant {
					t.Errorf("the server was asked: %s", story(calls))
				}
				for i, c := range calls[1:] {
					if life := c.at.Sub(calls[i].at); c.what != refreshToken || life < 19*time.Second {
						t.Errorf("%s after %v", c.what, life)
					}
				}
				did(t, id, "refreshes after the token's end, once for each token; no error, no dead token")
			})
		}
	}
}

// Two hundred callers find that a token has just ended.
func TestManyCallers(t *testing.T) {
	const callers, atOnce = 200, 50
	w := newServer(t, shortTokens(10))
	for _, grant := range []string{clientCredentials, password} {
		name := w.add(t, grant, nil)
		first := w.wantIssued(t, w.ask(t, name))
		asked := len(w.tokens())
		time.Sleep(time.Duration(first.ExpiresIn)*time.Second + 500*time.Millisecond)
		var (
			all    sync.WaitGroup
			mu     sync.Mutex
			tokens = map[string]int{}
			places = make(chan struct{}, atOnce) // this machine is smaller than Lambda
		)
		for range callers {
			all.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				a, err := w.service.call(t.Context(), "issue:live", fields{"connection": name})
				mu.Lock()
				defer mu.Unlock()
				if err != nil || a.AccessToken == "" {
					t.Errorf("%v, %v", a, err)
				}
				tokens[a.Fingerprint]++
			})
		}
		all.Wait()
		calls := w.tokens()[asked:]
		if len(tokens) != 1 || tokens[first.Fingerprint] > 0 {
			t.Errorf("%s: %d tokens", grant, len(tokens))
		}
		if len(calls) > 2 { // the second where the ended token came again
			t.Errorf("%s: the server was asked: %s", grant, story(calls))
		}
	}
	did(t, "parallel", "%d callers at a token's end: one token, at most two requests, one after the other", callers)
}
