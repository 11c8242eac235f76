package authcode

import (
	"cmp"
	"time"
)

// planStoring decides what follows from Reltio's response to the exchange: whose
// login it is, what is stored, and what is revoked. The refresh token is stored
// even if the access token cannot be used.
func planStoring(o observation) action {
	switch o.seen {
	case exchange, recordThrottle:
		return planExchanged(o)
	case askUser:
		return planUser(o)
	case readAgain:
		return planKeeping(o)
	case keep:
		if o.err != nil {
			return o.nothingStored(CallbackResult{Outcome: Unstored, Err: o.err, Unkept: o.err}, discard)
		}
		return do(write)
	case write:
		if o.err != nil {
			return do(verify)
		}
		return planWritten(o)
	case verify:
		return planVerified(o)
	case withdrawToken:
		if o.err != nil {
			return o.nothingStored(CallbackResult{Outcome: Unstored, Err: o.err})
		}
		return do(redirectAgain)
	default: // redirectAgain
		if o.err != nil {
			return o.nothingStored(CallbackResult{Outcome: Unstored, Err: o.err})
		}
		// The server may have revoked the token even if its response was lost, so a
		// failure changes nothing: if the token is still valid, Reltio gives it once
		// more, and it stays.
		return o.nothingStored(CallbackResult{Outcome: Again, Redirect: o.redirect}, revokeKnown)
	}
}

// nothingStored ends a callback that has stored no tokens: first does the given
// steps, and the person can begin again with the same invitation.
func (o observation) nothingStored(r CallbackResult, first ...step) action {
	return finish(r, append(first, reinvite, recordSuccess, remember)...)
}

// planExchanged ends a callback that got nothing for its code.
func planExchanged(o observation) action {
	switch {
	case o.requests == 0:
		return finish(CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: o.err}, giveBack)
	case o.throttled > 0 && o.seen == exchange:
		return do(recordThrottle)
	case o.failed != nil && (o.token == nil || o.token.RefreshToken.IsZero()):
		return finish(CallbackResult{Outcome: ExchangeFailed, Err: o.failed}, discard, reinvite, remember)
	}
	return do(askUser)
}

// planUser ends the login of a user who may not store a grant, before anything is
// stored.
func planUser(o observation) action {
	var r CallbackResult
	switch judgeUser(o.connection.ExpectedUser, o.knownUser(), o.user, o.invitation.ReplaceUser) {
	case unclear:
		r = CallbackResult{Outcome: UserUnknown, Err: cmp.Or(o.nameless, o.failed)}
	case foreign:
		r = CallbackResult{Outcome: WrongUser, Err: o.failed}
	default:
		return do(readAgain)
	}
	return finish(r, discard, recordSuccess, reinvite, remember)
}

// planKeeping stores the tokens: first the refresh token, then the grant. A refresh
// token that Reltio gave a second time without a new deadline is revoked, and the
// browser is sent through the login page once more. Until it is back, the
// connection has no token, and says so; the invitation is usable again. If a step
// before the revocation fails, the old token stays as it was.
func planKeeping(o observation) action {
	switch {
	case o.same && o.failed != nil: // nothing new to store
		return o.nothingStored(CallbackResult{Outcome: ExchangeFailed, Err: o.failed})
	case o.same && !o.request.Second:
		return do(withdrawToken)
	case o.same, none(o.known) && o.refresh.Token.IsZero(): // only the grant changes
		return do(write)
	}
	return do(keep)
}

// planWritten ends a callback whose grant is stored.
func planWritten(o observation) action {
	r := CallbackResult{Outcome: Done, Err: cmp.Or(o.failed, o.nameless, o.parked), Unkept: o.parked, Parked: o.parked != nil}
	if o.same {
		r = CallbackResult{Outcome: DoneSameToken, HoldsUntil: o.refresh.LoggedInAt.Add(o.connection.RefreshTokenLife), Err: o.nameless}
	}
	return finish(r, recordSuccess, remember)
}

// planVerified decides after a write that failed. If it happened nevertheless, the
// callback continues. Tokens are revoked only if the read shows that they are not
// stored: tokens that may be stored may be in use.
func planVerified(o observation) action {
	failed := CallbackResult{Outcome: Unstored, Err: o.writeErr}
	switch o.sight {
	case present:
		return planWritten(o)
	case absent:
		return o.nothingStored(failed, giveUp)
	}
	return o.nothingStored(failed)
}
