package authcode

import (
	"crypto/subtle"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// step is what a callback does next. The order here is that of a login.
type step int

const (
	start step = iota
	// readRequest: the authorization request, by its state.
	readRequest
	// consumeUnsent consumes a request whose code is never sent.
	consumeUnsent
	// readConnection: the connection's secret.
	readConnection
	// redirectOnceMore makes the redirect for a reload after Again.
	redirectOnceMore
	// readGrant: the grant, before the lease is taken.
	readGrant
	// readHost: the authorization server's record.
	readHost
	// readTokens: the newest refresh token, stored or parked.
	readTokens
	// dial connects to the authorization server.
	dial
	// seize takes the grant's lease, also from another holder.
	seize
	// readHeld: the grant, under the lease.
	readHeld

	// reserve reserves a slot for the exchange.
	reserve
	// consume consumes the request, useInvitation uses the invitation up.
	consume
	useInvitation
	// resetGrant replaces the grant of another identity by an empty one.
	resetGrant
	// awaitSlot waits for the slot.
	awaitSlot

	// exchange sends the code, once.
	exchange
	// recordThrottle records a 429 response for the rate limit.
	recordThrottle
	// askUser asks Reltio who has logged in.
	askUser
	// readAgain reads the grant and the newest refresh token once more.
	readAgain
	// keep writes the refresh token to Secrets Manager, or parks it in the table.
	keep
	// write writes the grant and sends its events.
	write
	// verify reads whether a grant was written although its write has failed.
	verify
	// withdrawToken removes the access token from the grant, before the refresh
	// token is revoked.
	withdrawToken
	// redirectAgain makes the redirect for a second login.
	redirectAgain

	// The steps from here on close a callback. If one of them fails, the result
	// stays.

	// giveBack makes the request and the invitation usable again.
	giveBack
	// discard revokes the tokens of this callback, unless the grant has them.
	discard
	// giveUp revokes them: the grant does not have them.
	giveUp
	// revokeKnown revokes the refresh token that Reltio gave again.
	revokeKnown
	// recordSuccess clears refusals in the server's record.
	recordSuccess
	// reinvite makes the invitation usable again.
	reinvite
	// remember stores the outcome in the request, for a reload.
	remember
)

// action is what plan decides: one step, or the end.
type action struct {
	step step
	end  *end
}

// end is the end of a callback: its result, and the steps that close it, in order.
type end struct {
	result  CallbackResult
	closing []step
}

func do(s step) action { return action{step: s} }

func finish(r CallbackResult, closing ...step) action { return action{end: &end{r, closing}} }

// plan decides what a callback does next. It reads nothing and writes nothing. All
// steps that can fail and need no consumed request come before the request is
// consumed, so their failure leaves it usable.
func plan(o observation) action {
	switch {
	case o.seen < readGrant:
		return o.inTime(planRecognition(o))
	case o.seen < reserve:
		return o.inTime(planPreparation(o))
	case o.seen < exchange:
		return planSending(o)
	default:
		return planStoring(o)
	}
}

// inTime corrects the result of a preparation: one that failed after its deadline
// failed because it was slow.
func (o observation) inTime(a action) action {
	if a.end != nil && o.late && (a.end.result.Outcome == StoreFailing || a.end.result.Outcome == Broken) {
		a.end.result = CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: errNoTime}
	}
	return a
}

// planRecognition decides whether this callback is to be exchanged.
func planRecognition(o observation) action {
	switch o.seen {
	case start:
		return do(readRequest)
	case readRequest:
		return planRequest(o)
	case consumeUnsent:
		return planConsumedUnsent(o)
	case readConnection:
		return planConnection(o)
	default: // redirectOnceMore
		return planRedirectedOnceMore(o)
	}
}

// planPreparation decides whether the exchange may be sent now and its refresh
// token be stored, before the service connects to Reltio and before the lease is
// taken from a renewal. If the newest refresh token cannot be read now, an exchange
// would lose the person's code.
func planPreparation(o observation) action {
	switch {
	case o.err != nil && o.seen == dial:
		return finish(CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: o.err})
	case o.err != nil:
		return finish(o.hindered(o.err))
	}
	switch o.seen {
	case readGrant:
		if o.grant.Status == grant.StatusPaused {
			return finish(CallbackResult{Outcome: Paused})
		}
		return do(readHost)
	case readHost:
		if until, paused := o.host.ThrottledUntil(o.now); paused {
			return finish(o.hindered(&ratelimit.LimitError{Until: until, Paused: true}))
		}
		return do(readTokens)
	case readTokens:
		return do(dial)
	case dial:
		return do(seize)
	case seize:
		return do(readHeld)
	default: // readHeld
		return planHeld(o)
	}
}

// planRequest recognises the request and its browser. A request that has an
// outcome gets the same response again.
func planRequest(o observation) action {
	r := o.request
	switch {
	case errors.Is(o.err, authrequest.ErrNotFound):
		return finish(CallbackResult{Outcome: RequestGone})
	case o.err != nil:
		return finish(o.hindered(o.err))
	case subtle.ConstantTimeCompare([]byte(authrequest.HashOf(o.callback.Binding)), []byte(r.Binding)) != 1:
		return finish(CallbackResult{Outcome: WrongBrowser})
	case o.reload() && recall(r.Outcome).Outcome != Again:
		return finish(recall(r.Outcome))
	case o.reload():
		return do(readConnection)
	case !r.Pending(o.now):
		return finish(CallbackResult{Outcome: RequestGone})
	case o.callback.Error != "":
		return do(consumeUnsent)
	}
	return do(readConnection)
}

// reload reports whether the request has an outcome that a reload is shown.
func (o observation) reload() bool { return o.request.Outcome != "" && o.now.Before(o.request.Ends) }

// planConsumedUnsent ends the callbacks that consume a request without an
// exchange: an error response, or the response of another server.
func planConsumedUnsent(o observation) action {
	switch {
	case o.err != nil:
		return finish(unconsumed(o.err))
	case o.callback.Error != "":
		return finish(CallbackResult{Outcome: Denied, ErrorCode: o.callback.Error}, remember)
	default:
		return finish(CallbackResult{Outcome: WrongServer}, remember)
	}
}

// unconsumed is the result when the request could not be consumed.
func unconsumed(err error) CallbackResult {
	if errors.Is(err, authrequest.ErrUsed) {
		return CallbackResult{Outcome: RequestGone}
	}
	return CallbackResult{Outcome: Broken, Err: err}
}

// planConnection goes on if a person authorizes the connection, and the response
// is that of its server.
func planConnection(o observation) action {
	switch {
	case errors.Is(o.err, connection.ErrNotFound):
		return finish(CallbackResult{Outcome: InvitationGone})
	case o.err != nil && o.request.Outcome != "":
		return finish(CallbackResult{Outcome: Broken, Err: o.err})
	case o.err != nil:
		return finish(o.hindered(o.err))
	case o.connection.GrantType != connection.AuthorizationCode:
		return finish(CallbackResult{Outcome: InvitationGone})
	case o.request.Outcome != "":
		return do(redirectOnceMore)
	case o.callback.Issuer != "" && o.callback.Issuer != o.connection.AuthURL:
		return do(consumeUnsent)
	}
	return do(readGrant)
}

// planRedirectedOnceMore ends the reload of a callback whose outcome was Again:
// the stored outcome has no redirect, so there is another one.
func planRedirectedOnceMore(o observation) action {
	if o.err != nil {
		return finish(CallbackResult{Outcome: Broken, Err: o.err})
	}
	return finish(CallbackResult{Outcome: Again, Redirect: o.redirect})
}

// planHeld goes on under the lease if time is left for all that follows.
func planHeld(o observation) action {
	switch {
	case o.grant.Status == grant.StatusPaused:
		return finish(CallbackResult{Outcome: Paused})
	case !o.fits(ratelimit.MaxWait):
		return finish(o.hindered(errNoTime))
	}
	return do(reserve)
}

// planSending decides while the exchange waits for its slot. If there is no slot,
// or too little time for the steps that follow, the request stays usable or becomes
// so again.
func planSending(o observation) action {
	switch o.seen {
	case reserve:
		if o.err != nil {
			return finish(o.hindered(o.err))
		}
		return do(consume)
	case consume:
		if o.err != nil {
			return finish(unconsumed(o.err))
		}
		return do(useInvitation)
	case useInvitation:
		return planInvitation(o)
	}
	err := o.err
	if o.late && (err != nil || o.seen == awaitSlot) || err == nil && o.seen == awaitSlot && !o.fits(0) {
		err = errNoTime
	}
	switch {
	case err != nil:
		return finish(o.hindered(err), giveBack)
	case o.seen == resetGrant:
		return do(awaitSlot)
	}
	return do(exchange)
}

// planInvitation goes on if the invitation is used up by this callback. The first
// of two passes through the login page makes it usable again, so that the person
// may also begin again: the second pass goes on without it if the invitation is
// used or expired by then.
func planInvitation(o observation) action {
	switch {
	case o.err == nil, errors.Is(o.err, authrequest.ErrUsed) && o.request.Second:
	case errors.Is(o.err, authrequest.ErrUsed), errors.Is(o.err, authrequest.ErrNotFound):
		return finish(CallbackResult{Outcome: InvitationGone}, remember)
	default:
		return finish(o.hindered(o.err), giveBack)
	}
	if !o.ours(o.grant) {
		return do(resetGrant)
	}
	return do(awaitSlot)
}
