package faultinject

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Walk is an invocation that can be repeated on one stack: each time another
// code is answered.
type Walk struct {
	*Flow
	// begin comes before each time; nil: nothing does.
	begin func(context.Context, *scene) error
	// beside is a trouble that is there whenever the walk is walked.
	beside func() *trouble
	// keeps are services that it is there for: their connections are kept while the
	// environment is frozen. Nothing else of it is broken.
	keeps []stack.Service
	// Newcomers: each time it is another connection.
	Newcomers bool
	// recovers reports whether all is well again, after an outage that lasted, as
	// those who call find it, who know nothing of it.
	recovers func(context.Context, *scene) bool
}

// Walks are all of them. An operation is tried in the first in which its
// function does it.
func Walks() []*Walk { return append(renewals(), newcomers()...) }

func renewals() []*Walk {
	anew := reltioauthtest.Behaviour{Login: reltioauthtest.NewToken}
	codes := reltioauthtest.Behaviour{Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken}
	return []*Walk{
		{
			Flow: &Flow{
				Name: "rotate, an authorized connection whose refresh token is rotated", Function: rotate, GrantType: authorizationCode,
				Behaviour: rotates(0), prepare: login, act: renew, next: force, HasToken: true,
			},
			recovers: served,
		},
		{
			Flow: &Flow{
				Name: "rotate, client credentials", Function: rotate, GrantType: "client_credentials",
				Behaviour: anew, prepare: first, act: renew, next: force, HasToken: true,
			},
			recovers: served,
		},
		{
			Flow: &Flow{
				Name: "rotate, while Secrets Manager refuses", Function: rotate, GrantType: authorizationCode,
				Behaviour: rotates(0), prepare: login, act: renew, next: force, HasToken: true,
			},
			beside: func() *trouble {
				refused := Fault{Kind: Answer, Status: http.StatusBadRequest, Code: "AccessDeniedException"}
				return &trouble{function: rotate, service: stack.SecretsManager, name: "PutSecretValue grants/", Fault: refused}
			},
		},
		{
			Flow: &Flow{
				Name: "rotate, a sweep", Function: rotate, GrantType: "password",
				Behaviour: rotates(0), prepare: first, act: sweep, next: sweepAgain,
			},
			begin: expire, recovers: swept,
		},
		{
			Flow: &Flow{
				Name: "issue, the token has ended", Function: issue, GrantType: "client_credentials",
				Behaviour: anew, prepare: first, act: ask, next: askAgain,
			},
			begin: anotherExpires, Newcomers: true, recovers: served,
		},
		{
			Flow: &Flow{
				Name: "issue, a token near its end", Function: issue, GrantType: "client_credentials",
				Behaviour: anew, prepare: askedEarly, act: ask, next: askAgain, HasToken: true,
			},
			begin: nearEnd, keeps: []stack.Service{stack.Lambda}, recovers: served,
		},
		{
			Flow: &Flow{
				Name: "callback, a login beside a good grant", Function: callback, GrantType: authorizationCode,
				Behaviour: codes, prepare: login, act: arrive, next: stillGood,
			},
			begin: departAnew, recovers: reloaded,
		},
	}
}

func newcomers() []*Walk {
	codes := reltioauthtest.Behaviour{Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken}
	return []*Walk{
		{
			Flow: &Flow{
				Name: "rotate, a first login", Function: rotate, GrantType: "password",
				Behaviour: rotates(0), act: ask, next: force,
			},
			begin: newcomer, Newcomers: true, recovers: served,
		},
		{
			Flow: &Flow{
				Name: "rotate, a new connection needs a person", Function: rotate, GrantType: authorizationCode,
				Behaviour: codes, act: ask, next: personComes, Waits: true,
			},
			begin: newcomer, Newcomers: true, recovers: announced,
		},
		{
			Flow: &Flow{
				Name: "callback, a first login", Function: callback, GrantType: authorizationCode,
				Behaviour: codes, act: arrive, next: comeAgain,
			},
			begin: newcomerDeparts, Newcomers: true, recovers: reloaded,
		},
	}
}

// expire gives the connection a token that has ended, and the next one an hour.
func expire(ctx context.Context, s *scene) error {
	const short, due = 2 * time.Second, 1100 * time.Millisecond
	if err := s.withLife(ctx, short); err != nil {
		return err
	}
	s.sleep(ctx, short+due)
	return nil
}

// askedEarly is a caller who had rotate invoked without waiting for it.
func askedEarly(ctx context.Context, s *scene) error {
	if err := first(ctx, s); err != nil {
		return err
	}
	if r := s.rotate(ctx); r.Outcome != "renewed" { // shows that the old token stays valid
		return fmt.Errorf("%w: %s", errNoToken, r)
	}
	if err := nearEnd(ctx, s); err != nil {
		return err
	}
	s.Host.Recycle(issue) // its memory has the first token
	return first(ctx, s)
}

// nearEnd gives the connection a token that is near its end: in the last fifth of its
// life callers get it, and have another one asked for.
func nearEnd(ctx context.Context, s *scene) error {
	const life = 24 * time.Second
	began := s.bench.Now()
	if err := s.withLife(ctx, life); err != nil {
		return err
	}
	s.sleep(ctx, began.Add(life*81/100).Sub(s.bench.Now()))
	return nil
}

// withLife gives the connection a token that is valid for so long, and the next one an hour.
func (s *scene) withLife(ctx context.Context, life time.Duration) error {
	s.Sandbox.SetLifetimes(acme, life, 0)
	defer s.Sandbox.SetLifetimes(acme, time.Hour, 0)
	if r := s.rotate(ctx); r.Outcome != "renewed" {
		return fmt.Errorf("%w: %s", errNoToken, r)
	}
	return nil
}

// newcomer adds a connection that has had no request yet, with a user of its own.
func newcomer(ctx context.Context, s *scene) error {
	s.name = fmt.Sprintf("acme-%d", s.rounds)
	fields := s.flow.connection()
	if s.flow.GrantType == "password" {
		user := fmt.Sprintf("ann-%d", s.rounds)
		s.Sandbox.AddUser(reltioauthtest.User{Username: user, Password: reltioauth.NewSecret(password)})
		fields["username"] = user
	}
	return s.AddConnection(ctx, s.name, fields)
}

// anotherExpires is a connection that issue has not in its memory, whose token has
// ended.
func anotherExpires(ctx context.Context, s *scene) error {
	if err := newcomer(ctx, s); err != nil {
		return err
	}
	return expire(ctx, s)
}

func newcomerDeparts(ctx context.Context, s *scene) error {
	if err := newcomer(ctx, s); err != nil {
		return err
	}
	return departAnew(ctx, s)
}

// departAnew is another person's way to the login page and through it.
func departAnew(ctx context.Context, s *scene) error {
	s.browser = browser{}
	return depart(ctx, s)
}

// sweepAgain is the next tick; a lease that was not released ends first.
func sweepAgain(ctx context.Context, s *scene) string {
	s.awaitLease(ctx)
	if err := s.tick(ctx); err != nil {
		return err.Error()
	}
	if swept(ctx, s) {
		return "renewed"
	}
	return "not renewed; " + s.renewAgain(ctx)
}

// stillGood is the grant that was there before, without a person; then the
// person tries again.
func stillGood(ctx context.Context, s *scene) string {
	return s.renewAgain(ctx) + "; " + s.secondTry(ctx)
}

// served reports whether a caller gets a valid token.
func served(ctx context.Context, s *scene) bool {
	v := s.issue(ctx, "")
	return v.ErrorType == "" && s.Sandbox.Valid(reltioauth.NewSecret(v.AccessToken))
}

// swept reports whether a tick, or one before it, has renewed.
func swept(ctx context.Context, s *scene) bool {
	if err := s.tick(ctx); err != nil {
		return false
	}
	g, err := s.Table.Grant(ctx, s.name, grant.Strong)
	return err == nil && s.Sandbox.Valid(g.AccessToken)
}

// announced reports whether the event of the connection is out.
func announced(ctx context.Context, s *scene) bool {
	return s.tick(ctx) == nil && s.wire.toldOf(s.name) > 0
}

// reloaded reports whether the person is through, who starts again as often as
// the page says so.
func reloaded(ctx context.Context, s *scene) bool {
	return s.person(ctx, &browser{}) == nil
}
