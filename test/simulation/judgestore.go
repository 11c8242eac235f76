package simulation

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// What the judge knows of stores and clocks in trouble.

// believed is the stored grant as a right clock reads it.
func (j *judged) believed(now time.Time) grant.Grant { return j.stored.Believed(now) }

// Needed counts why a person was asked for a connection that had not waited for one.
type Needed struct {
	// Absent: there was no refresh token, or no secret that could be right. Ended:
	// it had, by our own count. Refused: the server said so. Misdated: to a clock
	// that was wrong it had ended.
	Absent, Ended, Refused, Misdated int
}

// judgeParked notes a refresh token that was parked because Secrets Manager does not
// take it: it is kept like one in Secrets Manager (I5).
func (w *World) judgeParked(i *Instance, name string, r grant.RefreshToken, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.conns[name]
	e := numbered(OpPark, name, err, r.Epoch)
	e.text = short(r.Fingerprint())
	w.noteLocked(i, e)
	if err != nil {
		return
	}
	w.figures.Parked++
	if c.refresh.fingerprint == r.Fingerprint() || c.refresh.by == i {
		c.refresh.stored = true
	}
}

// judgeSecretsRefuse notes for an environment whether Secrets Manager takes refresh tokens.
func (w *World) judgeSecretsRefuse(i *Instance, r grant.RefreshToken, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, refuses := w.unwritable[i.renewal]
	switch {
	case err == nil:
		delete(w.unwritable, i.renewal)
	case !refuses && !r.Token.IsZero() && i.renewal != nil:
		w.unwritable[i.renewal] = w.now()
	}
}

// judgeRotates is I5 for what might be lost: an environment that knows Secrets Manager to
// refuse has no refresh token replaced, except what was on its way.
func (w *World) judgeRotates(i *Instance, c *conn, s sent) {
	const onTheWay = 30 * time.Second
	since, refuses := w.unwritable[i.renewal]
	if refuses && s.request.GrantType == "refresh_token" && c.stored.Rotates && w.now().Sub(since) > onTheWay {
		w.broken("I5", c, "a refresh token is replaced though the vault refuses since %s", w.now().Sub(since))
	}
}

// newest is the refresh token that is stored with the highest epoch, in Secrets Manager
// or parked; false if there is none.
func (w *World) newest(c *conn) (grant.RefreshToken, bool) {
	r, err := w.secrets.Current(context.Background(), c.name)
	if parked, none := w.table().Parked(context.Background(), c.name); none == nil && (err != nil || parked.Epoch > r.Epoch) {
		r, err = parked, nil
	}
	return r, err == nil && !r.Token.IsZero()
}

// keeps reports whether a refresh token is the current one of Secrets Manager, or parked.
func (w *World) keeps(c *conn, fingerprint string) bool {
	current, err := w.secrets.Current(w.ctx, c.name)
	if err == nil && current.Fingerprint() == fingerprint {
		return true
	}
	parked, err := w.table().Parked(w.ctx, c.name)
	return err == nil && parked.Fingerprint() == fingerprint
}

// judgeReauthorize is I5 for people: no person is asked for if the server still
// takes the last stored refresh token. A person is asked for only if the server has
// refused clearly, or neither accepted nor refused for an hour, or the refresh token
// has ended by our own count. A process whose clock is wrong may ask too early; that
// ends by itself (inspectStores).
func (w *World) judgeReauthorize(i *Instance, c *conn) {
	token, stored := w.newest(c)
	n := &w.figures.Needed
	switch {
	case !stored || !c.clientRight() || c.gone || c.broken:
		n.Absent++
		return
	case i.wrong():
		n.Misdated++
		return
	case c.clientRefused > 1 && !c.unclearFrom.IsZero() && w.now().Sub(c.unclearFrom) > grant.TryEvery/2-w.tolerance():
		n.Refused++ // for an hour the responses were unclear; the pauses' jitter is part of that, and trouble of the server
		return
	case !w.now().Add(w.tolerance() + time.Minute).Before(token.LoggedInAt.Add(c.refreshTTL())):
		const behind = mostBehind + 5*time.Minute                   // a clock that was may have dated the login
		known := c.Behaviour.RefreshTokens == reltioauthtest.Rotate // else the client cannot see that the server started a clock again
		n.Ended++
		if known && w.now().Sub(token.LoggedInAt.Add(c.refreshTTL())) > behind && c.host.server.Valid(token.Token) {
			w.broken("I5", c, "a person is asked at the end of the refresh token %s, and the server takes it", short(token.Fingerprint()))
		}
		return
	}
	n.Refused++
	switch {
	case c.host.server.Valid(token.Token):
		w.broken("I5", c, "a person is asked though the server takes the stored refresh token %s", short(token.Fingerprint()))
	case c.refusedToken.by != i && !c.heldToken():
		w.broken("I5", c, "a person is asked though nobody has refused the stored refresh token %s", short(token.Fingerprint()))
	}
}

// heldToken reports whether Secrets Manager held a refresh token that an operator has
// deleted lately.
func (c *conn) heldToken() bool { return !c.tokenGone.IsZero() && c.tokenGone.After(c.loggedIn) }

// askedForAnother reports whether the secret has changed its identity since a
// moment. One that is missing, or cannot be read, asks for nothing.
func (j *judged) askedForAnother(since time.Time) bool {
	last := ""
	for _, a := range j.secrets {
		if a.identity == "" {
			continue
		}
		if last != "" && a.identity != last && !a.from.Before(since) {
			return true
		}
		last = a.identity
	}
	return false
}

// judgeTrue is I12 for what is said: an event says only what is still true when it
// is sent. An event that was sent under a lease which was taken over meanwhile may be late.
func (w *World) judgeTrue(i *Instance, c *conn, e grant.Event) {
	if now := w.now(); now.Sub(c.seized) < time.Minute || i.spoilt(c.name, now.Add(-time.Minute)) {
		return
	}
	g, holds := c.stored, true
	switch e.Type {
	case grant.ReauthorizationRequired:
		holds = g.Status == grant.StatusReauthorize
	case grant.CredentialsRejected:
		holds = (g.NeedsOperator() || g.Status == grant.StatusFailing && g.Relogin != "") && g.Status != grant.StatusReauthorize
	case grant.Recovered, grant.ReauthorizationSoon:
		holds = !g.Waiting() && !g.NeedsOperator()
	default:
	}
	if !holds || e.Status != string(g.Status) {
		w.broken("I12", c, "%s with status %s is sent, and it is %s", e.Type, e.Status, describe(g))
	}
}

// judgeMisdated notes what a process with a wrong clock does: to it leases seem to
// have ended that have not, and slots of the rate limit to be free.
func (w *World) judgeMisdated(op Op, about string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	switch c, h := w.conns[about], w.hosts[about]; {
	case c != nil && (op == OpTake || op == OpAdopt || op == OpExtend || op == OpPut || op == OpCount):
		c.seized = now
	case h != nil && (op == OpReserve || op == OpThrottled):
		h.misdated = now.Add(ratelimit.MaxWait + 2*time.Second)
	}
	w.figures.Misdated++
}

// inspectStores checks that the service repairs by itself what trouble of stores
// and clocks left.
//
// I5: a person's refresh token that the server takes is found again within an hour.
//
// I8: a grant that waits is looked at every five minutes, whatever a wrong clock has written.
func (w *World) inspectStores(c *conn, calm time.Time) {
	const again = 10 * time.Minute // a pause, a second look, a tick
	now, g := w.now(), c.stored
	well := later(later(g.ExpiresAt, calm), w.writable)
	if g.LastError == apierr.StoreUnavailable && g.Status == grant.StatusFailing && now.Sub(well) > again && !g.Waiting() && !c.believed(now).Valid(now) {
		w.broken("I5", c, "the stores are well since %s, and it is still %s", now.Sub(well), describe(g))
	}
	if !g.Waiting() || c.storedAt.IsZero() || now.Before(c.absentUntil) {
		return
	}
	since := later(c.storedAt, calm)
	if now.Sub(since) > look+2*tickEvery+work && !w.cfg.Loose {
		w.broken("I8", c, "waits and was not looked at for %s: %s", now.Sub(since), describe(g))
	}
	found := g.Status == grant.StatusReauthorize && c.Type == connection.AuthorizationCode && w.expectsToken(c)
	if !found {
		c.findable = time.Time{}
		return
	}
	if c.findable.IsZero() {
		c.findable = now
	}
	if now.Sub(later(c.findable, calm)) > grant.TryEvery+look+2*tickEvery+work {
		w.broken("I5", c, "the server takes its refresh token since %s, and a person is asked: %s", now.Sub(c.findable), describe(g))
	}
}

// misdated reports whether the grant was last written by a clock that is not
// believed.
func (c *conn) misdated(now time.Time) bool { return c.believed(now).Doubted }
