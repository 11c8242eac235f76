// Package issue hands out access tokens.
//
// A caller asks by a connection's name and gets the stored token, from memory
// or from the store, for as long as it is valid. Only without a valid token
// does the caller wait: one of the waiting callers takes the grant's lease and
// has the grant renewed, the others read the grant until the result is there.
// So a thousand callers cost one token request.
//
//	i := &issue.Issuer{Grants: table, Leases: table, Rotate: rotate, Now: time.Now}
//	answer, err := i.Issue(ctx, issue.Request{Connection: "acme-prod"})
//
// Issue blocks for at most Timeout, or until a second before the context's end,
// and starts nothing that outlives it. Its errors are apierr.Errors. While the
// stored token is valid, no other failure is an error: the caller gets the
// token, with a warning.
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
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The times of a call.
const (
	// Timeout is how long a caller waits for a token at most.
	Timeout = 20 * time.Second
	// spare is the time of the invocation that is kept to send the response.
	spare = time.Second
	// stalledRead bounds the first read of a caller for whom the memory has a token:
	// one attempt that stalls (2 s), and another over a new connection.
	stalledRead = 2500 * time.Millisecond
	// leastRead is the time that the first read has, even if less is left.
	leastRead = time.Second
	// backgroundTime bounds the start of a background renewal, when the caller already
	// has a valid token, and the release of a lease.
	backgroundTime = 2 * time.Second
	// grace is how long after a caller's deadline a lease may still be
	// released: less than spare.
	grace = 250 * time.Millisecond
	// firstAgain is how long after it was refused a held lease the call asks
	// for the lease again; it doubles up to lease.SyncTerm. A holder whose
	// invocation of rotate fails usually fails at once, and releases the lease.
	firstAgain = 250 * time.Millisecond
	// firstPause and longPause bound the pause between two reads of a waiting call,
	// before jitter takes up to half off. They grow by a quarter, so that a call
	// finds the token soon after it is there, compared with how long it has waited.
	// After patient the pauses grow to longestPause: then the server is slow.
	firstPause   = 50 * time.Millisecond
	longPause    = 400 * time.Millisecond
	longestPause = time.Second
	patient      = 3 * time.Second
)

// Issuer hands out tokens. All fields except Rand are required. It is safe for
// concurrent use.
type Issuer struct {
	Grants grant.Store
	Leases lease.Store
	Rotate rotateapi.Function
	// Now is the clock.
	Now func() time.Time
	// Rand gives numbers in [0, 1) for jitter; nil means math/rand.
	Rand func() float64

	memory memory
}

// Request asks for a token.
type Request struct {
	Connection string
	// MinTTL is how long the caller needs the token to stay valid; 0 for no
	// wish.
	MinTTL time.Duration
	// RejectedFingerprint names a token that Reltio rejected; empty for none.
	RejectedFingerprint string
	// Alias is the qualifier under which the function was invoked; empty for
	// none.
	Alias string
}

// Answer is a valid token, with what a caller should know of it.
type Answer struct {
	Connection  string
	AccessToken reltioauth.Secret
	TokenType   string
	Scope       string
	// ExpiresIn is the time that is left, ExpiresAt the server's own deadline;
	// both in whole seconds, rounded down.
	ExpiresIn   time.Duration
	ExpiresAt   time.Time
	Fingerprint string
	Version     int64
	Outcome     issueapi.Outcome
	MinTTLMet   bool
	// Warnings are sorted.
	Warnings []issueapi.Warning
	// APIURL and TenantID are the connection's; empty if its secret names none.
	APIURL, TenantID string
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
// be frozen for hours between two calls, and only wall clocks show that.
func (v *Issuer) now() time.Time { return v.Now().Round(0) }

func (v *Issuer) random() float64 {
	if v.Rand != nil {
		return v.Rand()
	}
	return rand.Float64() //nolint:gosec // jitter need not be unpredictable
}

// call is one call in progress.
type call struct {
	*Issuer
	request  Request
	start    time.Time
	deadline time.Time

	// g is the grant as last read, first is the grant of the first read.
	g, first grant.Grant
	// waited: the call waited for a renewal.
	waited bool
	// trouble: something failed, and the valid token hides it from the caller.
	trouble bool
	// storeFailing: the table could not be read, and g is from memory.
	storeFailing bool
	// holds: the call has the grant's lease, so no other renewal is in
	// progress.
	holds bool
}

// run is the order of work: memory, one read, and only then waiting for a
// renewal.
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
	if err := c.firstRead(ctx, consistency); err != nil {
		return c.remembered(err)
	}
	c.first = c.g
	if c.state() == served {
		c.renewAhead(ctx)
	}
	if c.state() != wanting { // decided again: starting a renewal may have taken the token's last second
		return c.answer()
	}
	c.waited = true
	return c.await(ctx)
}

// firstRead reads the grant for the first time. A caller for whom the memory has a
// token waits for a stalled read once, and not for its own timeout.
func (c *call) firstRead(ctx context.Context, consistency grant.Consistency) error {
	if _, ok := c.inMemory(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stalledRead)
		defer cancel()
	}
	return c.read(ctx, consistency)
}

// inMemory is a valid token that this execution environment has read before, and
// that the caller did not report.
func (c *call) inMemory() (grant.Grant, bool) {
	e, ok := c.memory.last(c.request.Connection)
	now := c.now()
	g := e.g.Believed(now)
	return g, ok && g.Valid(now) && (c.request.RejectedFingerprint == "" || c.request.RejectedFingerprint != g.Fingerprint)
}

// remembered is the response when the table cannot be read: a token in memory hides
// an outage of DynamoDB from callers until the token's end.
func (c *call) remembered(err error) (Answer, error) {
	g, ok := c.inMemory()
	if !ok {
		return Answer{}, err
	}
	c.g, c.storeFailing = g, true
	return c.answer()
}

// fromMemory reports whether a remembered grant is enough for the call. It is
// not for a call that reports a rejected token, nor for one whose min_ttl needs
// a renewal.
func (c *call) fromMemory(g grant.Grant) bool {
	return c.request.RejectedFingerprint == "" && g.Valid(c.start) &&
		(c.request.MinTTL == 0 || !g.UsedHalf(c.start, c.request.MinTTL))
}

// read reads the grant. A missing grant is an empty one. A grant that is older
// than the one that this call has read already is ignored.
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

// state is what the call has to do with the grant.
type state int

const (
	// served: the token can be handed out.
	served state = iota
	// refused: there is no valid token, and Reltio must not be asked now.
	refused
	// wanting: the call has to wait for a renewal.
	wanting
)

// state decides from the grant last read.
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

// reported reports whether the caller reported the stored token as rejected.
func (c *call) reported() bool {
	return c.request.RejectedFingerprint != "" && c.request.RejectedFingerprint == c.g.Fingerprint
}

// renewAhead starts the renewal of a token that is near its end: the first call
// that gets the lease invokes rotate and does not wait. A failure here is a
// warning.
func (c *call) renewAhead(ctx context.Context) {
	now := c.now()
	if !c.g.EarlyWindow(now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, backgroundTime)
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
		request := c.rotateRequest(held)
		request.RejectedFingerprint = "" // the renewal is due, whatever a check of the reported token would say
		if err = c.Rotate.RotateLater(ctx, request); err != nil {
			c.giveBack(ctx, held)
		}
	}
	c.trouble = c.trouble || err != nil
}

// take takes the grant's lease. It fails with lease.ErrHeld also if the process
// was frozen meanwhile.
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

func (c *call) rotateRequest(held lease.Lease) rotateapi.Request {
	return rotateapi.Request{
		Connection:          c.request.Connection,
		Lease:               &rotateapi.Lease{Owner: held.Owner, Epoch: held.Epoch},
		RejectedFingerprint: c.request.RejectedFingerprint,
		MinTTLSeconds:       int64(c.request.MinTTL / time.Second),
	}
}

// unavailable is the error of a caller whose timeout has passed.
func unavailable() *apierr.Error {
	return apierr.New(apierr.ReltioUnavailable, "no token came in time")
}
