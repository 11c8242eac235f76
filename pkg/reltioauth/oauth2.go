package reltioauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	// sourcePause is the shortest time between a failure of a TokenSource and its
	// next request.
	sourcePause = time.Second
	// sourceEnding is how long a TokenSource waits for the end of a token that the
	// server gave with no whole second left.
	sourceEnding = 2 * time.Second
)

// TokenSource keeps a token for programs that run alone and use
// golang.org/x/oauth2:
//
//	httpClient := oauth2.NewClient(ctx, client.TokenSource(ctx, grant))
//
// Its Token method may be called from any number of goroutines; they wait for one
// request. It returns the token until its last second, because an earlier request
// gives the same token again; one that came again, or in its last second, until it
// expires. Then it uses the refresh token if there is one. If the refresh token is
// no longer valid, it presents a PasswordGrant or ClientCredentialsGrant once more.
// If the server gives a token with no whole second left, the source asks again two
// seconds later, once, while its callers wait.
//
// A refusal (Error.Permanent) is final: the source returns it again and sends
// nothing more, so that no user is locked. Make a new source when the cause is
// repaired. After any other failure it returns the error for a second, or for the
// time that the server asked for with Retry-After.
//
// Tokens are kept in memory only: many such programs share no token, and would
// exceed Reltio's limits. All requests use the given context.
func (c *Client) TokenSource(ctx context.Context, g Grant) oauth2.TokenSource {
	return &tokenSource{ctx: ctx, client: *c, grant: g}
}

type tokenSource struct {
	ctx    context.Context //nolint:containedctx // oauth2.TokenSource gives it no other place
	client Client
	grant  Grant

	mu   sync.Mutex // guards the rest; not held while a request is under way
	last outcome
	call *call // nil if no request is under way
}

// outcome is the result of a request.
type outcome struct {
	token   *Token
	err     error
	until   time.Time // with token: it is returned before
	refresh Secret    // for the next request; zero: use the grant itself
	retryAt time.Time // with err: no request is sent before it; zero: never again
}

// call is a request in progress. done is closed when outcome is set.
type call struct {
	done    chan struct{}
	outcome outcome
}

// Token implements oauth2.TokenSource.
func (s *tokenSource) Token() (*oauth2.Token, error) {
	kept, f, mine := s.join()
	switch {
	case f == nil:
		return kept.result()
	case mine:
		s.finish(f, s.renew(kept))
	default:
		<-f.done
	}
	return f.outcome.result()
}

func (o outcome) result() (*oauth2.Token, error) {
	if o.err != nil {
		return nil, o.err
	}
	return o.token.OAuth2(), nil
}

// join decides between three cases: the kept outcome is returned (nil call); the
// caller waits for a call in progress; or mine is true and the caller makes the
// request.
func (s *tokenSource) join() (kept outcome, f *call, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.last.holds(s.client.now()):
		return s.last, nil, false
	case s.call != nil:
		return s.last, s.call, false
	}
	s.call = &call{done: make(chan struct{})}
	return s.last, s.call, true
}

// holds reports whether the outcome is still valid.
func (o outcome) holds(now time.Time) bool {
	if o.err != nil {
		return o.retryAt.IsZero() || now.Before(o.retryAt)
	}
	return o.token != nil && !now.After(o.until)
}

func (s *tokenSource) finish(f *call, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.outcome, s.last, s.call = o, o, nil
	close(f.done)
}

// renew gets the token that follows the kept one. It asks once more after the end
// of a token that the server gave with no whole second left.
func (s *tokenSource) renew(kept outcome) outcome {
	o := s.present(kept.refresh)
	if errors.Is(o.err, ErrNoLifeLeft) && s.sleep(sourceEnding) {
		o = s.present(o.refresh)
	}
	if o.err != nil {
		return o
	}
	o.until = o.token.ExpiresAt()
	again := kept.token != nil && kept.token.AccessToken.Equal(o.token.AccessToken)
	if !again && o.token.ExpiresIn > time.Second {
		o.until = o.until.Add(-time.Second)
	}
	return o
}

// sleep waits, and reports whether the context has not ended.
func (s *tokenSource) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// present makes the request, or two if the refresh token turns out to be no longer
// valid.
func (s *tokenSource) present(refresh Secret) outcome {
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

// ask makes one request. refresh is the present refresh token: a response without
// one leaves it valid.
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
