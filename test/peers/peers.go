// Package peers compares the service with other ways to keep an access token,
// through the same trouble of the same server, in virtual time:
//
//	for _, trouble := range peers.Troubles() {
//		results, err := peers.Compare(ctx, time.Now, trouble) // in a synctest bubble
//	}
//	crowds, err := peers.Crowds(ctx, time.Now) // the same
//
// Each way gets callers that ask for a token every 300 ms, whatever they got.
// What is counted does not depend on the machine: seconds and requests. The server is
// the sandbox with the framework's behaviour; while a token lives it gives the same
// one. The ways are those that a Go program has without this service:
//
//   - x/oauth2: the reuse source of golang.org/x/oauth2/clientcredentials, in one
//     process and in ten.
//   - recipe: a token in a shared item that each of ten processes reads first, and
//     writes when it had to ask for a new one.
//   - reltioauth: the TokenSource of this project's package, in one process.
package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/simulation"
)

// Trouble is what happens to the server from the end of a token on.
type Trouble struct {
	Name  string
	Lasts time.Duration
	// Outage is the fault of each request; the zero kind: each response comes Slow
	// late.
	Outage reltioauthtest.FaultKind
	Slow   time.Duration
	Goal   Goal
}

// Goal is what the service may come to in a trouble.
type Goal struct {
	// Without bounds Result.Without, After Result.After; zero bounds nothing.
	Without, After time.Duration
	PerMinute      float64
}

// Kept names what a result exceeds.
func (g Goal) Kept(r Result) error {
	var errs []error
	if r.Without < 0 || g.Without > 0 && r.Without > g.Without {
		errs = append(errs, fmt.Errorf("%v without a token, want at most %v", r.Without, g.Without))
	}
	if g.After > 0 && r.After > g.After {
		errs = append(errs, fmt.Errorf("%v after the end, want at most %v", r.After, g.After))
	}
	if r.PerMinute > g.PerMinute {
		errs = append(errs, fmt.Errorf("%.1f requests a minute, want at most %v", r.PerMinute, g.PerMinute))
	}
	return errors.Join(errs...)
}

// Troubles are the rows of the comparison. A host that is down gets one request in 5 s,
// after ten minutes one in 15 s: hence what may pass after a trouble.
func Troubles() []Trouble {
	const second, minute = time.Second, time.Minute
	return []Trouble{
		{
			Name: "none", Lasts: 10 * second,
			Goal: Goal{Without: 1500 * time.Millisecond, PerMinute: 6},
		},
		{
			Name: "503 for 10 s", Lasts: 10 * second, Outage: reltioauthtest.FaultStatus,
			Goal: Goal{Without: 13 * second, PerMinute: 36},
		},
		{
			Name: "503 for 1 min", Lasts: minute, Outage: reltioauthtest.FaultStatus,
			Goal: Goal{Without: 65 * second, PerMinute: 14},
		},
		{
			Name: "503 for 15 min", Lasts: 15 * minute, Outage: reltioauthtest.FaultStatus,
			Goal: Goal{After: 16 * second, PerMinute: 12},
		},
		{
			Name: "connections refused for 15 min", Lasts: 15 * minute, Outage: reltioauthtest.FaultUnreachable,
			Goal: Goal{After: 16 * second, PerMinute: 12},
		},
		{ // A token is asked for 1 s after its end.
			Name: "every response takes 9 s, for 1 min", Lasts: minute, Slow: 9 * second,
			Goal: Goal{Without: 10500 * time.Millisecond, PerMinute: 12},
		},
		{
			Name: "every response takes 20 s, for 15 min", Lasts: 15 * minute, Slow: 20 * second,
			Goal: Goal{Without: 22 * second, PerMinute: 12},
		},
	}
}

// Result is what one way came to.
type Result struct {
	Way string `json:"way"`
	// Without is how long no caller had a valid token, from the end of the last one.
	Without time.Duration `json:"without"`
	// After is the part of it after the end of the trouble; 0 if a token came before.
	After time.Duration `json:"after"`
	// Longest is the longest that a caller waited for a token or an error.
	Longest time.Duration `json:"longest"`
	// Failed is how many calls ended with an error.
	Failed int `json:"failed"`
	// PerMinute is how many token requests the server got a minute, on average, while
	// the trouble lasted.
	PerMinute float64 `json:"per_minute"`
}

// Report is what all comparisons came to. Results and crowds are in the order of the
// ways, the service first.
type Report struct {
	// Troubles are the results by a trouble's name.
	Troubles  map[string][]Result `json:"troubles"`
	Crowds    []Crowd             `json:"crowds"`
	Corrected Corrected           `json:"corrected"`
}

// The connection and its server in every comparison.
const (
	clientID     = "client"
	clientSecret = "secret-of-client"
	life         = time.Hour
	callEvery    = 300 * time.Millisecond
	// itemTime is what the recipe's read or write of its item takes.
	itemTime = 5 * time.Millisecond
)

// source asks for a token.
type source func(ctx context.Context) (reltioauth.Secret, error)

// way is one way to keep a token: its callers, one in each process.
type way struct {
	name    string
	sources []source
	// valid asks the server about a token, requests counts token requests until now.
	valid    func(reltioauth.Secret) bool
	requests func() int
	// begin begins a trouble that lasts until a moment.
	begin func(Trouble, time.Time)
	// end waits until nothing of it runs.
	end func() error
}

// through lets a way's callers ask from shortly before a token's end until the
// trouble is over, and for five minutes more.
func (w way) through(ctx context.Context, now func() time.Time, t Trouble) (Result, error) {
	first, err := w.sources[0](ctx)
	if err != nil {
		return Result{}, err
	}
	ends := now()
	for w.valid(first) { // the server knows its end to the second
		time.Sleep(time.Second)
		ends = now()
	}
	before := w.requests()
	over := ends.Add(t.Lasts)
	if t.Outage != 0 || t.Slow > 0 {
		w.begin(t, over)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var at time.Time // of the first valid token; mu guards the three
	var longest time.Duration
	var failed int
	var callers sync.WaitGroup
	for i, ask := range w.sources {
		callers.Go(func() {
			time.Sleep(time.Duration(i) * callEvery / time.Duration(len(w.sources)))
			for ctx.Err() == nil {
				asked := now()
				token, err := ask(ctx)
				mu.Lock()
				longest = max(longest, now().Sub(asked))
				if err != nil {
					failed++
				}
				if err == nil && at.IsZero() && w.valid(token) {
					at = now()
				}
				mu.Unlock()
				time.Sleep(callEvery)
			}
		})
	}
	time.Sleep(over.Sub(now()))
	asked := w.requests() - before
	time.Sleep(5 * time.Minute)
	cancel()
	callers.Wait()
	r := Result{Way: w.name, Without: -1, Longest: longest, Failed: failed, PerMinute: float64(asked) / t.Lasts.Minutes()}
	if !at.IsZero() {
		r.Without, r.After = at.Sub(ends), max(0, at.Sub(over))
	}
	return r, w.end()
}

// sandbox is a server in virtual time.
func sandbox() (*reltioauthtest.Server, *reltioauth.Client) {
	var seed [32]byte
	server := reltioauthtest.New(reltioauthtest.Config{
		Rand:      rand.NewChaCha8(seed),
		Clients:   []reltioauthtest.Client{{ID: clientID, Secret: reltioauth.NewSecret(clientSecret), AccessTokenTTL: life}},
		Behaviour: reltioauthtest.Framework(),
	})
	client := server.Client(clientID)
	return server, client
}

// peer is a way whose processes ask a sandbox themselves.
func peer(name string, server *reltioauthtest.Server, sources ...source) way {
	return way{
		name: name, sources: sources, valid: server.Valid,
		requests: func() int { return server.TokenRequests(time.Time{}, time.Time{}) },
		begin: func(t Trouble, until time.Time) {
			server.Outage(reltioauthtest.Outage{Until: until, Fault: reltioauthtest.Fault{Kind: t.Outage, Hold: t.Slow}})
		},
		end: func() error { return nil },
	}
}

// roundTripper lets net/http reach a sandbox without a network.
type roundTripper struct{ connect reltioauth.Connector }

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	target := &url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host}
	transport, err := r.connect(request.Context(), target)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(request)
}

// ask makes x/oauth2 ask a sandbox.
func ask(server *reltioauthtest.Server) oauth2.TokenSource {
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: roundTripper{server.Connector()}})
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientSecret, AuthStyle: oauth2.AuthStyleInHeader,
		TokenURL: reltioauth.DefaultAuthURL + "/oauth/token",
	}
	return config.TokenSource(ctx)
}

func of(s oauth2.TokenSource) source {
	return func(context.Context) (reltioauth.Secret, error) {
		token, err := s.Token()
		if err != nil {
			return reltioauth.Secret{}, err
		}
		return reltioauth.NewSecret(token.AccessToken), nil
	}
}

// xoauth2 is the reuse source in some processes.
func xoauth2(name string, processes int) way {
	server, _ := sandbox()
	sources := make([]source, processes)
	for i := range sources {
		sources[i] = of(ask(server))
	}
	return peer(name, server, sources...)
}

// recipe is a token in a shared item.
func recipe(processes int) way {
	server, _ := sandbox()
	var mu sync.Mutex
	var item *oauth2.Token // guarded by mu
	read := func() *oauth2.Token { time.Sleep(itemTime); mu.Lock(); defer mu.Unlock(); return item }
	write := func(t *oauth2.Token) { time.Sleep(itemTime); mu.Lock(); defer mu.Unlock(); item = t }
	one := func(context.Context) (reltioauth.Secret, error) {
		if t := read(); t.Valid() {
			return reltioauth.NewSecret(t.AccessToken), nil
		}
		t, err := ask(server).Token() //nolint:contextcheck // x/oauth2 keeps a context of its own
		if err != nil {
			return reltioauth.Secret{}, err
		}
		write(t)
		return reltioauth.NewSecret(t.AccessToken), nil
	}
	sources := make([]source, processes)
	for i := range sources {
		sources[i] = one
	}
	return peer("recipe", server, sources...)
}

// library is the TokenSource of package reltioauth.
func library() way {
	server, client := sandbox()
	client.Connect = server.Connector()
	return peer("reltioauth", server, of(client.TokenSource(context.Background(), reltioauth.ClientCredentialsGrant{})))
}

var errNone = errors.New("peers: no token")

// service is this product: ten callers of issue, the sweeps of rotate, a table and a
// Secrets Manager.
func service(now func() time.Time) way {
	var until time.Time
	var slow time.Duration
	var mu sync.Mutex // guards until and slow
	script := func(o simulation.Operation) (f simulation.Fault) {
		mu.Lock()
		defer mu.Unlock()
		if o.Op == simulation.OpToken && slow > 0 && now().Before(until) {
			f = simulation.Fault{Kind: simulation.Hold, For: slow}
		}
		return f
	}
	w := simulation.New(simulation.Config{Seed: 1, Now: now, Exact: true, Calm: true, Script: script})
	w.Populate([]simulation.Spec{{Name: "acme", Type: connection.ClientCredentials, Behaviour: reltioauthtest.Framework(), TTL: life}})
	w.Tick()
	var driver sync.WaitGroup
	driver.Go(func() { w.Until(now().Add(life + 25*time.Minute)) })
	one := func(context.Context) (reltioauth.Secret, error) {
		answer, err := w.Issue("acme", issue.Request{}) //nolint:contextcheck // the world has its own
		if err != nil || answer.AccessToken.IsZero() {
			return reltioauth.Secret{}, cmp.Or(err, errNone)
		}
		return answer.AccessToken, nil
	}
	sources := make([]source, 10)
	for i := range sources {
		sources[i] = one
	}
	return way{
		name: "this service", sources: sources, valid: w.Server().Valid,
		requests: func() int { return w.Figures().Requests },
		begin: func(t Trouble, ends time.Time) {
			if t.Slow == 0 {
				w.Server().Outage(reltioauthtest.Outage{Until: ends, Fault: reltioauthtest.Fault{Kind: t.Outage}})
			}
			mu.Lock()
			defer mu.Unlock()
			slow, until = t.Slow, ends
		},
		end: func() error {
			driver.Wait()
			w.Rest()
			if b := w.Breach(); b != nil {
				return b
			}
			return nil
		},
	}
}

// Compare lets every way go through a trouble, the service first. It runs in virtual
// time only.
func Compare(ctx context.Context, now func() time.Time, t Trouble) (results []Result, err error) {
	for _, make := range []func() way{
		func() way { return service(now) },
		func() way { return xoauth2("x/oauth2, one process", 1) },
		func() way { return xoauth2("x/oauth2, ten processes", 10) },
		func() way { return recipe(10) },
		library,
	} {
		r, e := make().through(ctx, now, t)
		if e != nil {
			return nil, fmt.Errorf("%s: %w", r.Way, e)
		}
		results = append(results, r)
	}
	return results, nil
}
