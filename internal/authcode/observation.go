package authcode

import (
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// observation is what a callback knows: what the browser brought, what was read,
// and what Reltio's response held. It is a value; plan reads nothing else.
type observation struct {
	callback Callback
	// ends is the callback's deadline, now the time after the last step.
	ends, now time.Time

	// seen is the last step; err says why it failed. late: its time was over when
	// it ended.
	seen step
	err  error
	late bool

	request    authrequest.Request
	connection *connection.Connection
	// lease is the grant's lease; the zero Lease: not taken yet.
	lease lease.Lease
	// grant is the grant as last read or written.
	grant grant.Grant
	// known is the newest refresh token as last read; the zero one if there is
	// none. parkedEpoch is the epoch of the parked refresh token, from this callback
	// or an earlier one; 0: none.
	known       grant.RefreshToken
	parkedEpoch int64
	// host is the server's record as last read.
	host ratelimit.Record
	// invitation is read for what it allows.
	invitation authrequest.Invitation
	// redirect is where the browser goes for a second login.
	redirect AuthorizationRedirect

	exchanged
	kept
}

// exchanged is what the exchange of the code gave.
type exchanged struct {
	// token is what Reltio's response held; failed says why its access token
	// cannot be used. inHand: it is the present access token, just before its end.
	token  *reltioauth.Token
	failed error
	inHand bool
	// requests counts the exchange, throttled a 429 response to it, and refused a
	// refusal of the client. retryAfter is what the 429 response asked for.
	requests, throttled, refused int
	retryAfter                   time.Duration
	// user is who has logged in; if Reltio did not say, it is empty and nameless
	// is the reason.
	user     string
	nameless error
}

// kept is what becomes of the grant's tokens.
type kept struct {
	// refresh is the refresh token that the grant has from now on; same: the grant
	// had it before.
	refresh grant.RefreshToken
	same    bool
	// parked says why the refresh token is parked; nil: it is not.
	parked error
	// written is the grant that was to be written, and writeErr why it was not.
	written  grant.Grant
	writeErr error
	// sight is what a read showed after a write that failed.
	sight sight
}

// sight is what a strongly consistent read shows of this callback's tokens.
type sight int

const (
	// unseen: the read failed, so it is unknown.
	unseen sight = iota
	// absent: the grant does not have them.
	absent
	// elsewhere: the grant has them, from another callback that was given the
	// same tokens.
	elsewhere
	// present: the grant has them, from this callback.
	present
)

// ours reports whether a grant belongs to the connection's identity.
func (o observation) ours(g grant.Grant) bool { return g.Identity == o.connection.IdentityHash() }

// fits reports whether the lease and the invocation last for the wait and for all
// steps that follow it. If not, nothing is sent.
func (o observation) fits(wait time.Duration) bool {
	leased := wait + exchangeTime + checkTime + storeTime
	return o.lease.Covers(o.now, leased) && o.ends.Sub(o.now) >= leased+revokeTime+closingTime
}

// responded is the observation after Reltio's response to the exchange. A present
// access token that Reltio gave again, with no life left, is no failure.
func (o observation) responded(token *reltioauth.Token, err error) observation {
	o.token = token
	if unsent(err) {
		return o
	}
	o.requests++
	if err == nil {
		return o
	}
	o.inHand = token != nil && errors.Is(err, reltioauth.ErrNoLifeLeft) && o.grant.HasToken() &&
		o.ours(o.grant) && token.AccessToken.Equal(o.grant.AccessToken)
	if o.inHand {
		return o
	}
	o.failed = err
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return o
	}
	if e.CredentialsRefused() {
		o.refused++
	}
	if e.Code == reltioauth.ErrRateLimited {
		o.throttled++
		o.retryAfter = e.RetryAfter
	}
	return o
}

// unsent reports whether the code was certainly not sent, so that it may be sent
// on another connection.
func unsent(err error) bool {
	var e *reltioauth.Error
	return errors.As(err, &e) && !e.Sent && !e.Permanent()
}

// knownUser is the user of the present grant; empty if it has none or belongs to
// another identity.
func (o observation) knownUser() string {
	if o.ours(o.grant) {
		return o.grant.User
	}
	return ""
}

// named is the observation after Reltio was asked who has logged in. If Reltio did
// not say and gave the present access token again, the user is the known one.
func (o observation) named(user string, err error) observation {
	o.user, o.nameless = user, err
	if known := o.knownUser(); user == "" && o.inHand && known != "" {
		o.user, o.nameless = known, nil
	}
	return o
}

// keeping is the observation with the refresh token that the grant has from now
// on: one that the grant had before, as the newest in Secrets Manager or as the
// one that it points at, or a new one with the given epoch.
func (o observation) keeping(epoch int64) observation {
	given := o.token.RefreshToken
	// If Reltio gives a token again that has expired by our own count, its life
	// has started again.
	ended := func(since time.Time) bool { return !since.Add(o.connection.RefreshTokenLife).After(o.token.IssuedAt) }
	switch {
	case !o.ours(o.grant) || given.IsZero():
	case given.Equal(o.known.Token) && o.known.Of(o.connection.IdentityHash()) && !ended(o.known.LoggedInAt):
		o.refresh, o.same = o.known, true
		return o
	case !ended(o.grant.LoggedInAt) && o.grant.RefreshFingerprint == reltioauth.Fingerprint(given):
		o.refresh = grant.RefreshToken{Token: given, LoggedInAt: o.grant.LoggedInAt, Version: o.grant.SecretVersion}
		o.same = true
		return o
	}
	o.same = false
	if o.refresh = (grant.RefreshToken{}); !given.IsZero() || !none(o.known) {
		o.refresh = grant.RefreshToken{
			Token: given, LoggedInAt: o.token.IssuedAt, Epoch: epoch, Identity: o.connection.IdentityHash(),
		}
	}
	return o
}

// none reports whether there has never been a refresh token, in Secrets Manager
// or parked.
func none(known grant.RefreshToken) bool { return known.Version == "" && known.Epoch == 0 }

// has reports whether a grant has the token that would be revoked.
func (o observation) has(g grant.Grant) bool {
	switch t := o.token.RefreshToken; {
	case !o.ours(g):
		return false
	case t.IsZero():
		return g.HasToken() && g.Fingerprint == o.token.Fingerprint()
	default:
		return g.RefreshFingerprint == reltioauth.Fingerprint(t)
	}
}

// newest reports whether a grant also has the access token of this callback, if
// there is one to be stored.
func (o observation) newest(g grant.Grant) bool {
	return o.failed != nil || g.Fingerprint == o.token.Fingerprint()
}

// next is the grant with the tokens of this login. Without a usable access token
// it has none, and is due at once.
func (o observation) next() grant.Grant {
	g := o.grant
	if !o.ours(g) {
		g = g.Reset(o.connection.IdentityHash())
	}
	g = g.Configured(o.connection)
	if o.failed == nil {
		g = g.Accept(o.token)
	} else {
		g = g.WithoutToken()
	}
	g = g.WithRefreshToken(o.refresh, o.connection.RefreshTokenLife).Healthy()
	g.Relogin = ""
	g.TTL = time.Time{}
	if o.user != "" {
		g.User = o.user
	}
	return g
}

// storesRetry is how long a browser waits before it tries again after a store
// failed.
const storesRetry = 10 * time.Second

// hindered is the result for a browser whose login stays usable, because the
// callback failed before it consumed the request, or made it usable again. The
// browser may try again if time, a slot or the lease is missing (Busy) or if a
// store failed (StoreFailing). Any other error lasts until an operator repairs
// the cause (Broken).
func (o observation) hindered(err error) CallbackResult {
	a := CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: err}
	var b *ratelimit.LimitError
	switch {
	case errors.Is(err, errNoTime), errors.Is(err, lease.ErrLost), errors.Is(err, grant.ErrFenced):
	case errors.As(err, &b):
		a.RetryAfter = max(a.RetryAfter, b.Until.Sub(o.now))
	case apierr.Of(err).Type == apierr.StoreUnavailable:
		a.Outcome, a.RetryAfter = StoreFailing, storesRetry
	default:
		a.Outcome, a.RetryAfter = Broken, 0
	}
	return a
}
