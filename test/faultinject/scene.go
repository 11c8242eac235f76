package faultinject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// The functions.
const (
	issue    = "issue"
	rotate   = "rotate"
	callback = "callback"
)

// The one connection of a scene, and the client and the user that it names.
const (
	acmeProd     = "acme-prod"
	acme         = "acme"
	clientSecret = "canary-secret-of-acme"
	ann          = "ann"
	password     = "canary-password-of-ann"
)

// scene is a stack in which one flow is broken once.
type scene struct {
	*stack.Stack
	bench *Bench
	flow  *Flow
	wire  *wire
	// name is the connection that is asked for.
	name string
	// rounds counts those that were begun.
	rounds int
	log    *logtest.Buffer
	// written is everything that was said outside the logs: answers with an
	// error, pages.
	written logtest.Buffer
	browser browser
	// longest is what a call of issue took at most, in nanoseconds.
	longest atomic.Int64
}

// took notes how long a caller of issue waited.
func (s *scene) took(d time.Duration) {
	for {
		was := s.longest.Load()
		if int64(d) <= was || s.longest.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// waited is how long a caller of issue waited at most.
func (s *scene) waited() time.Duration { return time.Duration(s.longest.Load()) }

// open starts a stack and prepares the flow. On a machine that is busy with
// other cases that may take more than one try.
func (b *Bench) open(ctx context.Context, f *Flow) (s *scene, err error) {
	const tries = 3
	for range tries {
		if s, err = b.openOnce(ctx, f); err == nil || ctx.Err() != nil {
			break
		}
	}
	return s, err
}

func (b *Bench) openOnce(ctx context.Context, f *Flow) (*scene, error) {
	s := &scene{bench: b, flow: f, name: acmeProd, wire: newWire(b.Now), log: &logtest.Buffer{}}
	s.wire.keep(clientSecret)
	s.wire.keep(password)
	c := stack.Config{
		Now: b.Now, Binaries: b.Binaries, DynamoDB: b.dynamoDB.Endpoint, Moto: b.moto[b.opened.Add(1)%motos].Endpoint,
		Via: s.wire.via, Log: s.log,
		Sandbox: reltioauthtest.Config{
			Clients:   []reltioauthtest.Client{{ID: acme, Secret: reltioauth.NewSecret(clientSecret), AccessTokenTTL: f.TokenLife}},
			Users:     []reltioauthtest.User{{Username: ann, Password: reltioauth.NewSecret(password)}},
			Behaviour: f.Behaviour.OrDocumented(),
		},
	}
	var err error
	if s.Stack, err = stack.Start(ctx, c); err != nil {
		s.wire.close()
		return nil, err
	}
	s.wire.host = s.Host
	if err = s.wire.err; err == nil {
		err = s.AddConnection(ctx, acmeProd, f.connection())
	}
	if err == nil && f.prepare != nil {
		err = f.prepare(ctx, s)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("preparing %s: %w", f.Name, err)
	}
	return s, nil
}

func (s *scene) close() {
	s.wire.close()
	_ = s.Close() // its processes are gone either way
}

// asked is how many token requests Reltio has had.
func (s *scene) asked() int { return s.Sandbox.TokenRequests(time.Time{}, time.Time{}) }

// issued is what issue answers.
type issued struct {
	AccessToken string   `json:"access_token"`
	Fingerprint string   `json:"fingerprint"`
	Outcome     string   `json:"outcome"`
	Warnings    []string `json:"warnings"`
	ErrorType   string   `json:"errorType"`
}

// String is what the caller saw, in a word.
func (v issued) String() string {
	switch {
	case v.ErrorType != "":
		return v.ErrorType
	case slices.Contains(v.Warnings, "renewal_failing"):
		return "token, with a warning"
	}
	return "token"
}

// issue asks for a token, as integrations do.
func (s *scene) issue(ctx context.Context, fields string) issued {
	v, began := issued{}, s.bench.Now()
	defer func() { s.took(s.bench.Now().Sub(began)) }()
	result, err := s.Host.Invoke(ctx, lambdahost.Invocation{
		Function: issue, Qualifier: "live", Payload: []byte(`{"connection":"` + s.name + `"` + fields + `}`),
	})
	if err != nil {
		return issued{ErrorType: err.Error()}
	}
	if result.FunctionError != "" {
		_, _ = s.written.Write(result.Payload) // it never fails
	}
	if err := json.Unmarshal(result.Payload, &v); err != nil {
		return issued{ErrorType: "an unreadable answer"}
	}
	return v
}

// rotated is what rotate answers.
type rotated struct {
	Outcome   string `json:"outcome"`
	ErrorType string `json:"errorType"`
	Error     struct {
		Type string `json:"type"`
	} `json:"error"`
}

func (r rotated) String() string {
	switch {
	case r.ErrorType != "":
		return r.ErrorType
	case r.Error.Type != "":
		return r.Outcome + ", " + r.Error.Type
	}
	return r.Outcome
}

// rotate renews by force, as operators do.
func (s *scene) rotate(ctx context.Context) rotated {
	r := rotated{}
	result, err := s.Host.Invoke(ctx, lambdahost.Invocation{
		Function: rotate, Qualifier: "live", Payload: []byte(`{"connection":"` + s.name + `","force":true}`),
	})
	if err != nil {
		return rotated{ErrorType: err.Error()}
	}
	_, _ = s.written.Write(result.Payload) // it never fails
	if err := json.Unmarshal(result.Payload, &r); err != nil {
		return rotated{ErrorType: "an unreadable answer"}
	}
	return r
}

// renewAgain is the invocation after the fault: forced, since no test waits for
// back-offs here, but never before its time where there is a lease.
func (s *scene) renewAgain(ctx context.Context) string {
	var story []string
	for range 12 {
		r := s.rotate(ctx)
		if text := r.String(); len(story) == 0 || story[len(story)-1] != text {
			story = append(story, text)
		}
		switch {
		case r.Outcome == "contended":
			s.awaitLease(ctx)
		case r.Error.Type == string(apierr.CredentialsRejected):
			// Nothing was refused: logins whose count was lost stay counted.
			if err := s.resume(ctx); err != nil {
				return err.Error()
			}
			story = append(story, "an operator resumes")
		case r.Outcome == "left_over", r.Outcome == "failed", r.ErrorType != "",
			r.Error.Type == string(apierr.StoreUnavailable): // parked, because Secrets Manager was slow
			s.sleep(ctx, time.Second)
		default:
			return strings.Join(story, "; ")
		}
	}
	return strings.Join(story, "; ") + "; given up"
}

// resume is the operator's, after logins that were counted and not sent.
func (s *scene) resume(ctx context.Context) error {
	_, err := s.operator().Resume(ctx, s.name)
	return err
}

// operator does what the command reltio-tokens does.
func (s *scene) operator() *operator.Service {
	return &operator.Service{
		Grants: s.Table, Leases: s.Table, Lockouts: s.Table, RateLimits: s.Table,
		Connections: s.Secrets, Secrets: s.Secrets, RefreshTokens: s.Secrets, Parking: s.Table,
		Hosts: connection.Hosts{s.wire.reltio}, Now: s.bench.Now,
	}
}

// awaitLease sleeps until the lease of a process that is gone has ended. If no process
// holds it, it is taken, until now: it is free at once, and its epoch has risen.
func (s *scene) awaitLease(ctx context.Context) {
	now := s.bench.Now()
	held, err := s.Table.TakeLease(ctx, lease.Request{Connection: s.name, Owner: lease.NewOwner(), Now: now, Until: now})
	if !errors.Is(err, lease.ErrHeld) {
		return
	}
	const moment = 100 * time.Millisecond
	s.sleep(ctx, min(held.Until.Sub(now), lease.Term)+moment)
}

func (*scene) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// rest returns when no function is at work any more.
func (s *scene) rest(ctx context.Context) {
	const often = 20 * time.Millisecond
	for ctx.Err() == nil && s.busy() {
		s.sleep(ctx, often)
	}
	_ = s.Host.Drain(ctx) // only the context can end it
}

func (s *scene) busy() bool {
	for _, function := range stack.Functions() {
		for _, e := range s.Host.Environments(function) {
			if e.Busy() {
				return true
			}
		}
	}
	return false
}

// tick is the schedule's.
func (s *scene) tick(ctx context.Context) error {
	if _, err := s.Schedule.Tick(); err != nil {
		return err
	}
	return s.Host.Drain(ctx)
}
