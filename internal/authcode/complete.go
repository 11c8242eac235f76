package authcode

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Callback is what a browser brings back from Reltio. The handler has checked its
// shape.
type Callback struct {
	Code  reltioauth.Secret
	State reltioauth.Secret
	// Error is RFC 6749's error code; empty if there is a code.
	Error string
	// Issuer is RFC 9207's iss; empty if none was sent.
	Issuer string
	// Binding is the cookie's value; zero if the browser has none.
	Binding reltioauth.Secret
}

// CallbackResult is how a callback ended.
type CallbackResult struct {
	Outcome    Outcome
	Connection string
	// ErrorCode is set for Denied.
	ErrorCode string
	// HoldsUntil is when the refresh token expires, set for DoneSameToken.
	HoldsUntil time.Time
	// RetryAfter is set for Busy.
	RetryAfter time.Duration
	// Redirect is where the browser goes next, set for Again.
	Redirect AuthorizationRedirect

	// The fields from here on are for logs and metrics. Version and Fingerprint
	// are those of the access token that the grant has now.
	Version     int64
	Fingerprint string
	// TokenRequests counts the exchange of the code, Throttled a 429 response to
	// it, and RefusedLogins a refusal of the client. RateLimitWait is how long
	// the exchange waited for its slot.
	TokenRequests, Throttled, RefusedLogins int
	RateLimitWait                           time.Duration
	// Unkept says why Secrets Manager did not take the refresh token; nil: it
	// did, or there was none. Parked says that the refresh token is in the table
	// instead; if it is not, the login was undone.
	Unkept error
	Parked bool
	// Err is what failed in the service or at Reltio.
	Err error
}

// Complete handles a callback: it checks what the browser brings, exchanges the
// code once, and stores the grant.
func (f *Flow) Complete(ctx context.Context, cb Callback) CallbackResult {
	v := &callback{Flow: f, cb: cb, ends: end(ctx, f.Now())}
	a := v.run(ctx)
	a.Connection = v.request.Connection
	a.Version, a.Fingerprint = v.g.Version, v.g.Fingerprint
	a.TokenRequests, a.Throttled, a.RefusedLogins = v.requests, v.throttled, v.refused
	a.RateLimitWait = v.waited
	return a
}

// callback is the state of one callback.
type callback struct {
	*Flow
	cb Callback
	// ends is the callback's deadline.
	ends    time.Time
	request authrequest.Request
	c       *connection.Connection
	// held is the grant's lease; nil: not taken yet.
	held *holder.Holder
	// g is the grant as last read or written.
	g grant.Grant
	// known is the newest refresh token as last read; the zero one if there is
	// none.
	known grant.RefreshToken
	// host is the server's record as last read.
	host ratelimit.Record
	// invitation is read for what it allows; usedAt and consumedAt are when this
	// callback used the invitation and consumed the request.
	invitation authrequest.Invitation
	usedAt     time.Time
	consumedAt time.Time
	conn       *reltioauth.Conn
	// token is what Reltio's response held; failed says why its access token
	// cannot be used.
	token  *reltioauth.Token
	failed error
	// user is who has logged in; if Reltio did not say, it is empty and nameless
	// is the reason.
	user     string
	nameless error
	// parked says why the refresh token is parked; nil if it is not. parkedEpoch
	// is the epoch of the parked refresh token, from this callback or an earlier
	// one; 0: none.
	parked      error
	parkedEpoch int64
	// Counters for the metrics.
	requests, throttled, refused int
	waited                       time.Duration
}

// run is the sequence of a callback. All steps that can fail and need no consumed
// request come before the request is consumed, so their failure leaves it usable.
func (v *callback) run(ctx context.Context) CallbackResult {
	preparing, cancel := v.within(ctx, prepareTime, 0)
	defer cancel()
	a, ended := v.recognise(preparing)
	if !ended {
		a, ended = v.rejections(preparing)
	}
	if !ended {
		a, ended = v.ready(preparing)
	}
	if ended {
		return inTime(preparing, a)
	}
	var err error
	if v.conn, err = v.client().Dial(preparing); err != nil {
		return CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: err}
	}
	defer func() { _ = v.conn.Close() }() // a failed close changes nothing
	if v.held, err = v.holding(v.request.RedirectURI).Seize(preparing, v.c.Name, v.g.Epoch); err != nil {
		return inTime(preparing, v.hindered(err))
	}
	defer v.release(ctx)
	if v.g, _, err = v.held.Read(preparing); err != nil {
		return inTime(preparing, v.hindered(err))
	}
	if v.g.Status == grant.StatusPaused {
		return CallbackResult{Outcome: Paused}
	}
	if a, ended := v.consume(ctx); ended {
		return a
	}
	return v.finish(ctx, v.exchange(ctx))
}

// end consumes the request and stores its outcome.
func (v *callback) end(ctx context.Context, a CallbackResult) CallbackResult {
	if err := v.AuthRequests.ConsumeRequest(ctx, v.request.Hash, v.Now()); err != nil {
		return gone(err)
	}
	return v.finish(ctx, a)
}

func gone(err error) CallbackResult {
	if errors.Is(err, authrequest.ErrUsed) {
		return CallbackResult{Outcome: RequestGone}
	}
	return CallbackResult{Outcome: Broken, Err: err}
}

// finish stores the outcome of a consumed request.
func (v *callback) finish(ctx context.Context, a CallbackResult) CallbackResult {
	if a.Outcome == Busy {
		return a // the request is usable again
	}
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	// If this write fails, a reload is told that the request was used.
	_ = v.AuthRequests.FinishRequest(ctx, v.request.Hash, a.remember())
	return a
}

// remember is the outcome as it is stored: its word, and the value that its page
// shows.
func (a CallbackResult) remember() string {
	switch a.Outcome {
	case Denied:
		return string(Denied) + " " + a.ErrorCode
	case DoneSameToken:
		return string(DoneSameToken) + " " + a.HoldsUntil.UTC().Format(time.RFC3339)
	default:
		return string(a.Outcome)
	}
}

// recall is the result that remember stored. The stored form of Again has no
// redirect, so recall makes a new one with the same destination.
func (v *callback) recall(ctx context.Context, stored string) CallbackResult {
	word, rest, _ := strings.Cut(stored, " ")
	a := CallbackResult{Outcome: Outcome(word)}
	switch a.Outcome {
	case Again:
		return v.redirectAgain(ctx)
	case Denied:
		a.ErrorCode = rest
	case DoneSameToken:
		a.HoldsUntil, _ = time.Parse(time.RFC3339, rest) // a zero time is not shown
	}
	return a
}

// redirectAgain makes another authorization redirect after Again.
func (v *callback) redirectAgain(ctx context.Context) CallbackResult {
	c, err := v.connection(ctx, v.request.Connection)
	if errors.Is(err, connection.ErrNotFound) || err == nil && c.GrantType != connection.AuthorizationCode {
		return CallbackResult{Outcome: InvitationGone}
	}
	if err != nil {
		return CallbackResult{Outcome: Broken, Err: err}
	}
	d, outcome, err := v.redirect(ctx, c, v.request.Invitation, v.request.RedirectURI, true)
	if outcome != Done {
		return CallbackResult{Outcome: outcome, Err: err}
	}
	return CallbackResult{Outcome: Again, Redirect: d}
}

func (v *callback) client() *reltioauth.Client {
	client := v.c.Client()
	client.TokenTimeout = exchangeTime
	client.Connect, client.Now = v.Connect, v.Now
	return &client
}

func (v *callback) release(ctx context.Context) {
	v.held.Release(ctx, min(lastTime, v.ends.Sub(v.Now())))
}
