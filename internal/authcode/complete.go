package authcode

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Callback is what a browser brings back from Reltio. Its shape was checked.
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

// Arrival is how a callback ended.
type CallbackResult struct {
	Outcome    Outcome
	Connection string
	// ErrorCode of a Denied one.
	ErrorCode string
	// HoldsUntil is when the refresh token ends, of a DoneSameToken one.
	HoldsUntil time.Time
	// RetryAfter of a Busy one.
	RetryAfter time.Duration
	// Departure is where the browser goes next, of an Again one.
	Redirect AuthorizationRedirect

	// What follows is for log and metrics. Version and Fingerprint are those of
	// the access token that the grant has now.
	Version     int64
	Fingerprint string
	// TokenRequests counts the code's exchange, Throttled a 429 to it, and
	// RefusedLogins the client's refusal; BudgetWait is how long it waited for
	// its instant.
	TokenRequests, Throttled, RefusedLogins int
	RateLimitWait                              time.Duration
	// Unkept says why the vault did not take the refresh token; nil: it did, or there
	// was none to take. Parked says that the refresh token is in the table instead;
	// else the login was undone.
	Unkept error
	Parked bool
	// Err is what went wrong on our side, or at Reltio.
	Err error
}

// Complete takes a browser in: it checks what it brings, exchanges the code
// once, and stores the grant.
func (f *Flow) Complete(ctx context.Context, cb Callback) CallbackResult {
	v := &callback{Flow: f, cb: cb, ends: end(ctx, f.Now())}
	a := v.run(ctx)
	a.Connection = v.request.Connection
	a.Version, a.Fingerprint = v.g.Version, v.g.Fingerprint
	a.TokenRequests, a.Throttled, a.RefusedLogins = v.requests, v.throttled, v.refused
	a.RateLimitWait = v.waited
	return a
}

// visit is one callback on its way.
type callback struct {
	*Flow
	cb Callback
	// ends is when the visit has to be over.
	ends    time.Time
	request authrequest.Request
	c       *connection.Connection
	held    lease.Lease
	// g is the grant as last read or written, met its status at first.
	g   grant.Grant
	met grant.Status
	// known is the newest refresh token in the vault as last read; the zero one
	// if there is none.
	known grant.RefreshToken
	// host is the server's record as last read.
	host ratelimit.Record
	// invitation is read for what it allows; usedAt and consumedAt are when
	// this visit used up the invitation and the request.
	invitation authrequest.Invitation
	usedAt     time.Time
	consumedAt time.Time
	conn       *reltioauth.Conn
	// token is what Reltio's answer held; failed says why its access token
	// cannot be used.
	token  *reltioauth.Token
	failed error
	// user is who has logged in; empty if Reltio did not say, and nameless is
	// the reason.
	user     string
	nameless error
	// parked says why the refresh token is parked; nil if it is not. parkedEpoch
	// is that of the refresh token in the parking, this visit's or one from
	// before; 0: none.
	parked      error
	parkedEpoch int64
	// What is counted for the metrics.
	requests, throttled, refused int
	waited                       time.Duration
}

// run is the order of a callback. Everything that can fail before the request
// is consumed fails before, and leaves it usable.
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
	defer func() { _ = v.conn.Close() }() // it is used up
	if err := v.seize(preparing); err != nil {
		return inTime(preparing, v.hindered(err))
	}
	defer v.release(ctx)
	if v.g.Status == grant.StatusPaused {
		return CallbackResult{Outcome: Paused}
	}
	if a, ended := v.consume(ctx); ended {
		return a
	}
	return v.finish(ctx, v.exchange(ctx))
}

// end consumes the request and stores how it ended.
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
		return a // the request was given back
	}
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	// A reload without an outcome is told that the request was used.
	_ = v.AuthRequests.FinishRequest(ctx, v.request.Hash, a.remember())
	return a
}

// remember is the outcome as it is stored: its word, and what its page says.
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

// recall is the arrival that remember stored. The departure of an Again one was
// in its answer alone, so there is a new one, which goes the same way.
func (v *callback) recall(ctx context.Context, stored string) CallbackResult {
	word, rest, _ := strings.Cut(stored, " ")
	a := CallbackResult{Outcome: Outcome(word)}
	switch a.Outcome {
	case Again:
		return v.departAgain(ctx)
	case Denied:
		a.ErrorCode = rest
	case DoneSameToken:
		a.HoldsUntil, _ = time.Parse(time.RFC3339, rest) // a zero time is not shown
	}
	return a
}

// departAgain is another departure after an Again one.
func (v *callback) departAgain(ctx context.Context) CallbackResult {
	c, err := v.connection(ctx, v.request.Connection)
	if errors.Is(err, connection.ErrNotFound) || err == nil && c.GrantType != connection.AuthorizationCode {
		return CallbackResult{Outcome: InvitationGone}
	}
	if err != nil {
		return CallbackResult{Outcome: Broken, Err: err}
	}
	d, outcome, err := v.depart(ctx, c, v.request.Invitation, v.request.RedirectURI, true)
	if outcome != Done {
		return CallbackResult{Outcome: outcome, Err: err}
	}
	return CallbackResult{Outcome: Again, Redirect: d}
}

func (v *callback) client() *reltioauth.Client {
	client := v.c.Client()
	client.Connect, client.Now = v.Connect, v.Now
	return &client
}

func (v *callback) release(ctx context.Context) {
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	_ = v.Leases.ReleaseLease(ctx, v.held) // it ends by itself otherwise
}
