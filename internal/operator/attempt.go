package operator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	// attemptTime is what has to be left before a token request is sent: its first
	// 8 s and the writes after it. While it is open the lease is extended.
	attemptTime = 8*time.Second + attemptStoreTime
	// attemptStoreTime bounds all writes after a response.
	attemptStoreTime = 5 * time.Second
	// attemptsPerSecond is the lowest rate that the functions can be configured
	// with: the command does not know theirs, so it leaves the longest space
	// after its one request.
	attemptsPerSecond = 1
)

// Tried is what came of a token request that an operator asked for.
type Tried struct {
	Connection string `json:"connection"`
	// OK says that the server gave a token, and that it is stored.
	OK bool `json:"ok"`
	// Server is the server's refusal; null if there was none.
	Server *Refused `json:"server"`
	// RefusedLogins were counted with the present credentials, this one
	// included; null for a request that cannot lock a user.
	RefusedLogins *int `json:"refused_logins"`
	// User is who the server says the token belongs to; empty if it was not
	// asked or did not say.
	User string `json:"user"`
	// ExpiresAt is the access token's deadline, RefreshExpiresAt the refresh
	// token's; null if there is none.
	ExpiresAt        *time.Time `json:"expires_at"`
	RefreshExpiresAt *time.Time `json:"refresh_expires_at"`
	// NotStored is the error of Secrets Manager, if the refresh token is parked
	// in the table.
	NotStored *rotateapi.Error `json:"not_stored"`
}

// attempt is one token request of an operator, under the grant's lease.
type attempt struct {
	changer

	c *connection.Connection
	// given is the refresh token that is tried; without a token a login is sent.
	// undated says that the operator named no moment of its login.
	given   grant.RefreshToken
	undated bool
	// replaceUser lets another user take the place of the grant's.
	replaceUser bool
	// login is the counted login; nil for a request that locks no user.
	login *countedLogin

	held *holder.Holder
	g    grant.Grant
	// newest is the newest refresh token; parkedEpoch the epoch of the parked
	// one; 0: none.
	newest      grant.RefreshToken
	parkedEpoch int64
	host        ratelimit.Record
	// parkedBecause is why the refresh token is parked; nil if it is not.
	parkedBecause error
	user          string
}

// run is the sequence: lease, read again, decide again, request, store, release.
func (a *attempt) run(ctx context.Context) (Tried, error) {
	held, err := a.holding().Take(ctx, a.c.Name, a.g.Epoch)
	if errors.Is(err, lease.ErrHeld) {
		return Tried{}, errBusy
	}
	if err != nil {
		return Tried{}, err
	}
	a.held = held
	defer held.Release(ctx, holder.ReleaseTime)
	if a.g, _, err = held.Read(ctx); err != nil {
		return Tried{}, err
	}
	if a.g.Status == grant.StatusPaused {
		return Tried{}, errPaused
	}
	if err := a.readTokens(ctx); err != nil {
		return Tried{}, err
	}
	token, failed, err := a.ask(ctx)
	if err != nil {
		return Tried{}, err
	}
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptStoreTime)
	defer cancel()
	a.recordHealth(storing, failed)
	if failed != nil && (token == nil || token.RefreshToken.IsZero()) {
		return a.notGiven(failed)
	}
	return a.accept(storing, token, failed)
}

var (
	errBusy   = apierr.New(apierr.StoreUnavailable, "it is being renewed at this moment; try again in a minute")
	errPaused = apierr.New(apierr.ConnectionPaused, "an operator paused this connection; unpause it first")
)

// readTokens reads the newest refresh token and the epoch of the parked one.
func (a *attempt) readTokens(ctx context.Context) error {
	parked, err := a.Parking.Parked(ctx, a.c.Name)
	isParked := err == nil
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	a.parkedEpoch = parked.Epoch
	a.newest, err = a.RefreshTokens.Current(ctx, a.c.Name)
	if errors.Is(err, grant.ErrNotFound) || errors.Is(err, grant.ErrUnreadable) {
		err = nil
	}
	if isParked && parked.Epoch > a.newest.Epoch {
		a.newest = parked
	}
	return err
}

// ask sends the request, and for a login to which the server responds with a challenge
// of the user's authenticator the second step. failed is the server's error; err
// says that nothing was sent.
func (a *attempt) ask(ctx context.Context) (token *reltioauth.Token, failed, err error) {
	request := a.request()
	if err := a.login.count(ctx); err != nil {
		return nil, nil, err
	}
	if err := a.claimProbe(ctx); err != nil {
		return nil, nil, a.login.uncount(ctx, err)
	}
	token, failed, err = a.send(ctx, request)
	if challenge := a.challenge(failed); err == nil && challenge != nil {
		token, failed, err = a.secondStep(ctx, challenge)
	}
	if err != nil {
		return nil, nil, a.login.uncount(ctx, err)
	}
	a.login.settle(ctx, failed)
	return token, failed, nil
}

func (a *attempt) request() reltioauth.Grant {
	if a.given.Token.IsZero() {
		return a.c.Login()
	}
	return reltioauth.RefreshTokenGrant{RefreshToken: a.given.Token}
}

// claimProbe asks for a host in trouble whether this request may be its one probe.
func (a *attempt) claimProbe(ctx context.Context) error {
	now := a.Now()
	every := time.Duration(0)
	switch {
	case a.host.Down():
		every = a.host.ProbeInterval(now)
	case a.host.CircuitOpen() && (a.login != nil || slices.Contains(a.host.Refused, a.c.Name)):
		every = ratelimit.ProbeEvery
	default:
		return nil
	}
	mine, err := a.RateLimits.Probe(ctx, a.c.Host(), now, every)
	if err != nil || mine {
		return err
	}
	wait := apierr.Limited(a.host.NextProbe(now).Sub(now)).Message
	if a.host.Down() {
		return apierr.New(apierr.ReltioUnavailable, "the host does not respond, and is asked by one request at a time; "+wait)
	}
	return apierr.New(apierr.RateLimited, "the host refuses every connection, and is asked by one request a minute; "+wait)
}

// send dials, extends the lease, waits for the host's next slot, and sends one
// request.
func (a *attempt) send(ctx context.Context, request reltioauth.Grant) (token *reltioauth.Token, failed, err error) {
	client := a.client()
	conn, failed := client.Dial(ctx)
	if failed != nil {
		return nil, failed, nil
	}
	defer func() { _ = conn.Close() }() // a failed close changes nothing
	if err := a.held.Extend(ctx); err != nil {
		return nil, nil, leaseLost(err)
	}
	if err := a.slot(ctx); err != nil {
		return nil, nil, err
	}
	if deadline, ok := ctx.Deadline(); !a.held.Lease().Covers(a.Now(), attemptTime) || ok && deadline.Sub(a.Now()) < attemptTime {
		return nil, nil, apierr.New(apierr.StoreUnavailable, "too little time is left to send anything; try again, with a longer --timeout")
	}
	a.held.During(ctx, func() { token, failed = conn.Token(ctx, request) })
	return token, failed, nil
}

// slot reserves the host's next slot, and returns at it.
func (a *attempt) slot(ctx context.Context) error {
	began := a.Now()
	slot := ratelimit.Slot{
		Store: a.RateLimits, Host: a.c.Host(), Interval: ratelimit.Interval(attemptsPerSecond),
		Latest: began.Add(ratelimit.MaxWait), Now: a.Now, Seen: a.host,
	}
	at, err := slot.Reserve(ctx, began)
	if err == nil {
		err = slot.Wait(ctx, at)
	}
	var limit *ratelimit.LimitError
	switch {
	case errors.As(err, &limit):
		return apierr.Limited(limit.Until.Sub(a.Now()))
	case err != nil && ctx.Err() != nil:
		return apierr.Wrap(apierr.StoreUnavailable, "no time was left to wait for a slot of the rate limit", err)
	}
	return err
}

func leaseLost(err error) error {
	if errors.Is(err, lease.ErrLost) || errors.Is(err, grant.ErrFenced) {
		return errBusy
	}
	return err
}

func (a *attempt) client() *reltioauth.Client {
	client := a.c.Client()
	client.Connect, client.Now = a.Connector, a.Now
	return &client
}

// recordHealth records what a response, or none, shows about the host. A failed
// write changes nothing about this request: the next one records it again.
func (a *attempt) recordHealth(ctx context.Context, failed error) {
	host := a.c.Host()
	var e *reltioauth.Error
	switch {
	case errors.As(failed, &e) && e.Code == reltioauth.ErrRateLimited:
		_, _ = a.RateLimits.Throttled(ctx, host, ratelimit.Throttle{
			Client: a.c.ClientKey(), RetryAfter: e.RetryAfter, First: a.g.Throttles == 0, Now: a.Now(),
		})
	case noResponse(failed):
		_ = a.RateLimits.Unanswered(ctx, host, a.Now())
		return
	case failed == nil && a.host.Troubled():
		_ = a.RateLimits.Succeeded(ctx, host, a.c.ClientKey())
	case failed != nil && a.login != nil && a.login.acceptedBefore():
		_, _ = a.RateLimits.Refused(ctx, host, a.c.Name, a.Now())
	}
	if a.host.Down() {
		_ = a.RateLimits.Answered(ctx, host)
	}
}

// noResponse reports whether the server did not respond: not at all, with a 5xx,
// or with a success that cannot be read.
func noResponse(failed error) bool {
	var e *reltioauth.Error
	switch {
	case failed == nil:
		return false
	case !errors.As(failed, &e), !e.Answered():
		return true
	case e.Code == reltioauth.ErrMFARequired:
		return false
	}
	return e.StatusCode/100 == 5 || e.StatusCode/100 == 2 || e.StatusCode == statusRequestTimeout
}
