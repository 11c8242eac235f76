package simulation

import (
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// What I3 allows after trouble at a server.
const (
	// shortTrouble leaves no connection without a token for longer than soonAfter
	// its end; longer trouble, up to longTrouble, for no longer than laterAfter.
	shortTrouble = 10 * time.Minute
	longTrouble  = time.Hour
	soonAfter    = 10 * time.Minute
	laterAfter   = time.Hour
	// apart: what begins so soon after the last trouble's end belongs to it.
	apart = time.Hour
)

// trouble is that of a host.
type trouble struct{ from, until time.Time }

// add is the trouble with more of it.
func (t trouble) add(from, until time.Time) trouble {
	if t.from.IsZero() || from.Sub(t.until) > apart {
		return trouble{from, until}
	}
	return trouble{t.from, later(t.until, until)} // one of which nothing is promised is not over because another one follows
}

// allowed is how long after its end everything is well; false if it lasted too
// long to be judged.
func (t trouble) allowed() (time.Duration, bool) {
	switch d := t.until.Sub(t.from); {
	case t.from.IsZero() || d > longTrouble:
		return 0, false
	case d > shortTrouble:
		return laterAfter, true
	default:
		return soonAfter, true
	}
}

// passes reports whether trouble of a kind says nothing about credentials. A
// request that is cut off may have been a refusal, and a user that is refused with
// 400 may really have wrong credentials.
func passes(kind reltioauthtest.FaultKind) bool {
	switch kind {
	case reltioauthtest.FaultCut, reltioauthtest.FaultTruncate, reltioauthtest.FaultInvalidGrant:
		return false
	default:
		return true
	}
}

// judgeRecovery is I3's other half: after trouble at the server of at most ten
// minutes each connection has a token again within ten minutes, after longer trouble
// within an hour, and none needs an operator. It judges connections that were well
// when the trouble began, whose token has ended since, whose credentials are right,
// and to which nothing else has happened.
func (w *World) judgeRecovery(c *conn) {
	t, now := c.host.trouble, w.now()
	allowed, ok := t.allowed()
	if !ok || now.Sub(t.until) <= allowed+tickEvery+work || !c.wellAt.Before(t.until) || !w.expectsToken(c) {
		return
	}
	ended := c.validUntil
	if c.stored.HasToken() {
		ended = c.stored.ExpiresAt
		if c.misdated(now) {
			return
		}
	}
	otherwise := later(later(w.global, c.disturbed), c.secrets[len(c.secrets)-1].from)
	if ended.After(t.until) || ended.Before(t.from.Add(-2*tickEvery)) || otherwise.After(t.from) {
		return
	}
	w.broken("I3", c, "without a token %s after trouble of %s has ended: %s", now.Sub(t.until), t.until.Sub(t.from), describe(c.stored))
}

// expectsToken reports whether the connection gets a token without a person or an
// operator.
func (w *World) expectsToken(c *conn) bool {
	if c.storedAt.IsZero() || c.stored.Status == grant.StatusUnknown || c.stored.Status == grant.StatusPaused || c.Wrong || c.gone || c.broken || c.paused || w.now().Before(c.absentUntil.Add(absentAfter)) || !c.clientRight() || !c.passwordRight() {
		return false
	}
	if c.Type == connection.Password {
		return c.unseen[c.user] <= 0
	}
	return c.Type == connection.ClientCredentials || w.takesStored(c)
}

// takesStored reports whether the server takes the refresh token that is stored,
// and we do not count it as ended.
func (w *World) takesStored(c *conn) bool {
	token, ok := w.newest(c)
	return ok && w.now().Before(token.LoggedInAt.Add(c.refreshTTL())) && c.host.server.Valid(token.Token)
}

// clientOf is the connection whose client sends a request.
func (w *World) clientOf(r *http.Request) *conn {
	client, _, _ := r.BasicAuth()
	return w.byClient[client]
}

// valid is the access token in the table, if the server accepts it now; zero if
// there is none.
func (w *World) valid(r *http.Request) (t reltioauth.Secret) {
	w.mu.Lock()
	c := w.clientOf(r)
	if c != nil && c.stored.HasToken() {
		t = c.stored.AccessToken
	}
	w.mu.Unlock()
	if t.IsZero() || !c.host.server.Valid(t) {
		return reltioauth.Secret{}
	}
	return t
}

// judgeEnded is I7 where we ourselves are the trouble: no token that callers
// hold is revoked, or ended by a refresh before its end, unless an operator or a
// person forces it, or a caller reports the token and no client may check it (4.4).
// The request that ends it counts from when it was sent, and so does the token's end,
// as the responses say that gave it.
func (w *World) judgeEnded(i *Instance, c *conn, s sent) {
	t := c.given[s.ended]
	if t == nil || i.forced || i.kind == callbackKind || i.kind == operatorKind || i.wrong() {
		return
	}
	end := t.ends
	if !t.counted.IsZero() {
		end = t.counted
	}
	left := end.Sub(s.at)
	reported := i.request != nil && i.request.RejectedFingerprint == s.ended
	refresh := s.request.GrantType == "refresh_token"
	switch {
	case left <= w.tolerance(), t.said.HasToken():
	case s.op == OpToken && !refresh: // a login ends a token only at a server whose mode is not known yet (4.2)
	case refresh && reported && c.stored.CheckVerdict == grant.Unclear:
	case refresh && !s.request.Acted && c.stored.Mode() == grant.Overlap: // its refresh token has ended before it
	case s.at.Sub(c.resumedAt) < 2*tickEvery: // by an operator
	case i.spoilt(c.name, s.at): // one that was frozen has decided long ago
	default:
		w.broken("I7", c, "a valid token, %s before its end, is ended by %s %s", left, s.op, s.request.GrantType)
	}
}

// judgeChecked notes that the server called the token in the table invalid, and
// was heard.
func (w *World) judgeChecked(i *Instance, c *conn, s sent) {
	t := c.given[s.request.Presented]
	words := c.readable() && !c.Behaviour.ManagementErrors
	if s.heard && t != nil && s.request.Outcome == "invalid_token" && words && c.stored.Fingerprint == s.request.Presented {
		t.invalid, t.invalidBy = w.now(), i
	}
}

// calledInvalid reports whether a token was called invalid so long before a call
// that no memory excuses it.
func (w *World) calledInvalid(c *conn, t *given, began time.Time) bool {
	return !t.invalid.IsZero() && began.Sub(t.invalid) > time.Minute/2+w.tolerance()+time.Second &&
		!t.invalidBy.spoilt(c.name, t.invalid.Add(-time.Minute))
}
