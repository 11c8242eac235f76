package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// starts are the samples of one function's cold starts, one of each a round.
type starts struct {
	// initial and first are the times of init and of the first invocation,
	// later the median of those after it; in milliseconds.
	initial, first, later []float64
	// both is init and first together; work is the processor's part of it.
	both, work []float64
	// memory is what is resident then, in MiB.
	memory []float64
}

// coldRig has all functions that are started: over TLS.
func (b *bench) coldRig(ctx context.Context, share bool) (*rig.Rig, error) {
	r, err := rig.Start(ctx, rig.Config{
		Now: time.Now, Binaries: b.binaries, TLS: true, Share: share,
		Sandbox: reltioauthtest.Config{Clients: []reltioauthtest.Client{client(0, time.Hour)}, RateLimit: -1},
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		putGrants(ctx, r, 100), // more than any function is asked for
		r.AddConnection(ctx, "renewed", byClient(0)),
		r.Deploy(ctx, lambdahost.Function{Name: rig.Unwarmed, Env: map[string]string{"ROTATE_FUNCTION": "rotate:live"}}, stack.DynamoDB, stack.Lambda),
	)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	answer, err := r.Invoke(ctx, "issue", request(0))
	if err == nil {
		err = r.Deploy(ctx, lambdahost.Function{Name: "empty", Env: map[string]string{"BODY": string(answer.Payload)}})
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// calls is how each function is invoked; i numbers the invocations.
func calls(r *rig.Rig, link string) map[string]func(ctx context.Context, i int) (lambdahost.Report, error) {
	ask := func(function string) func(context.Context, int) (lambdahost.Report, error) {
		return func(ctx context.Context, i int) (lambdahost.Report, error) {
			a, err := r.Invoke(ctx, function, request(i))
			return a.Report, err
		}
	}
	return map[string]func(context.Context, int) (lambdahost.Report, error){
		"empty": ask("empty"), "issue": ask("issue"), rig.Unwarmed: ask(rig.Unwarmed),
		"rotate": func(ctx context.Context, _ int) (lambdahost.Report, error) {
			a, err := r.Invoke(ctx, "rotate", []byte(`{"connection":"renewed","force":true}`))
			return a.Report, err
		},
		"callback": func(ctx context.Context, _ int) (lambdahost.Report, error) {
			if err := get(ctx, link); err != nil {
				return lambdahost.Report{}, err
			}
			return r.Last("callback"), nil
		},
	}
}

// get opens a page.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", response.Status)
	}
	return nil
}

// coldStarts starts each of the functions once a round.
func coldStarts(ctx context.Context, r *rig.Rig, functions []string, rounds, later int) (map[string]*starts, error) {
	if err := r.AddConnection(ctx, "person", map[string]any{
		"grant_type": "authorization_code", "client_id": "client-00000", "client_secret": "secret-of-client-00000", "tenant_id": "acme",
	}); err != nil {
		return nil, err
	}
	link, err := r.Invite(ctx, "person", false)
	if err != nil {
		return nil, err
	}
	all, how := map[string]*starts{}, calls(r, link)
	for _, f := range functions {
		all[f] = &starts{}
	}
	for range rounds {
		for _, f := range functions {
			if err := all[f].start(ctx, r, f, how[f], later); err != nil {
				return nil, fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	return all, nil
}

// start takes one sample.
func (s *starts) start(ctx context.Context, r *rig.Rig, function string, call func(context.Context, int) (lambdahost.Report, error), later int) error {
	// Two steps of the processor's share, so that what one sample used up is
	// none of the next one's; for rotate the space between two token requests.
	between := 40 * time.Millisecond
	if function == "rotate" {
		between = 150 * time.Millisecond
	}
	r.Host.Recycle(function)
	pause(ctx, between)
	cold, err := call(ctx, 0)
	if err != nil {
		return err
	}
	e, err := r.Only(function)
	if err != nil {
		return err
	}
	work, err := rig.CPU(e)
	if err != nil {
		return err
	}
	memory, err := e.RSS()
	if err != nil {
		return err
	}
	var after []float64
	for i := range later {
		pause(ctx, between)
		warm, err := call(ctx, i+1)
		if err != nil {
			return err
		}
		after = append(after, ms(warm.Answered))
	}
	s.initial, s.first = append(s.initial, ms(cold.Init)), append(s.first, ms(cold.Answered))
	s.both, s.work = append(s.both, ms(cold.Init+cold.Answered)), append(s.work, ms(work))
	s.memory = append(s.memory, float64(memory)/(1<<20))
	s.later = append(s.later, figures.Median(after))
	return nil
}

// cold measures how functions start.
func (b *bench) cold(ctx context.Context) (figures.Section, error) {
	const rounds, later = 21, 5
	s := figures.Section{
		Title: "Cold starts",
		Text: []string{
			"Each function is started again once a round, one after the other, with TLS in front of all that it calls: a chain of RSA keys of 2048 bits, and this system's root store plus one. Init has a whole processor, and what follows the share that comes with the memory of the template, by a control group: 256 MB are 0.14 of one (`rotate`: 512 MB). Init is counted from the start of the process to the moment when it asks for its first event.",
			"`issue` and its likes are asked for a connection that is not in memory, each time another; `rotate` renews one connection; `callback` shows the page of an invitation. *Unwarmed* is `issue` built without its warming call; *empty* answers bytes of the same length and does nothing.",
		},
		Header: []string{"Function", "Init, ms", "First, ms", "Later, ms", "Init and first, ms", "Processor, ms", "Resident, MiB"},
	}
	r, err := b.coldRig(ctx, true)
	if err != nil {
		return s, err
	}
	defer func() { _ = r.Close() }()
	functions := []string{"empty", "issue", rig.Unwarmed, "rotate", "callback"}
	all, err := coldStarts(ctx, r, functions, rounds, later)
	if err != nil {
		return s, err
	}
	for _, f := range functions {
		x := all[f]
		row := []string{"`" + f + "`"}
		for _, values := range [][]float64{x.initial, x.first, x.later, x.both, x.work, x.memory} {
			row = append(row, figures.Of(values).String())
		}
		s.Rows = append(s.Rows, row)
	}
	issue, unwarmed, empty := all["issue"], all[rig.Unwarmed], all["empty"]
	s.Figures = []figures.Figure{
		{ID: "cold-warmed", Name: "(init + first token) of `issue` with its warming call ÷ without", Value: figures.Ratio(issue.both, unwarmed.both), Bar: &figures.Bar{Limit: 0.6}},
		{ID: "cold-init", Name: "init of `issue` ÷ init of the empty handler", Value: figures.Ratio(issue.initial, empty.initial), Bar: &figures.Bar{Limit: 4, Why: slower}},
		{ID: "cold-first", Name: "first token after init ÷ warm token from DynamoDB", Value: figures.Ratio(issue.first, issue.later), Bar: &figures.Bar{Limit: 1.5}},
	}
	err = b.sizes(ctx, &s)
	return s, err
}

// slower says why the ratio of two inits was beyond its bar in the run that is committed.
const slower = "The machine was slow for a while in this run: alone, an hour later, it was 2.67, with the code of before 3.17, and on another one (an AMD EPYC) 1.29."

// sizes adds what is deployed.
func (b *bench) sizes(ctx context.Context, s *figures.Section) error {
	text := "What is deployed (arm64, and in brackets amd64):"
	for i, f := range []string{"empty", "issue", "rotate", "callback"} {
		arm, err := rig.SizeOf(ctx, f, "arm64")
		if err != nil {
			return err
		}
		amd, err := rig.SizeOf(ctx, f, "amd64")
		if err != nil {
			return err
		}
		mb := func(n int64) float64 { return float64(n) / 1e6 }
		if i > 0 {
			text += ";"
		}
		text += fmt.Sprintf(" %#q %.2f MB (%.2f), as a zip %.2f MB (%.2f)", f, mb(arm.Binary), mb(amd.Binary), mb(arm.Zip), mb(amd.Zip))
		if f == "issue" {
			s.Figures = append(s.Figures, figures.Figure{
				ID: "zip", Name: "`issue` as a zip, arm64", Unit: "MB", Value: figures.Exactly(mb(arm.Zip)),
				Bar: &figures.Bar{Limit: 4},
			})
		}
	}
	s.After = append(s.After, text+".")
	return nil
}
