package peers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/test/simulation"
)

// Callers is how many ask at once in a crowd, and ServerTakes how long the server
// takes for its response.
const (
	Callers     = 500
	ServerTakes = 300 * time.Millisecond
)

// Crowd is what became of callers who asked at once while there was no token. Those
// who got an error asked again until they had one.
type Crowd struct {
	Way string `json:"way"`
	// First is how long the first of them waited for a token, Median the one in
	// the middle, Last the last.
	First, Median, Last time.Duration
	// Requests is how many token requests the server got.
	Requests int `json:"requests"`
}

// Crowds lets a crowd ask, the service first. Each caller is a process, as an execution
// environment is. It runs in virtual time only.
func Crowds(ctx context.Context, now func() time.Time) (all []Crowd, err error) {
	for _, make := range []func() way{
		func() way { return service(now) },
		func() way { return xoauth2("x/oauth2", Callers) },
		func() way { return recipe(Callers) },
	} {
		w := make()
		c := w.crowd(ctx, now)
		if e := w.end(); e != nil {
			return nil, fmt.Errorf("%s: %w", w.name, e)
		}
		all = append(all, c)
	}
	return all, nil
}

func (w way) crowd(ctx context.Context, now func() time.Time) Crowd {
	const meanwhile = 10 * time.Minute
	w.begin(Trouble{Slow: ServerTakes}, now().Add(meanwhile))
	var mu sync.Mutex
	var waited []time.Duration // guarded by mu
	var callers sync.WaitGroup
	began := now()
	for i := range Callers {
		callers.Go(func() {
			ask := w.sources[i%len(w.sources)]
			for now().Sub(began) < meanwhile {
				if _, err := ask(ctx); err == nil {
					mu.Lock()
					waited = append(waited, now().Sub(began))
					mu.Unlock()
					return
				}
				time.Sleep(callEvery)
			}
		})
	}
	callers.Wait()
	c := Crowd{Way: w.name, Requests: w.requests()}
	slices.Sort(waited)
	if len(waited) == Callers { // else it never ended
		c.First, c.Median, c.Last = waited[0], waited[len(waited)/2], waited[len(waited)-1]
	}
	return c
}

// Corrected is how long callers wait for a token after an operator has corrected the
// password of a connection that was refused twice.
type Corrected struct {
	// Forced: the operator has the connection renewed, as `reltio-tokens add
	// --force` does. Unforced: nothing is done.
	Forced, Unforced time.Duration
}

// Correct measures it. It runs in virtual time only.
func Correct(now func() time.Time) (c Corrected, err error) {
	if c.Forced, err = correct(now, true); err != nil {
		return c, err
	}
	c.Unforced, err = correct(now, false)
	return c, err
}

func correct(now func() time.Time, force bool) (time.Duration, error) {
	const name, until = "acme", time.Hour
	w := simulation.New(simulation.Config{Seed: 1, Now: now, Exact: true, Calm: true})
	w.Populate([]simulation.Spec{{Name: name, Type: connection.Password, Wrong: true}})
	w.Tick()
	var driver sync.WaitGroup
	driver.Go(func() { w.Until(now().Add(until)) })
	for range 20 { // both logins are refused
		_, _ = w.Issue(name, issue.Request{})
		time.Sleep(time.Minute)
	}
	began := now()
	w.Correct(name)
	if force {
		w.Renew(name, true)
	}
	took := -time.Second
	for now().Sub(began) < until/2 {
		if _, err := w.Issue(name, issue.Request{}); err == nil {
			took = now().Sub(began)
			break
		}
		time.Sleep(callEvery)
	}
	driver.Wait()
	w.Rest()
	if b := w.Breach(); b != nil {
		return 0, b
	}
	return took, nil
}
