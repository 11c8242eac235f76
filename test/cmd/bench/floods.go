package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
)

// flood is a crowd that comes at once.
type flood struct {
	name string
	// before makes ready what the crowd finds; nil: nothing.
	before func(context.Context, *rig.Rig) error
	// payload of each; callers in all; environments at a time.
	payload               func(i int, fingerprint string) string
	callers, environments int
	// most is how many token requests there may be.
	most int
}

// floodedLife is how long tokens are valid where one has to end.
const floodedLife = 12 * time.Second

func floods() []flood {
	plain := func(int, string) string { return `{"connection":"one"}` }
	return []flood{
		{name: "1,000 callers, 100 cold environments, no token yet", payload: plain, callers: 1000, environments: 100, most: 1},
		{name: "the same while the token ends", before: untilEnd, payload: plain, callers: 1000, environments: 100, most: 1},
		{
			name: "100 reports of one dead token", before: kill, callers: 100, environments: 100, most: 1,
			payload: func(_ int, fingerprint string) string {
				return `{"connection":"one","rejected_fingerprint":"` + fingerprint + `"}`
			},
		},
		{name: "1,000 callers, Reltio answers 429", before: answering(reltioauthtest.FaultRateLimit), payload: plain, callers: 1000, environments: 100, most: 1},
		{name: "1,000 callers, Reltio answers 503", before: answering(reltioauthtest.FaultStatus), payload: plain, callers: 1000, environments: 100, most: 1},
		{
			name: "1,000 names that nobody knows", callers: 1000, environments: 100,
			payload: func(i int, _ string) string { return fmt.Sprintf(`{"connection":"unknown-%d"}`, i) },
		},
	}
}

// untilEnd waits until the token is about to end. How the server treats early
// requests has been learned by then, as it is after a connection's first hour.
func untilEnd(ctx context.Context, r *rig.Rig) error {
	if _, err := r.Invoke(ctx, "issue", []byte(`{"connection":"one"}`)); err != nil {
		return err
	}
	g, err := r.Table.Grant(ctx, "one", grant.Strong)
	if err != nil {
		return err
	}
	g.LoginMode, g.EarlyAskedAt = grant.AtEnd, time.Now()
	held := lease.Lease{Connection: g.Connection, Owner: g.Owner, Epoch: g.Epoch}
	if err := r.Table.PutGrant(ctx, held, g.Indexed(time.Now())); err != nil {
		return err
	}
	r.Host.Recycle("issue") // it remembers the grant as it was
	pause(ctx, time.Until(g.ExpiresAt.Add(-1500*time.Millisecond)))
	return nil
}

// kill revokes the token.
func kill(ctx context.Context, r *rig.Rig) error {
	a, err := r.Invoke(ctx, "issue", []byte(`{"connection":"one"}`))
	if err != nil {
		return err
	}
	v, err := readIssued(a.Payload)
	if err == nil && !r.Sandbox.Kill(v.Fingerprint) {
		err = errors.New("there was no token to kill")
	}
	return err
}

// answering lets the server answer so from now on.
func answering(kind reltioauthtest.FaultKind) func(context.Context, *rig.Rig) error {
	return func(_ context.Context, r *rig.Rig) error {
		r.Sandbox.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(reltioauthtest.Request) reltioauthtest.Fault { return reltioauthtest.Fault{Kind: kind} }
		})
		return nil
	}
}

// flooded is what a flood did.
type flooded struct {
	requests, answered, tokens int
	errors                     map[string]int
	slowest                    time.Duration
}

// run lets the crowd come.
func (f flood) run(ctx context.Context, b *bench) (flooded, error) {
	r, err := rig.Start(ctx, rig.Config{
		Now: time.Now, Binaries: b.binaries,
		Sandbox: reltioauthtest.Config{Clients: []reltioauthtest.Client{client(0, floodedLife)}},
	})
	if err != nil {
		return flooded{}, err
	}
	defer func() { _ = r.Close() }()
	err = r.AddConnection(ctx, "one", byClient(0))
	if err == nil && f.before != nil {
		err = f.before(ctx, r)
	}
	if err != nil {
		return flooded{}, err
	}
	fingerprint := current(ctx, r)
	from := time.Now()
	var mu sync.Mutex // guards result
	result := flooded{errors: map[string]int{}}
	tokens := map[string]bool{}
	err = atOnce(ctx, f.callers, f.environments, func(ctx context.Context, i int) error {
		began := time.Now()
		a, err := r.Invoke(ctx, "issue", []byte(f.payload(i, fingerprint)))
		mu.Lock()
		defer mu.Unlock()
		result.slowest = max(result.slowest, time.Since(began))
		var failed *rig.FunctionError
		switch {
		case errors.As(err, &failed):
			result.errors[failed.Type()]++
			return nil
		case err != nil:
			return err
		}
		v, err := readIssued(a.Payload)
		tokens[v.Fingerprint], result.answered = true, result.answered+1
		return err
	})
	result.requests, result.tokens = r.Sandbox.TokenRequests(from, time.Time{}), len(tokens)
	return result, err
}

// current names the token that is stored, if there is one.
func current(ctx context.Context, r *rig.Rig) string {
	g, err := r.Table.Grant(ctx, "one", grant.Strong)
	if err != nil {
		return ""
	}
	return g.Fingerprint
}

func list(counts map[string]int) string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(all, ", ")
}

// floods measures what crowds cost Reltio.
func (b *bench) floods(ctx context.Context) (figures.Section, error) {
	s := figures.Section{
		Title:  "Floods",
		Text:   []string{"A crowd, 100 at a time, each flood in a stack of its own; all of it asks for one connection, but for the last one. Token requests are counted by the sandbox, from the flood's first call to its last answer. Tokens live 12 s here, so that one can end. (The very first token of a connection costs one request more, at its end, by which the service learns how this server treats early requests.)"},
		Header: []string{"Flood", "Token requests", "Answered with a token", "Different tokens", "Errors", "Slowest answer, s"},
	}
	most := 0
	for _, f := range floods() {
		x, err := f.run(ctx, b)
		if err != nil {
			return s, fmt.Errorf("%s: %w", f.name, err)
		}
		most = max(most, x.requests)
		s.Rows = append(s.Rows, []string{
			f.name, figures.Text(float64(x.requests)), figures.Text(float64(x.answered)),
			figures.Text(float64(x.tokens)), list(x.errors), figures.Text(x.slowest.Seconds()),
		})
	}
	s.Figures = []figures.Figure{{
		ID: "floods", Name: "token requests under any flood on one connection", Value: figures.Exactly(float64(most)),
		Bar: &figures.Bar{Limit: 1},
	}}
	return s, nil
}
