package renewal

import (
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// action is what a renewal does next: it reads something, or sends one request, or
// ends.
type action struct {
	look look
	// wait is how long to wait for theDueMoment.
	wait time.Duration
	step step
	end  *end
	// rank says how fit the renewal is to probe a host whose circuit is open.
	rank rank
}

func read(l look) action   { return action{look: l} }
func send(s step) action   { return action{step: s} }
func finish(e *end) action { return action{end: e} }

// plan decides what a renewal does next. It reads nothing and writes nothing: if
// it does not know enough it asks for the next thing to be read, the cheapest
// first.
func plan(o observation, p progress) action {
	v := view{o, p}
	switch o.seen {
	case nothing:
		return read(theGrant)
	case theGrant:
		return v.planDue()
	case theDueMoment:
		if o.err != nil {
			return finish(v.endOf(o.err))
		}
		return v.planWaiting()
	case theVersion:
		return v.planVersion()
	case endingConnection, endingTokens:
		return v.planEnding()
	case theConnection, theTombstone, theReset:
		return v.planConnection()
	case theHost:
		return v.planHost()
	default:
		return v.planRequest()
	}
}

// planDue ends a renewal that is not due. It needs the grant alone. A single
// renewal that is due within seconds waits for it.
func (v view) planDue() action {
	g, now := v.grant, v.now
	if v.err != nil {
		return finish(v.endOf(v.err))
	}
	ahead := g.Due().Sub(now)
	switch {
	case g.Status == grant.StatusPaused:
		return finish(&end{outcome: rotateapi.Unchanged, err: g.Error(now)})
	case v.phase == continuing:
		return read(theConnection)
	case v.reported():
		return v.planReported()
	case v.asked.Force, v.asked.MinTTLSeconds > 0 && g.UsedHalf(now, time.Duration(v.asked.MinTTLSeconds)*time.Second):
		return read(theConnection)
	case ahead > 0 && (v.origin != byName || ahead > waitForDue || unanswered(v.grant, now)):
		return v.planNotDue()
	case ahead > 0:
		return action{look: theDueMoment, wait: ahead}
	}
	return v.planWaiting()
}

// unanswered reports whether the connection's last request got no response, so that
// its next one must not be waited for here: the caller has that error already.
func unanswered(g grant.Grant, now time.Time) bool {
	return g.Retrying(now) && g.LastError == apierr.ReltioUnavailable
}

// planReported decides about a reported token. It is checked; or it is renewed if
// this check or an earlier one found it inactive and no renewal followed. A
// waiting grant is checked only if it may be tried: otherwise the token could not
// be replaced. Before RetryAt Reltio is not asked, whatever the reason.
func (v view) planReported() action {
	switch {
	case v.asked.Force:
		return read(theConnection)
	case v.grant.Retrying(v.now):
		return finish(v.unchanged())
	case v.token >= inactive, v.grant.Checkable(v.now):
		return v.planWaiting()
	}
	return finish(v.unchanged())
}

// planNotDue handles a grant that is not due. The index also holds the moments at
// which a person is told that a refresh token ends: for those a sweep reads on.
func (v view) planNotDue() action {
	if v.origin == byName || !v.grant.HasRefreshToken() || v.stored.DueAt.After(v.now) {
		return finish(v.unchanged())
	}
	return read(endingConnection)
}

// planEnding handles a grant that is not due and whose refresh token ends. It
// sends nothing to Reltio. The connection that was read makes the write of the
// grant add the event; and the renewal ends if no refresh token is left, even
// though the access token is valid. If something cannot be read the index stays as
// it is, and the next sweep tries again. A missing secret is reported by the next
// renewal.
func (v view) planEnding() action {
	left := true
	switch {
	case errors.Is(v.err, connection.ErrNotFound), errors.Is(v.err, grant.ErrNotFound):
	case v.err != nil:
		return finish(&end{outcome: rotateapi.LeftOver, err: apierr.Of(v.err)})
	case v.connection == nil, v.grant.Waiting(), v.now.Before(v.grant.RefreshExpiresAt):
	case v.seen == endingConnection:
		return read(endingTokens)
	default:
		_, left = v.refreshToken(v.spent)
	}
	if !left {
		return finish(v.reauthorize())
	}
	return finish(v.unchanged())
}

// endsByPerson reports whether a person authorizes the connection to which the
// grant belongs.
func endsByPerson(g grant.Grant, c *connection.Connection) bool {
	return !c.LogsInAlone() && c.IdentityHash() == g.Identity
}

// planWaiting handles a grant that waits for a person or new credentials: Reltio
// is asked only if the secret has a new version, or when TryDue allows it.
func (v view) planWaiting() action {
	if !v.grant.Waiting() || v.grant.TryDue(v.now) {
		return read(theConnection)
	}
	return read(theVersion)
}

// planVersion ends the renewal of a waiting grant whose secret is the same.
func (v view) planVersion() action {
	switch {
	case errors.Is(v.err, connection.ErrNotFound):
		return finish(v.gone())
	case v.err != nil:
		return finish(v.endOf(v.err))
	case v.version != v.grant.ConnectionVersion:
		return read(theConnection)
	}
	g := v.grant.SecretFound().LookedAt(v.lookedAt)
	return finish(&end{outcome: rotateapi.Unchanged, err: g.Error(v.lookedAt), write: &g})
}

// planConnection makes sure that the grant belongs to the connection. The tokens
// of another identity are removed before anything is sent. A grant whose secret
// was missing until now and that is not due is not renewed.
func (v view) planConnection() action {
	switch {
	case v.seen == theTombstone && v.err == nil:
		return read(theReset)
	case v.seen == theTombstone && !errors.Is(v.err, lease.ErrLost):
		return finish(v.tombstoneFailed())
	case v.seen == theConnection && errors.Is(v.err, connection.ErrNotFound):
		return finish(v.gone())
	case v.err != nil:
		return finish(v.endOf(v.err))
	case v.malformed != nil:
		return finish(v.invalid())
	case v.grant.Identity != v.connection.IdentityHash():
		return read(theTombstone)
	case v.cameBack && !v.asked.Force && !v.reported() && v.grant.Due().After(v.now):
		g := v.grant
		return finish(&end{outcome: rotateapi.Unchanged, write: &g})
	}
	return read(theHost)
}

// planHost sends nothing while the host is throttled. Requests that are no token
// requests need no more than the host's record.
func (v view) planHost() action {
	switch until, paused := v.host.ThrottledUntil(v.now); {
	case v.err != nil:
		return finish(v.endOf(v.err))
	case paused:
		return finish(v.postponed(until))
	case v.reported() && v.token == unjudged && !v.asked.Force:
		return v.planProbe(step{kind: check, token: v.grant.AccessToken})
	case v.token == reasked:
		return v.planProbe(step{kind: revokeAccess, token: v.grant.AccessToken})
	case v.connection.Refreshes():
		return read(theTokens)
	}
	return v.planRequest()
}
