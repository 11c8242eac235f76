package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
)

// trace is what a way did with the calls.
type trace struct {
	// mu guards what follows.
	mu              sync.Mutex
	latency         []float64 // ms, of calls that brought a valid token
	served, inRight int       // those, and those of them while the configured password was right
	calls, right    int       // all, and all while it was

	errors map[string]int // what the others brought

	requests, limited, refused int
	locked                     bool
}

func (t *trace) row() []string {
	whole := func(n int) string { return fmt.Sprint(n) }
	locked := "no"
	if t.locked {
		locked = "**yes**"
	}
	return []string{
		figures.Text(float64(t.requests) / hours), whole(t.limited), whole(t.refused), locked,
		fmt.Sprintf("%d of %d", t.served, t.calls), fmt.Sprintf("%d of %d", t.inRight, t.right),
		figures.Text(figures.Median(t.latency)), figures.Text(figures.Percentile(t.latency, 0.99)),
	}
}

// traces lets all ways go through the trace at once.
func traces(ctx context.Context, r *rig.Rig, all []*way) error {
	if err := prestart(ctx, r, all); err != nil {
		return err
	}
	from := time.Now()
	var calls sync.WaitGroup
	defer calls.Wait()
	tick := time.NewTicker(burst + silence)
	defer tick.Stop()
	for n := range bursts {
		if err := traceRound(ctx, r, all, n); err != nil {
			return err
		}
		right := n < changedAt || n >= mendedAt
		for range crowd {
			for _, w := range all {
				calls.Go(func() { w.call(ctx, r, right) })
			}
			pause(ctx, burst/crowd)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	calls.Wait()
	for _, w := range all {
		w.trace.read(w.server, from)
	}
	return nil
}

// prestart starts as many environments as a burst has calls, so that the trace
// is not about cold starts. What the calls bring is of no interest.
func prestart(ctx context.Context, r *rig.Rig, all []*way) error {
	for _, w := range all {
		err := atOnce(ctx, crowd, crowd, func(ctx context.Context, _ int) error {
			_, _ = r.Invoke(ctx, w.function, w.payload)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// round prepares a burst.
func traceRound(ctx context.Context, r *rig.Rig, all []*way, n int) error {
	for _, w := range all {
		switch n {
		case changedAt:
			w.server.SetPassword(loginUser, reltioauth.NewSecret(secondPassword))
		case mendedAt:
			if err := w.configure(ctx, r, secondPassword); err != nil {
				return err
			}
			if w.how == "" {
				if _, err := r.Invoke(ctx, "rotate", []byte(`{"connection":"acme","force":true}`)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// call is one call of the trace. That a call brings no token is a result too.
func (w *way) call(ctx context.Context, r *rig.Rig, right bool) {
	began := time.Now()
	a, err := r.Invoke(ctx, w.function, w.payload)
	took := time.Since(began)
	living := false
	if err == nil {
		v, err := readIssued(a.Payload)
		living = err == nil && w.server.Valid(reltioauth.NewSecret(v.AccessToken))
	}
	w.trace.mu.Lock()
	defer w.trace.mu.Unlock()
	w.trace.calls++
	if right {
		w.trace.right++
	}
	if !living {
		w.trace.count(err)
		return
	}
	w.trace.served++
	w.trace.latency = append(w.trace.latency, ms(took))
	if right {
		w.trace.inRight++
	}
}

// count counts a call without a valid token; mu is held.
func (t *trace) count(err error) {
	what := "a dead token"
	var failed *rig.FunctionError
	switch {
	case errors.As(err, &failed):
		what = failed.Type()
	case err != nil:
		what, _, _ = strings.Cut(err.Error(), ":")
	}
	if t.errors == nil {
		t.errors = map[string]int{}
	}
	t.errors[what]++
}

// read reads what the server saw.
func (t *trace) read(server *reltioauthtest.Server, from time.Time) {
	t.requests = server.TokenRequests(from, time.Time{})
	t.refused = server.RefusedLogins(loginUser, from, time.Time{})
	t.locked = server.Locked(loginUser)
	for _, q := range server.Requests() {
		if q.Outcome == reltioauthtest.OutcomeRateLimited && !q.At.Before(from) {
			t.limited++
		}
	}
}

// putSecret makes a secret, or gives it a new value.
func putSecret(ctx context.Context, r *rig.Rig, id string, fields map[string]any) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	value := aws.String(string(text))
	_, err = r.SecretsManager.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(id), SecretString: value})
	var exists *types.ResourceExistsException
	if errors.As(err, &exists) {
		_, err = r.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String(id), SecretString: value})
	}
	return err
}
