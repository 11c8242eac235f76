package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// environment is an execution environment of the issue function: one process
// with its memory, which answers many calls.
type environment struct {
	by     *Instance
	issuer *issue.Issuer
}

func (w *World) environment() *environment {
	i := w.spawn("issue")
	p := i.ports()
	return &environment{by: i, issuer: &issue.Issuer{
		Grants: p.Grants, Leases: p.Leases, Rotate: p.Rotate, Now: p.Now, Rand: i.Rand,
	}}
}

// environmentAt is the n-th environment; a new one if that was killed.
func (w *World) environmentAt(n int) *environment {
	e := w.environments[n]
	e.by.mu.Lock()
	dead := e.by.ended
	e.by.mu.Unlock()
	if dead {
		e = w.environment()
		w.environments[n] = e
	}
	return e
}

// called is a call of issue as the judge knows it.
type called struct {
	c     *conn
	by    *Instance
	began time.Time
	valid bool
	r     issue.Request
	state call
}

// issue is one call. It returns when it is answered, or does not if the
// environment is killed.
func (w *World) issue(e *environment, c *conn, r issue.Request) (issue.Answer, error) {
	r.Connection = c.name
	e.by.gate()
	w.mu.Lock()
	w.figures.Calls++
	k := &called{c: c, by: e.by, began: w.now(), r: r}
	k.valid = c.believed(k.began.Add(e.by.apart())).Valid(k.began.Add(e.by.apart()))
	if t := c.given[r.RejectedFingerprint]; t != nil {
		t.allowed += 2
	}
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithValue(w.ctx, callKey{}, &k.state), issueTimeout)
	defer cancel()
	a, err := e.issuer.Issue(ctx, r)
	w.judgeCall(k, a, err)
	return a, err
}

// judgeCall looks at an answer.
//
// I1: the token is one that Reltio gave for the connection as its secret stood
// at that renewal (which read it at most two minutes before the request, or
// longer ago if it was frozen), its deadline has not passed by the clock of the
// instance that hands it out and is not later than Reltio's own by more than the
// clocks differ, and the table held it when the call began, or at most the memory's
// half minute before. A check that was heard did not call it invalid longer ago
// than that.
//
// I7: while the stored token is valid no caller gets an error, unless the table
// itself failed the call, or the process was killed or froze, or the alias may not.
func (w *World) judgeCall(k *called, a issue.Answer, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, now := k.c, w.now().Add(k.by.apart())
	g := c.believed(now)
	frozen := k.by.spoilt(c.name, k.began)
	if err != nil {
		f := apierr.Of(err)
		w.figures.Errors++
		w.noteLocked(k.by, step{op: "issue", about: c.name, err: err})
		// An alias that may not have it is told so, valid token or not.
		denied := f.Type == apierr.AccessDenied && (len(c.stored.Aliases) > 0 && !slices.Contains(c.stored.Aliases, k.r.Alias))
		if k.valid && g.Valid(now.Add(time.Second)) && !k.state.tableFailed && !frozen && !denied {
			w.broken("I7", c, "a caller got %s while the stored token lives until %s", f, c.stored.ExpiresAt)
		}
		return
	}
	w.figures.Answers++
	if a.Outcome == issueapi.Renewed {
		w.noteLocked(k.by, step{op: "issue", about: c.name, text: short(a.Fingerprint) + " renewed"})
	}
	t := c.given[a.Fingerprint]
	switch {
	case t == nil:
		w.broken("I1", c, "the answer %s is no token of this connection", short(a.Fingerprint))
	case !now.Before(a.ExpiresAt.Add(time.Second)) || a.ExpiresIn < time.Second:
		w.broken("I1", c, "the answer %s ended at %s, it is %s", short(a.Fingerprint), a.ExpiresAt, now)
	case a.ExpiresAt.After(w.latestEnd(t, now)) && !k.by.wrong():
		w.broken("I1", c, "the answer %s is said to end at %s, Reltio ends it at %s", short(a.Fingerprint), a.ExpiresAt, t.ends)
	case !c.askedFor(t):
		w.broken("I1", c, "the token %s is of %s, which the secret did not ask for", short(a.Fingerprint), t.identity)
	case !t.replaced.IsZero() && k.began.Sub(t.replaced) > time.Minute/2+w.tolerance() && !frozen:
		w.broken("I1", c, "the answer %s was replaced %s before the call", short(a.Fingerprint), k.began.Sub(t.replaced))
	case w.calledInvalid(c, t, k.began) && !frozen:
		w.broken("I1", c, "the answer %s was called invalid %s before the call", short(a.Fingerprint), k.began.Sub(t.invalid))
	case len(c.stored.Aliases) > 0 && k.r.Alias == "" && t.replaced.IsZero():
		w.broken("I1", c, "a caller without an alias got the token of a connection that names aliases")
	}
}

// latestEnd is until when a token may be said to live: as the server has it, or as
// what a wrong clock has written down is believed by the caller's clock: what that
// doubts a moment earlier or later differs by seconds.
func (w *World) latestEnd(t *given, now time.Time) time.Time {
	return later(t.ends, t.said.Believed(now).ExpiresAt).Add(w.tolerance() + time.Second)
}

// askedFor reports whether the secret asked for such a token when the renewal
// that got it read the secret.
func (j *judged) askedFor(t *given) bool {
	const before = 10 * time.Minute
	for n, a := range j.secrets {
		ended := n+1 < len(j.secrets) && j.secrets[n+1].from.Before(t.at.Add(-before))
		if a.identity == t.identity && !ended && !a.from.After(t.at) {
			return true
		}
	}
	return false
}

// callAtRandom is a call like any other.
func (w *World) callAtRandom() {
	r := w.random
	c := w.connList[r.IntN(len(w.connList))]
	e := w.environmentAt(r.IntN(len(w.environments)))
	q := issue.Request{}
	if len(c.Aliases) > 0 {
		q.Alias = append([]string{"", "red"}, c.Aliases...)[r.IntN(2+len(c.Aliases))]
	}
	if r.IntN(10) == 0 {
		q.MinTTL = time.Duration(1+r.IntN(7200)) * time.Second
	}
	again, wrongly := r.IntN(2) == 0, r.IntN(50) == 0
	w.running.Go(func() {
		a, err := w.issue(e, c, q)
		if err != nil || w.cfg.Calm {
			return
		}
		// A caller uses its token, and reports one that Reltio refuses.
		w.sleep(time.Second)
		dead := !c.host.server.Valid(a.AccessToken)
		if dead && again || wrongly {
			q.RejectedFingerprint = a.Fingerprint
			_, _ = w.issue(e, c, q)
		}
	})
}

// hasToken reports whether the connection has a token that can be handed out.
func (w *World) hasToken(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.stored.Valid(w.now()) && c.stored.Status != grant.StatusUnknown
}
