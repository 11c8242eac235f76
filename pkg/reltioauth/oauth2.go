package reltioauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// sourcePause is the shortest time that a failed TokenSource leaves the server
// alone.
const sourcePause = time.Second

// TokenSource keeps a token for programs that run alone and use
// golang.org/x/oauth2:
//
//	httpClient := oauth2.NewClient(ctx, client.TokenSource(ctx, grant))
//
// Its Token method may be called from any number of goroutines; they wait for
// one request. It hands the token out until its last second, because asking
// earlier brings the same token again, and then uses the refresh token if
// there is one. When the refresh token is dead it presents a PasswordGrant or
// ClientCredentialsGrant once more.
//
// A refusal (Error.Permanent) is final: the source repeats it and sends nothing
// more, so that no user is locked. Make a new one when the cause is mended. After
// any other failure it repeats the error for a second, or as long as the
// server asked with Retry-After.
//
// Tokens are kept in memory only: a fleet of such programs shares no token, and
// exceeds Reltio's limits. The context is that of every request.
func (c *Client) TokenSource(ctx context.Context, g Grant) oauth2.TokenSource {
	return &tokenSource{ctx: ctx, client: *c, grant: g}
}

type tokenSource struct {
	ctx    context.Context //nolint:containedctx // oauth2.TokenSource gives it no other place
	client Client
	grant  Grant

	mu     sync.Mutex // guards the rest; not held while a request is under way
	last   outcome
	flight *call // nil if no request is under way
}

// outcome is what a request came to.
type outcome struct {
	token   *Token
	err     error
	refresh Secret    // for the next request; zero: the grant itself
	retryAt time.Time // with err: nothing is sent before; zero: nothing ever
}

// flight is a request under way. landed is closed when outcome is set.
type call struct {
	landed  chan struct{}
	outcome outcome
}

// Token implements oauth2.TokenSource.
func (s *tokenSource) Token() (*oauth2.Token, error) {
	kept, f, mine := s.join()
	switch {
	case f == nil:
		return kept.result()
	case mine:
		s.finish(f, s.renew(kept.refresh))
	default:
		<-f.landed
	}
	return f.outcome.result()
}

func (o outcome) result() (*oauth2.Token, error) {
	if o.err != nil {
		return nil, o.err
	}
	return o.token.OAuth2(), nil
}

// board decides: what is kept will do (no flight), or a request is needed, and
// whether the caller is the one who makes it.
func (s *tokenSource) join() (kept outcome, f *call, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.last.holds(s.client.now()):
		return s.last, nil, false
	case s.flight != nil:
		return s.last, s.flight, false
	}
	s.flight = &call{landed: make(chan struct{})}
	return s.last, s.flight, true
}

// holds reports whether the outcome still stands.
func (o outcome) holds(now time.Time) bool {
	if o.err != nil {
		return o.retryAt.IsZero() || now.Before(o.retryAt)
	}
	return o.token != nil && !now.After(o.token.ExpiresAt().Add(-time.Second))
}

func (s *tokenSource) finish(f *call, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.outcome, s.last, s.flight = o, o, nil
	close(f.landed)
}

// renew makes the request, or two if the refresh token turns out to be dead.
func (s *tokenSource) renew(refresh Secret) outcome {
	if refresh.IsZero() {
		return s.ask(s.grant, refresh)
	}
	o := s.ask(RefreshTokenGrant{RefreshToken: refresh}, refresh)
	if !errors.Is(o.err, ErrInvalidGrant) && !errors.Is(o.err, ErrInvalidToken) {
		return o
	}
	switch s.grant.(type) {
	case PasswordGrant, ClientCredentialsGrant:
		return s.ask(s.grant, Secret{})
	}
	return o
}

// ask makes one request. refresh is the refresh token so far: an answer
// without one leaves it valid.
func (s *tokenSource) ask(g Grant, refresh Secret) outcome {
	token, err := s.client.Token(s.ctx, g)
	o := outcome{token: token, err: err, refresh: refresh}
	if token != nil && !token.RefreshToken.IsZero() {
		o.refresh = token.RefreshToken
	}
	var e *Error
	if errors.As(err, &e) && !e.Permanent() {
		o.retryAt = s.client.now().Add(max(e.RetryAfter, sourcePause))
	}
	return o
}
