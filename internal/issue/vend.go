// Package issue hands out access tokens.
//
// A caller asks by a connection's name and gets the stored token, from memory
// or from the store, for as long as one lives. Only where none lives does the
// caller wait: one of those who wait takes the grant's lease and has it
// renewed, the others read again until the result is there. So a thousand
// callers cost one token request.
//
//	v := &issue.Vendor{Grants: table, Leases: table, Rotate: rotate, Now: time.Now}
//	answer, err := v.Issue(ctx, issue.Request{Connection: "acme-prod"})
//
// Issue blocks for at most Patience, or until a second before the context's
// end, and starts nothing that outlives it. Its errors are apierr.Errors. While
// the stored token lives, no failure of anything else is an error: the answer
// is the token, with a warning.
package issue

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The times of a call.
const (
	// Patience is how long a caller waits for a token at most.
	Timeout = 20 * time.Second
	// spare is left of the invocation to answer.
	spare = time.Second
	// leastRead is what the first read is given, however little is left.
	leastRead = time.Second
	// aside bounds what a call does for others, with its own token in hand.
	aside = 2 * time.Second
	// grace is how long after a caller's deadline a lease may still be given
	// back: less than spare.
	grace = 250 * time.Millisecond
	// firstAgain is after what time one who was told that the lease is held asks
	// for it again; it doubles up to lease.SyncTerm. An invocation that fails
	// mostly fails at once, and gives the lease back.
	firstAgain = 250 * time.Millisecond
	// firstPause and longestPause between two reads of one who waits, before
	// jitter takes up to half off: so no pause is under 50 ms.
	firstPause   = 100 * time.Millisecond
	longestPause = time.Second
)

// Vendor hands out tokens. All fields but Chance are required. It is safe for
// concurrent use.
type Issuer struct {
	Grants grant.Store
	Leases lease.Store
	Rotate rotateapi.Function
	// Now is the clock.
	Now func() time.Time
	// Chance gives numbers in [0, 1) for jitter; nil means math/rand.
	Rand func() float64

	memory memory
}

// Request asks for a token.
type Request struct {
	Connection string
	// MinTTL is the life that the caller needs; 0 for none.
	MinTTL time.Duration
	// RejectedFingerprint names a token that Reltio refused; empty for none.
	RejectedFingerprint string
	// Alias is the qualifier under which the function was invoked; empty for
	// none.
	Alias string
}

// Outcome says how a token was come by.
type Outcome string

// The outcomes.
const (
	// Cached: it was there.
	Cached Outcome = "cached"
	// Renewed: this call caused or awaited a renewal, and Reltio gave a token:
	// a new one, or the one in hand again.
	Renewed Outcome = "renewed"
)

// Answer is a token that lives, with what a caller should know of it.
type Answer struct {
	Connection  string
	AccessToken reltioauth.Secret
	TokenType   string
	Scope       string
	// ExpiresIn is what is left, ExpiresAt the server's own deadline; both in
	// whole seconds, rounded down.
	ExpiresIn   time.Duration
	ExpiresAt   time.Time
	Fingerprint string
	Version     int64
	Outcome     Outcome
	MinTTLMet   bool
	// Warnings are sorted.
	Warnings []Warning
}

// Issue answers one call.
func (v *Issuer) Issue(ctx context.Context, r Request) (Answer, error) {
	start := v.now()
	c := &call{Issuer: v, request: r, start: start, deadline: start.Add(Timeout)}
	if end, ok := ctx.Deadline(); ok && end.Add(-spare).Before(c.deadline) {
		c.deadline = end.Add(-spare).Round(0)
	}
	return c.run(ctx)
}

// now is the clock without its monotonic reading: an execution environment may
// be frozen for hours between two calls, and only wall clocks notice.
func (v *Issuer) now() time.Time { return v.Now().Round(0) }

func (v *Issuer) chance() float64 {
	if v.Rand != nil {
		return v.Rand()
	}
	return rand.Float64() //nolint:gosec // jitter is no secret
}

// call is one call under way.
type call struct {
	*Issuer
	request  Request
	start    time.Time
	deadline time.Time

	// g is the grant as last read, first as it was read first.
	g, first grant.Grant
	// waited: the call went the long way.
	waited bool
	// trouble: something failed on the way that a living token hides.
	trouble bool
	// holds: the call has the grant's lease, so that no other renewal is on its
	// way to a token.
	holds bool
}

// run is the order of work: memory, one read, and only then the long way.
func (c *call) run(ctx context.Context) (Answer, error) {
	if g, ok := c.memory.get(c.request.Connection, c.start); ok && c.fromMemory(g) {
		c.g = g
		return c.answer()
	}
	ctx, cancel := context.WithTimeout(ctx, max(c.deadline.Sub(c.start), leastRead))
	defer cancel()
	consistency := grant.Eventual
	if c.request.RejectedFingerprint != "" {
		consistency = grant.Strong
	}
	if err := c.read(ctx, consistency); err != nil {
		return Answer{}, err
	}
	c.first = c.g
	if c.state() == served {
		c.renewAhead(ctx)
	}
	if c.state() != wanting { // looked at again: asking may have taken the token's last second
		return c.answer()
	}
	c.waited = true
	return c.await(ctx)
}

// fromMemory reports whether a remembered grant answers the call: not one that
// reports it, or that needs what only a renewal could give.
func (c *call) fromMemory(g grant.Grant) bool {
	return c.request.RejectedFingerprint == "" && g.Valid(c.start) &&
		(c.request.MinTTL == 0 || !g.UsedHalf(c.start, c.request.MinTTL))
}

// read reads the grant; one that is not there is an empty one. What is older
// than what this call has seen already is not looked at.
func (c *call) read(ctx context.Context, consistency grant.Consistency) error {
	readAt := c.now()
	g, err := c.Grants.Grant(ctx, c.request.Connection, consistency)
	if errors.Is(err, grant.ErrNotFound) {
		g, err = grant.Grant{Connection: c.request.Connection}, nil
	}
	if err != nil {
		return err
	}
	g = g.Believed(readAt)
	if g.Epoch < c.g.Epoch || g.Epoch == c.g.Epoch && g.Version < c.g.Version {
		return nil
	}
	c.g = g
	c.memory.put(g, readAt)
	return nil
}

// state is what a grant means for the call.
type state int

const (
	// served: there is a token that answers the call.
	served state = iota
	// refused: there is none, and asking Reltio is not for now.
	refused
	// wanting: a renewal has to be awaited.
	wanting
)

// state judges the grant last read.
func (c *call) state() state {
	now := c.now()
	switch {
	case !c.allowed():
		return refused
	case !c.g.Valid(now):
		if c.g.Status == grant.StatusPaused || c.g.Retrying(now) {
			return refused
		}
		return wanting
	case c.reported():
		idle := c.g.Status == grant.StatusPaused || c.g.Retrying(now)
		if !idle && (c.g.Checkable(now) || c.g.Asking(now) && !c.holds) {
			return wanting
		}
	case c.request.MinTTL > 0 && c.g.UsedHalf(now, c.request.MinTTL):
		return wanting
	}
	return served
}

// reported reports whether the caller reported the token in hand.
func (c *call) reported() bool {
	return c.request.RejectedFingerprint != "" && c.request.RejectedFingerprint == c.g.Fingerprint
}

// renewAhead has a token near its end renewed, on the way: whoever gets the
// lease first invokes rotate and does not wait. What fails here is a warning.
func (c *call) renewAhead(ctx context.Context) {
	now := c.now()
	if !c.g.EarlyWindow(now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, aside)
	defer cancel()
	until := now.Add(lease.AsyncTerm)
	if c.g.ExpiresAt.Before(until) {
		until = c.g.ExpiresAt
	}
	held, err := c.take(ctx, until)
	if errors.Is(err, lease.ErrHeld) {
		return
	}
	if err == nil {
		request := c.rotation(held)
		request.RejectedFingerprint = "" // it is due whatever became of a report
		if err = c.Rotate.RotateLater(ctx, request); err != nil {
			c.giveBack(ctx, held)
		}
	}
	c.trouble = c.trouble || err != nil
}

// take takes the grant's lease, unless the process was frozen meanwhile.
func (c *call) take(ctx context.Context, until time.Time) (lease.Lease, error) {
	r := lease.Request{
		Connection: c.request.Connection, Owner: lease.NewOwner(),
		Floor: c.g.Epoch, Now: c.now(), Until: until,
	}
	held, err := c.Leases.TakeLease(ctx, r)
	if err == nil && r.Stale(c.now()) {
		c.giveBack(ctx, held)
		return held, lease.ErrHeld
	}
	return held, err
}

func (c *call) rotation(held lease.Lease) rotateapi.Request {
	return rotateapi.Request{
		Connection:          c.request.Connection,
		Lease:               &rotateapi.Lease{Owner: held.Owner, Epoch: held.Epoch},
		RejectedFingerprint: c.request.RejectedFingerprint,
		MinTTLSeconds:       int64(c.request.MinTTL / time.Second),
	}
}

// unavailable is the error of a caller whose patience has ended.
func unavailable() *apierr.Error {
	return apierr.New(apierr.ReltioUnavailable, "no token came in time")
}
