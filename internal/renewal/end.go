package renewal

import (
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// end is the decided end of a renewal: its outcome, and what has to be written
// first.
type end struct {
	outcome rotateapi.Outcome
	err     *apierr.Error
	// write is the grant to store; nil if nothing changed.
	write *grant.Grant
	// label: before the grant forgets its identity, the newest refresh token gets
	// it.
	label bool
	// idle: nothing was done. The lease is kept until it expires, so that callers
	// in the early window do not start another renewal.
	idle bool
	// refreshDecides: no login may be sent, and no refusal of the user says why.
	// While the refresh token gets unclear refusals, no operator is told for an hour.
	refreshDecides bool
	// unstored: other processes know nothing of this renewal.
	unstored bool
	// atLimit: it may not probe a host, because its user has too few logins left.
	atLimit bool
	// heldUntil: nothing was sent because the host is down; then it may be asked.
	heldUntil time.Time
}

// errNoTime says that the lease or the invocation would end before the work.
var errNoTime = errors.New("renewal: not enough time left to begin")

// ended is the end of a renewal to which Reltio gave no token.
func (o observation) ended(s grant.Status, e *apierr.Error) *end { return o.endedFor(s, e, 0) }

// endedFor is ended with the least time until the next try.
func (o observation) endedFor(s grant.Status, e *apierr.Error, wait time.Duration) *end {
	g := o.grant.Failed(s, e, o.now, wait, o.chance)
	return &end{outcome: rotateapi.Failed, err: e, write: &g}
}

// reauthorize is the end of a renewal that needs a person.
func (o observation) reauthorize() *end {
	e := o.ended(grant.StatusReauthorize, apierr.New(apierr.ReauthorizationRequired, "a person must log in at Reltio"))
	e.outcome = rotateapi.Reauthorize
	return e
}

// rejected is the end of a renewal whose user may not log in. The lockout record
// decides when the user may log in again, so the count of the grant's refusals
// restarts. insteadOfLogin keeps that count for a refresh: it is the refresh
// token's.
func (o observation) rejected(text string, wait time.Duration) *end {
	e := o.endedFor(grant.StatusCredentialsRejected, apierr.New(apierr.CredentialsRejected, text), wait)
	e.write.Refusals = 0
	return e
}

// stopped is the end of a renewal whose user has had as many unclear logins as are
// allowed in a day.
func (o observation) stopped(wait time.Duration) *end {
	e := o.rejected(unclearText("login; stopped to prevent a lock-out", o.grant.Refusal), wait)
	e.refreshDecides = true
	return e
}

// tooSoon is the end of a renewal that may not log in yet, after a login whose
// response was unclear: it is tried later, and no failure is counted.
func (o observation) tooSoon(until time.Time) *end {
	g := o.grant
	if !g.Waiting() {
		g.Status = grant.StatusFailing
		g.LastError, g.LastErrorMessage = apierr.ReltioUnavailable, unclearText("login", g.Refusal)
	}
	g.RetryAt = until
	return &end{outcome: rotateapi.Failed, err: g.LastFailure(o.now), write: &g}
}

// claimed is the end of a renewal whose account belongs to another connection.
func (o observation) claimed(owner string) *end {
	return o.ended(grant.StatusInvalidConnection,
		apierr.New(apierr.InvalidConnection, "username: its account belongs to connection "+owner))
}

// stillAwaitsFactor is the end of a renewal that sends no login, because the user
// needs a second factor.
func (o observation) stillAwaitsFactor() *end {
	e := o.ended(grant.StatusMFARequired, secondFactorNeeded())
	if o.grant.Status == grant.StatusMFARequired {
		g := o.grant.LookedAt(o.now)
		e.write = &g
	}
	e.refreshDecides = true
	return e
}

func secondFactorNeeded() *apierr.Error {
	return apierr.New(apierr.MFARequired,
		"the user needs a second factor; use client credentials or the authorization code flow")
}

// unclearEnd is the end of a renewal whose request got an unclear response that
// cannot lock a user.
func (o observation) unclearEnd(what string) *end {
	e := apierr.New(apierr.ReltioUnavailable, unclearText(what, o.grant.Refusal))
	return o.endedFor(grant.StatusFailing, e, o.refusalPause())
}

// refusalPause is the pause after the refusals in a row so far.
func (o observation) refusalPause() time.Duration {
	return jittered(grant.RefusalPause(o.grant.Refusals, o.grant.Life()), o.chance)
}

// told reports whether operators are told why no login may be sent, while the
// refresh token gets unclear refusals.
func (o observation) told(loginEnd *end) bool {
	return !loginEnd.refreshDecides || o.grant.RefusedForLong()
}

// gone is the end of a renewal whose connection's secret is missing. If the
// connection had a secret until now, a second look a minute later decides:
// Secrets Manager is eventually consistent. The grant's refresh token stays in
// Secrets Manager, with its identity: if the connection's secret comes back the
// refresh token is used again.
func (o observation) gone() *end {
	e := &end{outcome: rotateapi.Failed}
	var g grant.Grant
	if o.grant.Identity != "" && !o.grant.MissedSince(o.now, secondLook) {
		g = o.grant.SecretMissing(o.now, secondLook)
	} else {
		g, e.label = o.grant.Deleted(o.now), true
	}
	e.err, e.write = g.Error(o.now), &g
	return e
}

// circuitOpen is the end of a renewal at a host whose circuit is open: it is tried
// again at the next probe.
func (o observation) circuitOpen() *end { return o.postponed(o.host.NextProbe(o.now)) }

// hostDown is the end of a renewal that sends nothing because the host is down:
// another connection has just asked it. Callers are told so until the next probe. A
// sweep that has sent nothing writes nothing: no caller waits for it, and the next one
// finds the grant.
func (v view) hostDown(until time.Time) *end {
	if v.loginEnd != nil { // a login of this renewal was refused, or may not be sent
		return v.loginEnd
	}
	text := "the server does not respond"
	if v.grant.LastError == apierr.ReltioUnavailable && v.grant.LastErrorMessage != "" {
		text = v.grant.LastErrorMessage
	}
	e := apierr.New(apierr.ReltioUnavailable, text)
	if v.origin != byName && v.phase == deciding {
		return &end{outcome: rotateapi.LeftOver, err: e, heldUntil: until}
	}
	g := v.grant.Postponed(e, until)
	return &end{outcome: rotateapi.Failed, err: e, write: &g, heldUntil: until}
}

// postponed is the end of a renewal that sent nothing: it is tried again at until.
func (o observation) postponed(until time.Time) *end {
	e := apierr.Limited(until.Sub(o.now))
	g := o.grant.Postponed(e, until)
	return &end{outcome: rotateapi.LeftOver, err: e, write: &g}
}

// loginSoon refuses to revoke while the login that has to follow would wait too
// long for its slot.
func (o observation) loginSoon() *end {
	believed, _ := ratelimit.Bounds(o.now)
	if next := o.host.Next; next.After(o.now.Add(ratelimit.MaxWait)) && !next.After(believed) {
		return o.postponed(next)
	}
	return nil
}

// invalid is the end of a renewal whose connection's secret is malformed: no
// server has refused it.
func (o observation) invalid() *end {
	o.grant.ConnectionVersion, o.grant.Refusal = o.version, grant.Refusal{}
	return o.ended(grant.StatusInvalidConnection, apierr.Of(o.malformed))
}

// tombstoneFailed is the end of a renewal that could not write a tombstone,
// because Secrets Manager failed. The access token is removed all the same; the
// identity stays the old one, so that the next renewal tries again.
func (o observation) tombstoneFailed() *end {
	e := apierr.Of(o.err)
	g := o.stored.WithoutToken().Failed(grant.StatusFailing, e, o.now, 0, o.chance)
	return &end{outcome: rotateapi.Failed, err: e, write: &g}
}

// unchanged is the end of a renewal that had nothing to do. After an adoption the
// lease of a grant with a valid token is kept until it expires: callers in the
// early window would only start another renewal.
func (v view) unchanged() *end {
	e := &end{outcome: rotateapi.Unchanged}
	valid := v.grant.Valid(v.now)
	e.idle = v.asked.Lease != nil && valid
	if !valid {
		e.err = v.grant.Error(v.now)
	}
	if v.origin != byName && !v.stored.DueAt.After(v.now) {
		e.write = &v.stored // its index entry is wrong
	}
	return e
}

// endOf is the end of a renewal by an error that is no response of Reltio's: the
// lease was lost, no time or slot was left, or a store failed.
func (v view) endOf(err error) *end {
	var limit *ratelimit.LimitError
	switch {
	case errors.Is(err, lease.ErrHeld), errors.Is(err, lease.ErrLost), errors.Is(err, grant.ErrFenced):
		return &end{outcome: rotateapi.Contended, idle: true}
	case errors.Is(err, errNoTime):
		return &end{outcome: rotateapi.LeftOver}
	case errors.As(err, &limit):
		return v.postponed(limit.Until)
	}
	failed := apierr.Of(err)
	e := &end{outcome: rotateapi.Failed, err: failed}
	unread := v.grant.Connection == ""
	e.unstored = unread && failed.Type == apierr.StoreUnavailable
	onlyReported := !unread && v.reported() && v.token < inactive // only a check was to be made, so no renewal has failed
	if !unread && failed.Type == apierr.StoreUnavailable && !onlyReported {
		e.write = v.ended(grant.StatusFailing, failed).write
	}
	return e
}

// unwritten is the end of a renewal whose end could not be stored, because a newer
// holder has written or because the store failed. That replaces the original
// outcome.
func unwritten(err error) *end {
	if errors.Is(err, grant.ErrFenced) {
		return &end{outcome: rotateapi.Contended}
	}
	return &end{outcome: rotateapi.Failed, err: apierr.Of(err), unstored: true}
}

// final is an end as it is written.
func (v view) final(e end) end {
	e.write = v.stillWaiting(e)
	e.write = v.restoreLoginToken(e)
	return e
}

// stillWaiting keeps the status and the error of a waiting grant when this renewal
// could not try it.
func (v view) stillWaiting(e end) *grant.Grant {
	if e.write == nil || e.err == nil || !v.stored.Waiting() {
		return e.write
	}
	switch e.err.Type {
	case apierr.RateLimited, apierr.ReltioUnavailable, apierr.StoreUnavailable:
	default:
		return e.write
	}
	g := v.stored.LookedAt(v.now)
	g.ConnectionVersion = v.found.ConnectionVersion // a new version of the secret was not tried yet
	g.Refusal = e.write.Refusal
	g.SecretMissingAt, g.TokenMissingAt = e.write.SecretMissingAt, e.write.TokenMissingAt
	if v.refused >= refusedNow {
		g.Refusals, g.TriedAt = e.write.Refusals, e.write.TriedAt
	}
	if e.outcome == rotateapi.LeftOver {
		g.RetryAt = e.write.RetryAt
	}
	if second := g.TokenMissingAt.Add(secondLook); !g.TokenMissingAt.IsZero() && second.After(v.now) {
		g.RetryAt = second
	}
	g.Unpublished = e.write.Unpublished
	return &g
}

// restoreLoginToken publishes the access token of a login whose refresh token
// should have been revoked, when the revocation did not happen or its result is
// unknown. The refresh token is then replaced at that token's end. A grant that
// now belongs to another identity, or whose secret is missing, gets no token.
func (v view) restoreLoginToken(e end) *grant.Grant {
	if !v.loginGrant.Valid(v.now) || v.stored.Relogin != grant.ReloginRevoke || e.outcome == rotateapi.Contended {
		return e.write
	}
	after := v.stored
	if e.write != nil {
		after = *e.write
	}
	if v.grant.Identity != v.loginGrant.Identity || after.Identity != v.loginGrant.Identity {
		return e.write
	}
	after.AccessToken, after.RepeatedUntil = v.loginGrant.AccessToken, v.loginGrant.RepeatedUntil
	after.Relogin = grant.ReloginDue
	return &after
}
