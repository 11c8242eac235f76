package authcode

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// recognise finds the request and checks its browser. A request that has an
// outcome gets the same response again.
func (v *callback) recognise(ctx context.Context) (CallbackResult, bool) {
	r, err := v.AuthRequests.Request(ctx, authrequest.HashOf(v.cb.State))
	switch {
	case errors.Is(err, authrequest.ErrNotFound):
		return CallbackResult{Outcome: RequestGone}, true
	case err != nil:
		return v.hindered(err), true
	}
	v.request = r
	if subtle.ConstantTimeCompare([]byte(authrequest.HashOf(v.cb.Binding)), []byte(r.Binding)) != 1 {
		return CallbackResult{Outcome: WrongBrowser}, true
	}
	if r.Outcome != "" && v.Now().Before(r.Ends) {
		return v.recall(ctx, r.Outcome), true
	}
	if !r.Pending(v.Now()) {
		return CallbackResult{Outcome: RequestGone}, true
	}
	return CallbackResult{}, false
}

// rejections handles the callbacks that consume a request without an exchange: an
// error response, or the response of another server.
func (v *callback) rejections(ctx context.Context) (CallbackResult, bool) {
	if v.cb.Error != "" {
		return v.end(ctx, CallbackResult{Outcome: Denied, ErrorCode: v.cb.Error}), true
	}
	var err error
	v.c, err = v.connection(ctx, v.request.Connection)
	switch {
	case errors.Is(err, connection.ErrNotFound):
		return CallbackResult{Outcome: InvitationGone}, true
	case err != nil:
		return v.hindered(err), true
	case v.c.GrantType != connection.AuthorizationCode:
		return CallbackResult{Outcome: InvitationGone}, true
	case v.cb.Issuer != "" && v.cb.Issuer != v.c.AuthURL:
		return v.end(ctx, CallbackResult{Outcome: WrongServer}), true
	}
	return CallbackResult{}, false
}

// ready checks whether the exchange may be sent and its refresh token be stored.
// It runs before the service connects to Reltio and before the lease is taken
// from a renewal. If the refresh token cannot be read now, an exchange would lose
// the person's code.
func (v *callback) ready(ctx context.Context) (CallbackResult, bool) {
	var err error
	if v.g, err = v.read(ctx); err != nil {
		return v.hindered(err), true
	}
	if v.g.Status == grant.StatusPaused {
		return CallbackResult{Outcome: Paused}, true
	}
	v.look(ctx)
	if until, paused := v.host.ThrottledUntil(v.Now()); paused {
		return v.hindered(&ratelimit.LimitError{Until: until, Paused: true}), true
	}
	if err := v.readToken(ctx); err != nil {
		return v.hindered(err), true
	}
	return CallbackResult{}, false
}

// readToken reads the newest refresh token, from Secrets Manager or parked in the
// table.
func (v *callback) readToken(ctx context.Context) error {
	known, err := v.RefreshTokens.Current(ctx, v.c.Name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	parked, err := v.Parking.Parked(ctx, v.c.Name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	v.parkedEpoch = parked.Epoch
	if err == nil && parked.Epoch > known.Epoch {
		parked.Version = v.g.SecretVersion
		known = parked
	}
	v.known = known
	return nil
}

// none reports whether there has never been a refresh token, in Secrets Manager
// or parked.
func none(known grant.RefreshToken) bool { return known.Version == "" && known.Epoch == 0 }

// read reads the grant with a strongly consistent read, without what a wrong clock
// wrote; a missing one is an empty grant. It needs no lease.
func (v *callback) read(ctx context.Context) (grant.Grant, error) {
	g, err := v.Grants.Grant(ctx, v.c.Name, grant.Strong)
	if errors.Is(err, grant.ErrNotFound) {
		return grant.Grant{Connection: v.c.Name, Status: grant.StatusOK}, nil
	}
	return g.Believed(v.Now()), err
}

// storesRetry is how long a browser waits before it tries again after a store
// failed.
const storesRetry = 10 * time.Second

// hindered is the result for a browser whose login stays usable, because the
// callback failed before it consumed the request, or made it usable again. The
// browser may try again if time, a slot or the lease is missing (Busy) or if a
// store failed (StoreFailing). Any other error lasts until an operator repairs
// the cause (Broken).
func (v *callback) hindered(err error) CallbackResult {
	a := CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: err}
	var b *ratelimit.LimitError
	switch {
	case errors.Is(err, errNoTime), errors.Is(err, lease.ErrLost), errors.Is(err, grant.ErrFenced):
	case errors.As(err, &b):
		a.RetryAfter = max(a.RetryAfter, b.Until.Sub(v.Now()))
	case apierr.Of(err).Type == apierr.StoreUnavailable:
		a.Outcome, a.RetryAfter = StoreFailing, storesRetry
	default:
		a.Outcome, a.RetryAfter = Broken, 0
	}
	return a
}

// inTime corrects the result of a preparation: one that failed after its deadline
// failed because it was slow.
func inTime(preparing context.Context, a CallbackResult) CallbackResult {
	if preparing.Err() != nil && (a.Outcome == StoreFailing || a.Outcome == Broken) {
		return CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: errNoTime}
	}
	return a
}
