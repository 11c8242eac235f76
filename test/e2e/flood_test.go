package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// The size of a flood.
const (
	floodCallers      = 1000
	floodEnvironments = 100
)

// flood is a stack of its own, on which issue has at most a hundred environments,
// and there is none yet. The binaries are those that are deployed, without the
// race detector.
func flood(t *testing.T) (*world, *server) {
	t.Helper()
	w := flooded.start(t, func(f *lambdahost.Function) {
		if f.Name == "issue" {
			f.Concurrency = floodEnvironments
		}
	})
	w.Host.Recycle("issue")
	s := w.server(t)
	return w, s
}

// issued is what the callers of a flood were answered, counted.
type issued struct {
	tokens   map[string]int // by fingerprint
	outcomes map[string]int
	errors   map[string]int // by errorType
	warnings map[string]int
	slowest  time.Duration
	late     int // tokens whose deadline had passed when they were issued
}

// flood lets all callers ask at once. A caller whom Lambda throttles comes again,
// as SDKs do.
func (w *world) flood(t *testing.T, payloads []string) issued {
	t.Helper()
	v := issued{tokens: map[string]int{}, outcomes: map[string]int{}, errors: map[string]int{}, warnings: map[string]int{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, floodEnvironments) // what Lambda would throttle waits here
	for _, payload := range payloads {
		all.Go(func() {
			places <- struct{}{}
			began := time.Now()
			a, err := w.persist(t.Context(), payload)
			took := time.Since(began)
			<-places
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				v.errors["Lambda: "+err.Error()]++
				return
			}
			v.count(a, took)
		})
	}
	all.Wait()
	t.Logf("%d callers: outcomes %v, errors %v, %d different tokens, the slowest after %v, %d environments",
		len(payloads), v.outcomes, v.errors, len(v.tokens), v.slowest.Round(time.Millisecond), len(w.Host.Environments("issue")))
	return v
}

// persist asks until Lambda does not throttle.
func (w *world) persist(ctx context.Context, payload string) (answer, error) {
	for {
		a, err := w.call(ctx, "issue:live", payload)
		var api smithy.APIError
		if err == nil || !errors.As(err, &api) || api.ErrorCode() != "TooManyRequestsException" {
			return a, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (v *issued) count(a answer, took time.Duration) {
	v.slowest = max(v.slowest, took)
	if a.FunctionError != "" {
		v.errors[a.errorType()]++
		return
	}
	v.tokens[a.text("fingerprint")]++
	v.outcomes[a.text("outcome")]++
	if at, err := time.Parse(time.RFC3339, a.text("expires_at")); err != nil || time.Since(at) > time.Second {
		v.late++
	}
	warnings, _ := a.Body["warnings"].([]any)
	for _, one := range warnings {
		v.warnings[fmt.Sprint(one)]++
	}
}

// same are n equal requests.
func same(connection string, n int) []string {
	return slices.Repeat([]string{`{"connection":"` + connection + `"}`}, n)
}

// wantAll fails the test unless all callers have one and the same token.
func (v issued) wantAll(t *testing.T, n int) {
	t.Helper()
	if len(v.errors) > 0 || len(v.tokens) != 1 || v.outcomes["cached"]+v.outcomes["renewed"] != n || v.late > 0 {
		t.Errorf("errors %v, %d different tokens, outcomes %v, %d ended; want one token for all %d", v.errors, len(v.tokens), v.outcomes, v.late, n)
	}
}

// wantErrors fails the test unless all callers have that error.
func (v issued) wantErrors(t *testing.T, errorType string, n int) {
	t.Helper()
	if v.errors[errorType] != n {
		t.Errorf("errors %v, outcomes %v; want %s for all %d", v.errors, v.outcomes, errorType, n)
	}
}

func (s *server) wantTokenRequests(t *testing.T, least, most int) {
	t.Helper()
	if got := s.TokenRequests(time.Time{}, time.Time{}); got < least || got > most {
		t.Errorf("%d token requests, want from %d to %d", got, least, most)
	}
}

// A thousand callers find a hundred cold environments, and cause one token
// request. Then the server is down, and no caller notices.
func TestFloodOfAColdConnection(t *testing.T) {
	w, s := flood(t)
	name, before := w.add(t, s.password("ann")), w.Host.Starts("issue")
	w.flood(t, same(name, floodCallers)).wantAll(t, floodCallers)
	s.wantTokenRequests(t, 1, 1)
	if got := w.Host.Starts("issue") - before; got < floodEnvironments/2 || got > floodEnvironments {
		t.Errorf("%d cold environments; the flood was none", got)
	}
	s.Outage(out(reltioauthtest.FaultCut))
	w.flood(t, same(name, floodCallers)).wantAll(t, floodCallers)
	s.wantTokenRequests(t, 1, 1)

	t.Run("a hundred report the token, which is alive", func(t *testing.T) {
		s.Outage(reltioauthtest.Outage{})
		first := w.ask(t, name)
		v := w.flood(t, report(name, first))
		v.wantAll(t, floodEnvironments)
		if v.warnings["rejected_token_is_alive"] != floodEnvironments {
			t.Errorf("warnings %v", v.warnings)
		}
		if got := s.count(reltioauthtest.OpCheckToken); got != 1 {
			t.Errorf("%d checks, want 1", got)
		}
		s.wantTokenRequests(t, 1, 1)
	})
	t.Run("a hundred report the token, which is dead", func(t *testing.T) {
		first := w.ask(t, name)
		s.Kill(first.text("fingerprint"))
		w.set(t, "grant#"+name, "checked_at", ms(time.Now().Add(-time.Minute))) // it is not checked twice in 30 s
		v := w.flood(t, report(name, first))
		v.wantAll(t, floodEnvironments)
		if v.tokens[first.text("fingerprint")] > 0 {
			t.Error("the dead token was vended")
		}
		if got := s.count(reltioauthtest.OpCheckToken); got != 2 {
			t.Errorf("%d checks, want 2", got)
		}
		s.wantTokenRequests(t, 2, 2)
	})
}

// report are a hundred reports of one token.
func report(name string, a answer) []string {
	return slices.Repeat([]string{`{"connection":"` + name + `","rejected_fingerprint":"` + a.text("fingerprint") + `"}`}, floodEnvironments)
}

// Callers go on asking while a token ends and the next one comes: no caller gets a
// token that has ended, and none an error.
func TestFloodWhileATokenEnds(t *testing.T) {
	w, _ := flood(t)
	for state, behaviour := range map[string]reltioauthtest.Behaviour{
		"the server repeats a living token": {},
		"the server gives a new one":        {Login: reltioauthtest.NewToken},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := w.server(t)
			s.Configure(func(c *reltioauthtest.Config) { c.Behaviour = behaviour })
			name := w.add(t, s.clientCredentials().with(s.client("short")))
			wantToken(t, w.ask(t, name))
			began, ended := time.Now(), map[string]int{}
			for time.Since(began) < 10*time.Second { // the token is valid for 6 s
				v := w.flood(t, same(name, floodCallers))
				if len(v.errors) > 0 || v.late > 0 {
					t.Errorf("errors %v, %d ended", v.errors, v.late)
				}
				for f, n := range v.tokens {
					ended[f] += n
				}
			}
			if len(ended) < 2 {
				t.Errorf("%d different tokens: none ended", len(ended))
			}
			// At most two answered requests for each token, the one under way included.
			s.wantTokenRequests(t, len(ended), 2*(len(ended)+1))
			for f := range ended {
				if s.asked(f) > 2 {
					t.Errorf("%d requests were answered with one token", s.asked(f))
				}
			}
		})
	}
}

// asked is how many token requests were answered with a token.
func (s *server) asked(fingerprint string) int {
	return len(slices.DeleteFunc(s.Requests(), func(r reltioauthtest.Request) bool {
		return r.Op != reltioauthtest.OpToken || r.AccessToken != fingerprint
	}))
}

// A server that does not give tokens hears one request, not a thousand; every
// caller hears at once what it answered.
func TestFloodWhileTheServerGivesNothing(t *testing.T) {
	w, _ := flood(t)
	for _, test := range []struct {
		state, errorType string
		kind             reltioauthtest.FaultKind
	}{
		{"it answers 429", "RateLimited", reltioauthtest.FaultRateLimit},
		{"it is down", "ReltioUnavailable", reltioauthtest.FaultCut},
		{"it answers 503", "ReltioUnavailable", reltioauthtest.FaultStatus},
	} {
		t.Run(test.state, func(t *testing.T) {
			s := w.server(t)
			s.Outage(out(test.kind))
			name := w.add(t, s.clientCredentials())
			v := w.flood(t, same(name, floodCallers))
			v.wantErrors(t, test.errorType, floodCallers)
			s.wantTokenRequests(t, 1, 1)
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		s := w.server(t)
		name := w.add(t, s.clientCredentials())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		w.flood(t, same(name, floodCallers)).wantErrors(t, "ReltioUnavailable", floodCallers)
	})
}

// A thousand names that no connection has: each is looked up once in a minute, and the
// connections that exist are served meanwhile.
func TestFloodOfUnknownNames(t *testing.T) {
	const few = 50
	w, s := flood(t)
	name := w.add(t, s.clientCredentials())
	first := w.ask(t, name)
	wantToken(t, first)
	var payloads []string
	for range floodCallers {
		payloads = append(payloads, `{"connection":"`+unknownName()+`"}`)
	}
	v := w.flood(t, payloads)
	v.wantErrors(t, "UnknownConnection", floodCallers)
	if a := w.ask(t, name); a.text("access_token") != first.text("access_token") {
		t.Errorf("a connection that exists: %v", a)
	}
	lookUps := func() int {
		return len(w.lines(func(line map[string]any) bool {
			return line["error"] == "UnknownConnection" && line["message"] == "rotate"
		}))
	}
	if got := lookUps(); got != floodCallers {
		t.Errorf("%d look-ups of %d names", got, floodCallers)
	}
	// The flood may take longer than a name is remembered; a few new ones do not.
	payloads = nil
	for range few {
		payloads = append(payloads, `{"connection":"`+unknownName()+`"}`)
	}
	for range 3 {
		w.flood(t, payloads).wantErrors(t, "UnknownConnection", few)
	}
	if got := lookUps(); got != floodCallers+few {
		t.Errorf("%d look-ups of %d names", got, floodCallers+few)
	}
	s.wantTokenRequests(t, 1, 1)
}
