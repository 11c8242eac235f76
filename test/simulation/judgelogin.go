package simulation

import (
	"errors"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// refusal is how a server counts its response to a token request.
type refusal int

const (
	// notRefused: it gave a token, or its response says nothing.
	notRefused refusal = iota
	// refusedUser: a 400 to a user's login, which brings the user nearer to being
	// locked, unless it is about the request.
	refusedUser
	// refusedUnclear: any other whole 4xx but 408 and 429.
	refusedUnclear
)

// The logins that an account may have refused.
const (
	mostRefused = lockout.MaxAttempts
	mostUnclear = 2 * lockout.MaxAttempts
)

// refusalOf is how the server counts the response, whether or not it arrived.
func refusalOf(h *host, s sent) refusal {
	r := s.request
	if s.login != 0 && r.GrantType == string(connection.Password) {
		switch {
		case h.server.RefusedLogins(r.User, r.At, time.Time{}) > 0:
			return refusedUser
		case h.server.UnclearLogins(r.User, r.At, time.Time{}) > 0:
			return refusedUnclear
		}
		return notRefused
	}
	if r.Status/100 == 4 && r.Status != http.StatusRequestTimeout && r.Status != http.StatusTooManyRequests {
		return refusedUnclear
	}
	return notRefused
}

// logins is what the server has refused with the same credentials since it last
// accepted them.
type logins struct {
	refused int
	// unclear are the moments of the last day.
	unclear []time.Time
	// skipped: the pause was skipped once, because the host was seen to work.
	skipped bool
}

// accountOf names what the server locks: a user, else a client.
func accountOf(h *host, r reltioauthtest.Request) string {
	if r.User == "" {
		return h.name + " " + r.ClientID
	}
	return h.name + "/" + r.User
}

// refusalsOf finds or makes the count of an account and credentials.
func (w *World) refusalsOf(h *host, s sent) *logins {
	whose := accountOf(h, s.request)
	if w.refusals[whose] == nil {
		w.refusals[whose] = map[uint64]*logins{}
	}
	l := w.refusals[whose][s.login]
	if l == nil {
		l = &logins{}
		w.refusals[whose][s.login] = l
	}
	return l
}

// judgeRefused is I3: of one account and credentials never more than two logins
// refused with 400, and never more than four unclear ones in a day, heard or
// not, whatever crashes and whatever the words, until one succeeds or an
// operator resumes. Between unclear ones lie the pauses of package lockout, except
// if an operator forces a login, or the host was seen to work again.
//
// A client without a user, and a refresh, lock no user. They are judged by their
// pauses (judgeFailure).
func (w *World) judgeRefused(i *Instance, c *conn, s sent) {
	how := refusalOf(c.host, s)
	if c.Type != connection.Password || s.login == 0 {
		w.judgeRefusedClient(c, s, how)
		return
	}
	if o := i.open[c.name]; o != nil {
		o.how = how
	}
	switch {
	case s.request.Acted:
		delete(w.refusals, accountOf(c.host, s.request))
		if s.heard {
			c.clientRefused, c.row, c.heldBack = 0, 0, false
		}
	case how == refusedUser:
		c.mended = time.Time{} // it was not, or is no more
		w.judgeRefusedUser(c, w.refusalsOf(c.host, s))
	case how == refusedUnclear:
		c.mended = time.Time{}
		w.judgeUnclear(i, c, w.refusalsOf(c.host, s))
	}
}

// judgeRefusedClient counts what says why a client counts as rejected.
func (w *World) judgeRefusedClient(c *conn, s sent, how refusal) {
	switch {
	case how != notRefused && s.heard:
		w.figures.RefusedClients++
		if c.clientRefused == 0 {
			c.unclearFrom = time.Time{}
		}
		c.clientRefused++
		c.mended = time.Time{}
		if c.refreshRefused(s) { // that says nothing about the server
			return
		}
		if c.unclearFrom.IsZero() {
			c.unclearFrom = w.now()
		}
		c.heldBack = true
		if !w.troubled(c.host) { // a refusal of a host that refuses everyone lengthens no pauses
			c.row++
			if c.row == 1 {
				c.rowSince = w.now()
			}
		}
	case s.heard && s.request.Status/100 == 2, s.response != nil && s.response.StatusCode/100 == 2:
		c.clientRefused, c.row, c.heldBack = 0, 0, false
	}
}

func (w *World) judgeRefusedUser(c *conn, l *logins) {
	w.figures.Refused++
	l.refused++
	if l.refused >= mostRefused { // from now on that decides, and not the row
		c.row = 0
	}
	if l.refused > mostRefused {
		w.broken("I3", c, "the %d. login refused with 400 with the same credentials at %s", l.refused, c.host.name)
	}
}

func (w *World) judgeUnclear(i *Instance, c *conn, l *logins) {
	w.figures.Unclear++
	now := w.now()
	for len(l.unclear) > 0 && now.Sub(l.unclear[0]) >= lockout.UnclearFor {
		l.unclear = l.unclear[1:]
	}
	if i.wrong() { // when it was is written down wrongly
		l.unclear = nil
		return
	}
	if n := len(l.unclear); n > 0 && !i.forced && !w.troubled(c.host) {
		gap := now.Sub(l.unclear[n-1])
		// The server may have been seen to work while that login was under way.
		forgiven := !l.skipped && c.host.workedAt.After(l.unclear[n-1].Add(-w.tolerance()))
		l.skipped = l.skipped || forgiven
		if least := lockout.PauseAfter(n) - w.tolerance() - tardy; gap < least && !forgiven {
			w.broken("I3", c, "the %d. unclear login with the same credentials at %s, %s after the one before", n+1, c.host.name, gap)
		}
	}
	l.unclear = append(l.unclear, now)
	if len(l.unclear) >= mostUnclear { // from now on that decides, and not the row
		c.row = 0
	}
	if len(l.unclear) > mostUnclear {
		w.broken("I3", c, "the %d. unclear login within a day with the same credentials at %s", len(l.unclear), c.host.name)
	}
}

// counted is a login that is counted in the table, and not taken off yet.
type counted struct {
	user string
	// how the server counts it, once it has arrived.
	how refusal
}

// judgeCounted notes a login that is counted: until a process has written down
// its result, it counts like a refused one. Credentials that were put right may
// need the second try; if that fails too, a person or an operator has to put them
// right again.
func (w *World) judgeCounted(i *Instance, name string, r lockout.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(i, numbered(OpCount, name, err, int64(10*r.Attempts+r.Unclear)))
	c := w.conns[name]
	if errors.Is(err, lockout.ErrAtLimit) { // from now on that decides, and not the row
		c.row = 0
	}
	if err == nil {
		i.open[name] = &counted{user: c.account()}
		c.unseen[c.account()]++
		switch {
		case c.mended.IsZero():
		case r.Attempts < lockout.MaxAttempts:
			c.mended = w.now()
		default:
			c.mended = time.Time{}
		}
	}
}

// judgeSettled notes what was written down of a counted login. That it was
// refused is believed only if the server refused it.
func (w *World) judgeSettled(i *Instance, name string, o lockout.Outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(i, numbered(OpSettle, name, err, int64(o)))
	c, login := w.conns[name], i.open[name]
	if login == nil || err != nil {
		return
	}
	delete(i.open, name)
	switch {
	case o == lockout.Accepted:
		c.unseen[login.user], c.unclear[login.user] = 0, 0
	case o == lockout.Nothing:
		c.unseen[login.user]--
	case o == lockout.Unclear, login.how != refusedUser:
		c.unseen[login.user]--
		c.unclear[login.user]++
	}
}

// judgeRejected is I5 for credentials: none count as rejected that were not
// refused as often as they may be. A user's login whose response did
// not arrive counts as refused and as unclear.
func (w *World) judgeRejected(c *conn) {
	user := c.account()
	unseen, unclear := c.unseen[user], c.unclear[user]
	if unseen >= mostRefused || unseen+unclear >= mostUnclear || c.Type != connection.Password && c.clientRefused >= mostRefused {
		return
	}
	w.broken("I5", c, "rejected though nothing was refused: %d refused or unseen, %d unclear, %d of the client", unseen, unclear, c.clientRefused)
}

// credentials are those in the secret.
func (c *conn) credentials() string {
	return c.client + "\n" + c.clientSecret + "\n" + c.account() + "\n" + c.password
}

// leastPause is the least time until the next request after a refusal in a row
// of a client without a user or of a refresh.
func leastPause(row int, life time.Duration) time.Duration {
	const forgotten = 2                                        // by processes that were killed
	return grant.RefusalPause(max(1, row-forgotten), life) / 2 // the rest is jitter
}

// acceptedEver reports whether the server has ever accepted credentials that
// the connection's secret has held since.
func (c *conn) acceptedEver() bool {
	return c.accepted[c.credentials()] || c.made > 1 && len(c.accepted) > 0
}
