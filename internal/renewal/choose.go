package renewal

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// planRequest chooses the token request, and holds it back if it would do harm
// now.
func (v view) planRequest() action {
	if v.seen == theTokens && v.err != nil {
		return finish(v.endOf(v.err))
	}
	s, e := v.choose()
	if !v.challenge.IsZero() { // the second step of the login that was sent
		s, e = step{kind: login, challenge: v.challenge, wait: v.codeWait(v.observation)}, nil
	}
	if e == nil && s.kind == refresh {
		e = v.notYet(s.refresh)
	}
	if e != nil {
		return finish(e)
	}
	if s.kind == refresh && v.grant.Rotates && v.tokens.refusing {
		refused := v.tokens.unkept // Secrets Manager has just refused the parked one
		if v.seen == theTokenStore {
			refused = v.err
		}
		switch {
		case refused == nil:
			return read(theTokenStore)
		case !v.connection.LogsInAlone() || v.noLogin() != nil:
			return finish(v.endOf(refused))
		}
		s = step{kind: login}
	}
	return v.planProbe(s)
}

// choose chooses among token requests: the refresh token, then the other stored
// one, then a login; without a login the renewal ends and a person is needed.
// After repeated unclear refusals of the refresh token a connection that can logs
// in.
func (v view) choose() (step, *end) {
	noLogin := v.noLogin()
	t, refreshes := v.refreshToken(v.spent)
	waits := refreshes && v.loginWaits()
	logsIn := v.connection.LogsInAlone() && noLogin == nil && !waits
	doubted := logsIn && v.grant.Refusals >= loginAfter
	relogin := v.grant.Relogin
	switch {
	case logsIn && relogin == grant.ReloginRevoke && refreshes && v.loggedIn:
		return step{kind: revokeRefresh, refresh: t}, v.loginSoon()
	case logsIn && relogin != "":
		return step{kind: login}, nil
	case refreshes && !doubted:
		return step{kind: refresh, refresh: t}, nil
	case noLogin != nil:
		return step{}, noLogin
	case v.connection.LogsInAlone():
		return step{kind: login}, nil
	}
	return step{}, v.reauthorize()
}

// notYet ends a renewal whose refresh would make a valid token inactive that
// callers have: the refresh can wait for that token's end. There are four cases.
// A grant that waited would be refreshed only to test whether the repair worked. A
// grant whose secret was unreadable is healthy once the secret can be read. One whose
// refresh token is of a later login than it knows was restored from a backup: that
// login has ended the wait. A refresh token that was found in Secrets Manager and was
// unknown to the grant makes the token due later than a login would have. A renewal
// that an operator forces is not held back.
func (v view) notYet(t grant.RefreshToken) *end {
	if v.asked.Force || v.reported() || !v.grant.Valid(v.now) || v.grant.ModeOf(true) == grant.Overlap {
		return nil
	}
	waits := v.found.Waiting() && v.found.Failures > 0
	if waits && !t.LoggedInAt.After(v.grant.LoggedInAt) {
		g := v.stored.LookedAt(v.now)
		if g.Status == grant.StatusInvalidConnection && g.Refusal.Status == 0 {
			g = v.grant.Healthy()
		}
		return &end{outcome: rotateapi.Unchanged, err: g.Error(v.now), write: &g}
	}
	if v.grant.HasRefreshToken() && !waits {
		return nil
	}
	g := v.grant.WithRefreshToken(t, v.connection.RefreshTokenLife)
	if waits || g.LastError == apierr.StoreUnavailable {
		g = g.Healthy()
	}
	return &end{outcome: rotateapi.Unchanged, write: &g}
}

// heldBack reports whether a request waits because the host's circuit is open: a
// user's login, and any request of a connection that was refused since its last
// success, whether or not that counted against the host.
func (v view) heldBack(s step) bool {
	if !v.host.CircuitOpen() || !s.asks() {
		return false
	}
	locks := s.kind == login && v.connection.HasUser()
	refused := v.grant.Refusals > 0 || v.grant.Refusal.Status != 0
	return locks || refused || slices.Contains(v.host.Refused, v.connection.Name)
}

// planProbe lets a request that is held back through only as the host's one probe.
// A sweep chooses the probe after it has tried all candidates; a single renewal
// may probe if it cannot lock a user, or is forced.
func (v view) planProbe(s step) action {
	switch {
	case v.probing:
		return send(s)
	case v.heldBack(s): // at a host that is down too: this pause is the longer one
	case v.host.Down():
		return v.planDown(s)
	default:
		return send(s)
	}
	a := action{rank: harmless}
	if s.kind == login && v.connection.HasUser() {
		a.rank = risky
	}
	may := v.origin == asProbe || v.origin == byName && (v.asked.Force || a.rank < risky)
	if may && v.host.MayProbe(v.now, ratelimit.ProbeEvery) {
		s.probe = ratelimit.ProbeEvery
		a.step = s
	} else {
		a.end = v.circuitOpen()
	}
	return a
}

// A host that is down is probed in this order: by a caller who waits for the token, by
// a sweep, by a connection whose last request failed, and, because it might be counted
// as refused, by a user's login last; among each of them those with a valid token
// last. So one connection that always fails keeps no other one from the probe.
const (
	afterOthers = 250 * time.Millisecond
	// waitForTurn is how long a single renewal waits until it may probe, once, and
	// forcedWait how long one does that an operator forces.
	waitForTurn = 1250 * time.Millisecond
	forcedWait  = ratelimit.DownProbeEvery + waitForTurn
)

// patience is how long the renewal waits until it may probe a host that is down.
func (p progress) patience() time.Duration {
	if p.asked.Force {
		return forcedWait
	}
	return waitForTurn
}

// planDown lets one request in some seconds through to a host that is down, from
// whichever connection wants a token; the others end at once, and are tried when
// the next one may be. The last login that a user has left is never a probe:
// checkToken, which locks no user, is called in its place, half as often because the
// login follows once the host has responded.
func (v view) planDown(s step) action {
	s.probe = v.host.ProbeInterval(v.now)
	if s.kind == login && v.lastLogin {
		s = step{kind: knock, probe: 2 * s.probe}
	}
	if v.origin != byName {
		s.probe += afterOthers
	}
	if v.grant.Failures > 0 {
		s.probe += 2 * afterOthers
	}
	if s.kind == login && v.connection.HasUser() {
		s.probe += 3 * afterOthers
	}
	if v.grant.Valid(v.now) {
		s.probe += afterOthers
	}
	turn := v.host.ProbedAt.Add(s.probe)
	switch {
	case v.host.MayProbe(v.now, s.probe):
		return send(s)
	case v.origin == byName && !v.waited && turn.Sub(v.now) <= v.patience():
		return action{look: theDueMoment, wait: turn.Sub(v.now)}
	}
	return finish(v.hostDown(turn))
}
