package issueclient

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

const (
	// DefaultMargin is the default of Source.RefreshBefore.
	DefaultMargin = 30 * time.Second
	// DefaultPatience is the default of Source.Timeout.
	DefaultPatience = time.Minute
	// maxMinTTL is the longest life that a caller may ask issue for.
	maxMinTTL = issueapi.MaxMinTTLSeconds * time.Second
	// glanceTime is how long a caller that has a valid token waits for a newer
	// one.
	glanceTime = 5 * time.Second
)

// Source keeps the token of one connection. It is safe for concurrent use. Its
// fields must not be changed after the first call, nor may it be copied.
type Source struct {
	// Lambda invokes the function: a *lambda.Client. Required.
	Lambda Invoker
	// Function is the name or ARN of the function, with an alias if the
	// connection names aliases ("issue:team-a"). Empty means "issue".
	Function string
	// Connection is the connection's name. Required.
	Connection string
	// MinTTL is the life that every token of this Source should have left: the
	// time of the longest job done with one. Zero means none in particular. It is
	// not guaranteed: see Token.MinTTLMet.
	MinTTL time.Duration
	// RefreshBefore is how long before a token's end the next one is asked for:
	// at a random moment between one and two times RefreshBefore, so that many
	// processes do not ask all at once. Zero means 30 s, negative none. Until its
	// end the old token stays in use if there is no newer one.
	RefreshBefore time.Duration
	// Timeout is the longest that one call waits for a token, if its context does
	// not end earlier. Zero means a minute.
	Timeout time.Duration
	// MaxRetryWait is the longest that a call waits before the function is asked
	// again; if a failure asks for a longer wait, it is returned at once. Zero
	// means as long as Timeout and the context allow.
	MaxRetryWait time.Duration
	// RetryFor is the longest that all such waits of one call take together. Zero
	// means as long as Timeout and the context allow.
	RetryFor time.Duration
	// Now is the clock that dates tokens. Nil means time.Now. Waiting uses the
	// timers of package time.
	Now func() time.Time

	// warm is what a caller gets while nothing is to be decided; nil if something
	// is. It is written while mu is held, and read without.
	warm atomic.Pointer[warm]

	// mu guards the fields below. It is not held during network calls.
	mu     sync.Mutex
	memory memory
	calls  map[key]*call
}

var _ oauth2.TokenSource = (*Source)(nil)

// Options is what a caller needs of a token. The zero value: any valid token.
type Options struct {
	// MinTTL is the life that the token should have left, up to 24 h. The
	// Source's own counts if it is longer.
	MinTTL time.Duration
	// Rejected is the fingerprint of a token that Reltio answered with 401; empty
	// for none. If it is the token in use, issue has it introspected, and
	// replaced unless Reltio says that it is active. A token that was found
	// active is not reported again for 30 s.
	Rejected string
}

// Get returns a token. It blocks only if no kept token can be used; see the
// package comment. The callers share the token that they get: none may change it.
//
// The error is an *Error, or wraps one together with the context's error if that
// ended first. If an error names a time to try again that is after the context's
// end, Get returns it at once.
func (s *Source) Get(ctx context.Context, need Options) (*Token, error) {
	if w := s.atHand(need); w != nil && ctx.Err() == nil {
		return w.token, nil
	}
	return s.get(ctx, need)
}

// get is Get for a caller that may have to wait.
func (s *Source) get(ctx context.Context, need Options) (*Token, error) {
	k, err := s.key(need)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(max(s.Timeout, 0), DefaultPatience))
	defer cancel()
	for waited := time.Duration(0); ; {
		if err := ctx.Err(); err != nil {
			return nil, s.gaveUp(err, s.lastTrouble())
		}
		p := s.join(ctx, k)
		switch {
		case p.token != nil:
			return p.token, nil
		case p.call == nil:
			waited, err = s.wait(ctx, p, waited)
		default:
			var token *Token
			if token, err = s.await(ctx, p); token != nil {
				return token, nil
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// Token implements oauth2.TokenSource. It is Get for any valid token, without a
// context: it blocks for Timeout at most. The callers share the token.
func (s *Source) Token() (*oauth2.Token, error) {
	if w := s.atHand(Options{}); w != nil {
		return w.oauth2, nil
	}
	token, err := s.get(context.Background(), Options{})
	if err != nil {
		return nil, err
	}
	return token.OAuth2(), nil
}

// key validates the options before anything is sent.
func (s *Source) key(need Options) (key, error) {
	k := key{minTTL: max(need.MinTTL, s.MinTTL, 0), rejected: need.Rejected}
	what := ""
	switch {
	case s.Lambda == nil:
		what = "Source.Lambda: is missing"
	case s.Connection == "":
		what = "Source.Connection: is missing"
	case k.minTTL > maxMinTTL:
		what = "MinLife: must be at most 24 h"
	case k.rejected != "" && !issueapi.ValidFingerprint(k.rejected):
		what = "Rejected: must be the fingerprint of a token"
	default:
		return k, nil
	}
	return key{}, &Error{Connection: s.Connection, Type: ErrInvalidRequest, Message: what}
}

// wait waits until a failure may be tried again, and returns how long the call has
// waited for failures, which is waited before it. It returns the failure if that is
// permanent, or if the wait would be too long, or outlast the context.
func (s *Source) wait(ctx context.Context, p pass, waited time.Duration) (time.Duration, error) {
	pause := p.until.Sub(s.now())
	waited += pause
	tooLong := s.MaxRetryWait > 0 && pause > s.MaxRetryWait || s.RetryFor > 0 && waited > s.RetryFor
	if !p.trouble.awaited() || tooLong || outlasts(ctx, pause) {
		return waited, p.trouble
	}
	if err := sleep(ctx, pause); err != nil {
		return waited, s.gaveUp(err, p.trouble)
	}
	return waited, nil
}

// gaveUp is the error of a caller whose context has ended. last is the failure
// that the caller was waiting on; nil if unknown.
func (s *Source) gaveUp(err error, last *Error) error {
	if last == nil {
		return fmt.Errorf("vended: %s: no token yet: %w", s.Connection, err)
	}
	return fmt.Errorf("%w: %w", last, err)
}

// outlasts reports whether a wait would reach the context's end. It asks the
// timers' clock, because Source.Now may be another one, and may be set back.
func outlasts(ctx context.Context, wait time.Duration) bool {
	end, ok := ctx.Deadline()
	return ok && wait >= time.Until(end) //nolint:forbidigo // the context's own clock
}

// sleep waits for d. Package reltioauthtest has the same lines, but a client does
// not import the sandbox.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now reads the clock. Only the wall clock counts: an execution environment may
// be frozen for hours, and the monotonic clock with it.
func (s *Source) now() time.Time {
	if s.Now == nil {
		return time.Now().Round(0) //nolint:forbidigo // the documented default
	}
	return s.Now().Round(0)
}

// margin is how long before its end a token begins to age.
func (s *Source) margin() time.Duration {
	if s.RefreshBefore < 0 {
		return 0
	}
	return stretch(cmp.Or(s.RefreshBefore, DefaultMargin), 1+random())
}

// random is a number in [0, 1).
func random() float64 { return rand.Float64() } //nolint:gosec // jitter is no secret
