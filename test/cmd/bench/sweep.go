package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// The sweep that is measured.
const (
	sweptGrants = 10_000
	// sweptSecrets is how many of them have a secret: more than the ticks can
	// renew, and no other is read.
	sweptSecrets = 1_100
	ticks        = 2
	tickEvery    = time.Minute
	perSecond    = 8
	// answerIn is how long the server takes for a token request.
	answerIn = 300 * time.Millisecond
)

// sweepRig has 10,000 connections whose tokens ended an hour ago and later.
func (b *bench) sweepRig(ctx context.Context) (*rig.Rig, error) {
	sandbox := reltioauthtest.Config{Fault: func(q reltioauthtest.Request) reltioauthtest.Fault {
		if q.Op == reltioauthtest.OpToken {
			return reltioauthtest.Fault{Delay: answerIn}
		}
		return reltioauthtest.Fault{}
	}}
	for i := range sweptSecrets {
		sandbox.Clients = append(sandbox.Clients, client(i, time.Hour))
	}
	r, err := rig.Start(ctx, rig.Config{Now: time.Now, Binaries: b.binaries, TLS: true, Share: true, Sandbox: sandbox})
	if err != nil {
		return nil, err
	}
	url, err := r.Front(ctx, r.ReltioURL)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	_, host, _ := strings.Cut(url, "://")
	began := time.Now()
	err = errors.Join(
		inParallel(ctx, sweptSecrets, func(ctx context.Context, i int) error { return r.AddConnection(ctx, name(i), byClient(i)) }),
		inParallel(ctx, sweptGrants, func(ctx context.Context, i int) error {
			ended := began.Add(-time.Hour + time.Duration(i)*time.Minute/500)
			g := holding(i, ended.Add(-time.Hour), time.Hour)
			g.Identity = connection.Hash(host, fmt.Sprintf("client-%05d", i), string(connection.ClientCredentials), "", "")
			return put(ctx, r, g)
		}),
		r.Deploy(ctx, lambdahost.Function{
			Name: "oauth2",
			Env: map[string]string{
				"TOKEN_URL": url + "/oauth/token", "LOGIN_CLIENT": "client-00000", "LOGIN_CLIENT_SECRET": "secret-of-client-00000",
			},
		}),
	)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// swept is what the ticks brought.
type swept struct {
	// share of the rate limit, over all ticks, from the first one's moment.
	share float64
	// requests within that time, 429s, and the most in any second.
	requests, limited, most int
	// memory is the most that one environment ever held, in MiB; work
	// the processor's time for each renewal, in milliseconds.
	memory, work float64
}

// runTicks lets the schedule tick, as it does: each minute, whether or not the
// sweep before has ended.
func runTicks(ctx context.Context, r *rig.Rig) (swept, error) {
	began := time.Now()
	for i := range ticks {
		pause(ctx, time.Until(began.Add(time.Duration(i)*tickEvery)))
		if _, err := r.Schedule.Tick(); err != nil {
			return swept{}, err
		}
	}
	end := began.Add(ticks * tickEvery)
	pause(ctx, time.Until(end))
	if err := r.Host.Drain(ctx); err != nil {
		return swept{}, err
	}
	s := swept{requests: r.Sandbox.TokenRequests(began, end), most: r.Sandbox.MaxTokenRequests(time.Second)}
	s.share = float64(s.requests) / (perSecond * end.Sub(began).Seconds())
	for _, q := range r.Sandbox.Requests() {
		if q.Outcome == reltioauthtest.OutcomeRateLimited {
			s.limited++
		}
	}
	for _, e := range r.Host.Environments("rotate") {
		work, err := rig.CPU(e)
		if err != nil {
			return s, err
		}
		s.work += ms(work)
	}
	s.work /= float64(r.Sandbox.TokenRequests(began, time.Time{}))
	s.memory = float64(r.Last("rotate").MaxMemory) / (1 << 20)
	return s, nil
}

// beyond measures single renewals and bare token requests alternately.
func beyond(ctx context.Context, r *rig.Rig, rounds int) (renewals, requests []float64, err error) {
	const between = time.Second / perSecond
	force := []byte(`{"connection":"` + name(0) + `","force":true}`)
	for i := range rounds + 1 {
		pause(ctx, between)
		renewal, err := r.Invoke(ctx, "rotate", force)
		if err != nil {
			return nil, nil, err
		}
		pause(ctx, between)
		request, err := r.Invoke(ctx, "oauth2", nil)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 { // the first ones start environments
			renewals = append(renewals, ms(renewal.Report.Answered))
			requests = append(requests, ms(request.Report.Answered))
		}
	}
	return renewals, requests, nil
}

// sweep measures a fleet that is due all at once.
func (b *bench) sweep(ctx context.Context) (figures.Section, error) {
	const rounds = 25
	s := figures.Section{
		Title: "A sweep of 10,000 connections",
		Text: []string{
			fmt.Sprintf("10,000 client-credentials connections whose tokens have all ended; a token request takes %d ms; 16 renewals at a time, 8 token requests a second, over TLS, with the processor's share of 512 MB. At that rate all of them take 21 minutes: what is measured is %d ticks of a minute, in which the backlog lasts. The share of the rate limit is the number of token requests that arrived from the first tick's moment on, ÷ 8 a second for all of that time. (The sweep takes up the most urgent; only the %d most urgent have a secret here, no other is read.)", answerIn.Milliseconds(), ticks, sweptSecrets),
			"Beyond the request: single renewals by `rotate`, in an environment that runs already, and alternately with them a bare token request with x/oauth2 at the same sandbox.",
		},
		Header: []string{"Figure", "Value"},
	}
	r, err := b.sweepRig(ctx)
	if err != nil {
		return s, err
	}
	defer func() { _ = r.Close() }()
	x, err := runTicks(ctx, r)
	if err != nil {
		return s, err
	}
	renewals, requests, err := beyond(ctx, r, rounds)
	if err != nil {
		return s, err
	}
	var over []float64
	for i := range renewals {
		over = append(over, renewals[i]-requests[i])
	}
	s.Rows = [][]string{
		{"share of the rate limit", figures.Text(x.share)},
		{"token requests in the two minutes; answered by 429; most in any second", fmt.Sprintf("%d; %d; %d", x.requests, x.limited, x.most)},
		{"processor's time of `rotate` for each renewal, ms", figures.Text(x.work)},
		{"resident memory of `rotate` at most, MiB", figures.Text(x.memory)},
		{"a renewal, ms", figures.Of(renewals).String()},
		{"a bare token request, ms", figures.Of(requests).String()},
		{"a renewal beyond the request, ms", figures.Of(over).String()},
		{"renewal ÷ bare token request", figures.Ratio(renewals, requests).String()},
	}
	s.Figures = []figures.Figure{
		{
			ID: "sweep-share", Name: "share of the rate limit that a full sweep reaches (300 ms, 16 at a time)",
			Value: figures.Exactly(x.share), Bar: &figures.Bar{Limit: 0.95, AtLeast: true},
		},
		{ID: "sweep-renewal", Name: "renewal ÷ bare token request", Value: figures.Ratio(renewals, requests)},
	}
	return s, nil
}
