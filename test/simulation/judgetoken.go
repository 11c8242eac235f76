package simulation

import (
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// judgeToken looks at a token request: I2, I3, I4, I8 and I9.
func (w *World) judgeToken(i *Instance, h *host, c *conn, s sent) {
	w.figures.Requests++
	if w.onToken != nil {
		w.onToken(s.request)
	}
	w.judgeRate(i, h, c)
	if i.kind != callbackKind {
		w.judgeReason(i, c, s)
		w.judgeRepetition(i, c, s)
		w.judgeDown(i, h, c, s)
		w.judgeProbe(i, h, c, s) // of what the process before has written down
		w.judgeDelay(i, c)
		w.judgeKept(i, c)
		w.judgeRotates(i, c, s)
	}
	number := 1
	if c.last.by == i {
		number = c.last.number + 1
	}
	c.last = attempt{at: w.now(), by: i, number: number}
	if s.request.Acted {
		c.accepted[c.credentials()] = true
		if i.kind == callbackKind && s.heard {
			c.clientRefused, c.row, c.heldBack = 0, 0, false
		}
	}
	if i.kind != callbackKind { // what a person types is the person's matter
		w.judgeRefused(i, c, s)
	}
	w.judgeGiven(i, c, s)
}

// judgeRate is I4: at most 10 token requests in any one-second window at the
// server, all functions together. Two that are exactly a second apart are in
// different windows. Where clocks differ by more than 50 ms it is not judged.
func (w *World) judgeRate(i *Instance, h *host, c *conn) {
	const limit = 10
	if i.wrong() || w.now().Before(h.misdated) {
		h.window = nil
		return
	}
	now := w.now().UnixNano()
	for len(h.window) > 0 && h.window[0] <= now-int64(time.Second) {
		h.window = h.window[1:]
	}
	h.window = append(h.window, now)
	w.figures.Window = max(w.figures.Window, len(h.window))
	if len(h.window) > limit && !w.cfg.Loose {
		w.broken("I4", c, "%d token requests in a second at %s", len(h.window), h.name)
	}
}

// judgeProbe: a host that refuses everyone gets one probe per tick of those who
// are held back: logins of users, and connections that it has refused since it
// last accepted them. Requests that were on
// their way when it began to refuse are no probes (4.5; it is part of I3, since each
// probe may cost a user a login). Frozen
// processes are not on time.
func (w *World) judgeProbe(i *Instance, h *host, c *conn, s sent) {
	const onTheWay = 30 * time.Second
	now := w.now()
	heldBack := s.login != 0 && c.Type == connection.Password || c.heldBack
	if !h.refusing || !heldBack || now.Sub(h.refusingSince) < onTheWay {
		return
	}
	if gap := now.Sub(h.probed); !i.wrong() && gap < tickEvery-w.tolerance()-onTheWay/2 && now.After(w.global) && now.After(c.disturbed) {
		w.broken("I3", c, "%s refuses everybody and was probed %s ago by %s", h.name, gap, h.prober)
	}
	if h.probed, h.prober = now, c.name; i.wrong() {
		h.probed = time.Time{} // what it wrote down is doubted
	}
}

// judgeReason is the first half of I2: a token request has a reason. The grant
// in the table is due (which a failure's retry_at defers), or an operator
// forced it, or a caller needs more life and the server's tokens overlap, or a
// reported token was just found inactive, or it is a further pass of a renewal that
// had a reason: 4.3 and 4.4 add two, a refused refresh token the other version
// and a login. It has it when it is sent.
func (w *World) judgeReason(i *Instance, c *conn, s sent) {
	const passes = 4
	now := s.at
	g := c.believed(now)
	switch {
	case i.wrong():
	case c.last.by == i && c.last.number < passes:
	case i.forced || c.storedAt.IsZero():
	case !g.Due().After(now.Add(w.cfg.skew() + time.Millisecond)):
	case now.Sub(c.seized) < time.Minute:
	case w.troubled(c.host): // the one probe, which judgeProbe counts, or one that was chosen when the trouble ended
	case c.storedBy == i && !c.dueFrom.IsZero(): // it had been left over by the same sweep
	case c.storedBy != i && c.storedBy.spoilt(c.name, now.Add(-lease.Term)):
		// One that was frozen has written in between: a lower epoch, which is
		// let in for as long as the higher one has not stored.
	case reasonOfCaller(i, g, now.Add(w.cfg.skew())):
	case i.reports(g) && i.spoilt(c.name, now.Add(-lease.Term)): // it was frozen after it had checked the token
	default:
		w.broken("I2", c, "a token request without a reason: due %s, request %+v", g.Due().Sub(now), i.request)
	}
}

// reports is whether the process's caller reports the grant's token.
func (i *Instance) reports(g grant.Grant) bool {
	return i.request != nil && i.request.RejectedFingerprint != "" && i.request.RejectedFingerprint == g.Fingerprint
}

// reasonOfCaller: what a caller says may be a reason for a valid token's
// renewal.
func reasonOfCaller(i *Instance, g grant.Grant, now time.Time) bool {
	const checked = time.Minute
	r := i.request
	switch {
	case r == nil:
		return false
	case i.reports(g):
		return now.Sub(g.CheckedAt) < checked || !g.Unexpired(now) // its last second passed on the way
	}
	left := g.ExpiresAt.Sub(now)
	return r.MinTTLSeconds > 0 && g.Mode() == grant.Overlap && left < g.Life()/2 &&
		left < time.Duration(r.MinTTLSeconds)*time.Second
}

// judgeRepetition is the other half of I2: the renewal before has written what
// became of its request, or something happened to its process (a death, a
// freeze, a store that failed it), or its lease was seized.
// And after a failure there is none before the back-off's least time, counted
// from what the server said and not from what was stored. New credentials, an
// operator, a host that refused everyone and further passes of one renewal are
// no repetition.
func (w *World) judgeRepetition(i *Instance, c *conn, s sent) {
	before, now := c.last, s.at
	if before.by == nil || before.by == i {
		return
	}
	excused := before.by.spoilt(c.name, before.at.Add(-time.Minute)) || c.seized.After(before.at.Add(-time.Minute))
	if !before.recorded && !excused {
		w.broken("I2", c, "a second token request by %s-%d while that of %s-%d, %s ago, is open",
			i.kind, i.id, before.by.kind, before.by.id, now.Sub(before.at))
	}
	if !before.recorded {
		// That one was forgotten with its process.
		c.failures, c.row, c.heldBack = max(0, c.failures-1), max(0, c.row-1), false
	}
	if now.Add(w.tolerance()).Before(c.notBefore) && !excused && !i.forced && !w.troubled(c.host) {
		w.broken("I2", c, "a token request %s after %d failures, %s too early", now.Sub(before.at), c.failures, c.notBefore.Sub(now))
	}
}

// judgeKept is I5 for answers: a refresh token that the client heard is stored
// in Secrets Manager, or parked, before the next request, unless something happened to
// its process or to the table.
func (w *World) judgeKept(i *Instance, c *conn) {
	r := c.refresh
	if i.wrong() || r.fingerprint == "" || r.stored || r.by == i || r.by.lostIt(c.name, r.at.Add(-time.Minute)) || c.seized.After(r.at.Add(-time.Minute)) {
		return
	}
	w.broken("I5", c, "the refresh token %s was answered %s ago and not stored", short(r.fingerprint), w.now().Sub(r.at))
}

// judgeGiven notes what the server gave or refused.
func (w *World) judgeGiven(i *Instance, c *conn, s sent) {
	r, now := s.request, w.now()
	defer func() {
		if i.wrong() { // whatever it notes about times is doubted
			c.failures, c.notBefore, c.refusedToken = 0, time.Time{}, refusedRefresh{}
		}
	}()
	usable := s.heard && !s.spoilt && r.Outcome == reltioauthtest.OutcomeOK
	if s.heard && r.RefreshToken != "" && r.RefreshToken != c.stored.RefreshFingerprint {
		c.refresh = heardRefresh{fingerprint: r.RefreshToken, at: now, by: i, stored: w.keeps(c, r.RefreshToken)}
	}
	if r.Acted && r.AccessToken != "" {
		w.figures.Granted++
		w.judgeAnswers(c, s, usable)
	}
	switch {
	case usable:
		c.failures, c.notBefore, c.refusedAt = 0, time.Time{}, time.Time{}
		if r.GrantType != "refresh_token" {
			c.loggedIn = now
		}
	case r.Outcome == reltioauthtest.OutcomeRateLimited || r.Outcome == reltioauthtest.OutcomeTokenLimit:
		w.figures.Throttled++
		fallthrough
	default:
		dead := c.refreshRefused(s)
		if dead && c.Type == connection.AuthorizationCode {
			w.judgeRefreshRefused(i, c, r)
		}
		if dead || w.troubled(c.host) {
			break // there is another way; and a refused probe is no failure
		}
		w.judgeFailure(c, s)
	}
}

// judgeFailure notes until when there has to be peace. One that waits is looked
// at every five minutes, whatever came before; new credentials, and a login that
// may be tried again, are a new beginning. Refusals in a row that lock no user
// have pauses of their own, which come to an hour in the end.
func (w *World) judgeFailure(c *conn, s sent) {
	version, _ := w.secrets.ConnectionVersion(w.ctx, c.name)
	waiting := c.stored.Waiting()
	if waiting && s.login == 0 && version == c.stored.ConnectionVersion {
		pause := grant.LookEvery
		if c.Type == connection.Password {
			// Its refresh token goes on beside a login that may not be sent, at the
			// pauses of its own refusals: as long, less the jitter.
			pause = pause * 4 / 5
		}
		c.failures, c.notBefore = 0, w.now().Add(pause)
		if c.row > 0 {
			c.notBefore = w.now().Add(min(grant.LookEvery, leastPause(c.row, c.stored.Life())))
		}
		return
	}
	if waiting {
		c.failures = 0
	}
	if c.last.number == 1 || c.failures == 0 { // one renewal fails once
		c.failures++
	}
	c.notBefore = w.now().Add(grant.BackOff(c.failures, c.stored.Life(), 1))
	if outage(s) { // then the host is asked at its own pace, for all connections together
		c.notBefore = w.now()
	}
	if c.row > 0 && s.heard && refusalOf(c.host, s) != notRefused { // then these decide
		c.notBefore = w.now().Add(leastPause(c.row, c.stored.Life()))
	}
}

// outage reports whether the client heard nothing that it could read, and no refusal.
func outage(s sent) bool {
	status := s.request.Status
	return !s.heard || s.spoilt || status/100 == 5 || status/100 == 2 || status == http.StatusRequestTimeout
}

// judgeRefreshRefused notes that the server refused all that a person once gave, which a
// server that refuses everyone does not say. That is asked again at the next
// look at the earliest.
func (w *World) judgeRefreshRefused(i *Instance, c *conn, r reltioauthtest.Request) {
	now := w.now()
	if !w.troubled(c.host) {
		c.refusedAt = now
	}
	early := c.refusedToken.token == r.Presented && c.refusedToken.by != i && now.Sub(c.refusedToken.at) < grant.LookEvery-w.tolerance()
	if early && !w.cutShort(c) && !w.troubled(c.host) && !c.refusedToken.by.spoilt(c.name, c.refusedToken.at.Add(-time.Minute)) && !i.forced && !i.wrong() {
		w.broken("I2", c, "the dead refresh token %s is tried again after %s", short(r.Presented), now.Sub(c.refusedToken.at))
	}
	c.refusedToken = refusedRefresh{token: r.Presented, at: now, by: i}
}

// cutShort reports whether no renewal could come to the other stored version since the
// refusal: the server, or the rate limit, put that pass off, and the last write says
// so. Nothing is written down of a refusal that is not the last word, so the next
// renewal begins with the newest version again.
func (w *World) cutShort(c *conn) bool {
	current, err := w.secrets.Current(w.ctx, c.name)
	other := err == nil && current.Version != c.stored.SecretVersion
	putOff := c.stored.LastError == apierr.RateLimited || c.stored.LastError == apierr.ReltioUnavailable
	return other && putOff && c.storedAt.After(c.refusedToken.at) && !c.stored.Waiting()
}

// refreshRefused reports whether the client heard, in words that it knows, that its
// refresh token has ended.
func (c *conn) refreshRefused(s sent) bool {
	dead := s.request.Outcome == "invalid_grant" || s.request.Outcome == "invalid_token"
	return dead && s.heard && s.request.GrantType == "refresh_token" && c.readable()
}

// judgeAnswers is I9: in mode at_end, at most two answered token requests per
// token, and the weekly early one. Requests of the time before the mode was
// learned count as early ones. A report of the token adds two (4.4), and what
// happened to a process that had the answer is no fault of the client.
func (w *World) judgeAnswers(c *conn, s sent, heard bool) {
	r, now := s.request, w.now()
	t := c.given[r.AccessToken]
	if t == nil {
		t = &given{at: now, ends: now.Add(c.ttl()), identity: c.client}
		if c.Type == connection.Password {
			t.identity = c.client + "/" + r.User
		}
		c.given[r.AccessToken] = t
		for fingerprint, old := range c.given {
			if now.Sub(old.ends) > 2*time.Hour {
				delete(c.given, fingerprint)
			}
		}
	}
	if !heard {
		return
	}
	if counted := s.at.Add(t.ends.Sub(now).Truncate(time.Second)); t.counted.IsZero() || counted.Before(t.counted) {
		t.counted = counted
	}
	t.answers++
	t.invalid = time.Time{} // the server insists on it
	const limit, early = 2, 1
	if c.stored.Mode() == grant.AtEnd && t.answers > limit+early+t.allowed && !c.disturbed.After(t.at) {
		w.broken("I9", c, "token %s was answered %d times", short(r.AccessToken), t.answers)
	}
}
