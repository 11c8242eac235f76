// Package ratelimit keeps all functions together under an authorization
// server's rate limit, and stops sending to a server that refuses every
// connection.
//
// Reltio answers ten token requests a second and then 429. All functions share
// one record per host: a generic cell rate algorithm with burst one gives each
// caller a slot, evenly spaced. A caller sends its request at its slot or not
// at all. The record also holds until when the host is throttled, and which
// connections it has refused since it last accepted one.
//
//	at, err := slot.Reserve(ctx, earliest)   // *LimitError: when to try again
//	err = slot.Wait(ctx, at)                 // late by more than MaxLate: reserved again
//	send one request
//
// The decisions are pure functions over the record; only Store and Slot block.
package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The numbers of the rate limit and the circuit breaker.
const (
	// MaxPerSecond is the highest rate that can be configured, below Reltio's
	// ten a second so that clocks may differ by 50 ms and transit by 100 ms.
	MaxPerSecond = 8
	// MaxWait is the longest that a caller waits for a slot.
	MaxWait = 5 * time.Second
	// MaxLate is how long after its slot a request may be sent.
	MaxLate = 50 * time.Millisecond
	// PauseSeenAgain is the wait after which the host's pause is read again.
	PauseSeenAgain = 100 * time.Millisecond
	// maxAhead bounds what is believed of the record: a wrong clock has written
	// a next slot that is further ahead, and it counts as now.
	maxAhead = 10 * time.Second
	// maxPauseAhead bounds a believed pause, and a Retry-After.
	maxPauseAhead = 5 * time.Minute
	// firstPause is how long one 429 pauses a host.
	firstPause = time.Second
	// longestPause bounds the pause that grows while different clients are
	// throttled.
	longestPause = 60 * time.Second
	// refusals of different connections open a host's circuit.
	refusals = 3
	// MaxRefused bounds the list of refused connections, so that the record
	// stays small however long a host refuses.
	MaxRefused = 500
	// maxThrottled bounds the list of throttled clients.
	maxThrottled = 50
	// MaxServed bounds the list of served clients. Two would be enough for
	// OthersServed.
	MaxServed = 50
	// ProbeEvery is how often a host whose circuit is open is probed: once per
	// tick of a minute, though ticks are not exact.
	ProbeEvery = 50 * time.Second
	// DownProbeEvery is how often a host that is down is asked, by all connections
	// together, so that it is back in use seconds after it responds again. After
	// longDown it is LongDownProbeEvery.
	DownProbeEvery     = 5 * time.Second
	LongDownProbeEvery = 15 * time.Second
	longDown           = 10 * time.Minute
)

// Record is what is stored of a host. The zero Record is a host that was never
// asked.
type Record struct {
	// Next is the next free slot (the algorithm's theoretical arrival time).
	Next time.Time
	// PausedUntil is until when the host is throttled.
	PausedUntil time.Time
	// Pause is the length of the last pause.
	Pause time.Duration
	// Throttled are the clients that got 429 since one last succeeded.
	Throttled []string
	// Served are clients that succeeded since one was first throttled.
	Served []string
	// Refused are the connections that were refused since one last succeeded,
	// although the host had accepted their present credentials before.
	Refused []string
	// RefusedSince is when the first of them was refused.
	RefusedSince time.Time
	// DownSince is when the host first did not respond, if it has not responded since:
	// no response, a 5xx, or a success that cannot be read.
	DownSince time.Time
	// ProbedAt is when the host, down or with its circuit open, was last probed.
	ProbedAt time.Time
}

// ThrottledUntil returns when the pause ends, and whether there is one at now.
// A pause that ends more than five minutes ahead is not believed.
func (r Record) ThrottledUntil(now time.Time) (time.Time, bool) {
	paused := r.PausedUntil.After(now) && !r.PausedUntil.After(now.Add(maxPauseAhead))
	return r.PausedUntil, paused
}

// CircuitOpen reports whether the host refuses every connection: three were
// refused with no success between them.
func (r Record) CircuitOpen() bool { return len(r.Refused) >= refusals }

// Down reports whether the host did not respond when it was asked last.
func (r Record) Down() bool { return !r.DownSince.IsZero() }

// ProbeInterval is the time between two probes of a host in trouble.
func (r Record) ProbeInterval(now time.Time) time.Duration {
	switch {
	case !r.Down():
		return ProbeEvery
	case now.Sub(r.DownSince) > longDown:
		return LongDownProbeEvery
	default:
		return DownProbeEvery
	}
}

// MayProbe reports whether the last probe was so long ago. One of a wrong clock, so
// far ahead, does not count.
func (r Record) MayProbe(now time.Time, every time.Duration) bool {
	return !r.ProbedAt.After(now.Add(-every)) || r.ProbedAt.After(now.Add(every))
}

// NextProbe is when a host in trouble is probed next: within an interval if a probe
// is due.
func (r Record) NextProbe(now time.Time) time.Time {
	every := r.ProbeInterval(now)
	if r.MayProbe(now, every) {
		return now.Add(every)
	}
	return r.ProbedAt.Add(every)
}

// Troubled reports whether a success has anything to clear.
func (r Record) Troubled() bool {
	return len(r.Throttled)+len(r.Refused) > 0 || r.Pause > 0 || r.Down()
}

// Window is the time in which a caller of Reserve can use a slot.
type Window struct {
	Now time.Time
	// Earliest and Latest bound the slot.
	Earliest, Latest time.Time
	// Interval is the space between two slots.
	Interval time.Duration
	// Idle says that the caller has seen Earliest free. It does not change the
	// result: it is a hint for a store that has to guess.
	Idle bool
}

// Interval is the space between two slots at a rate, in whole milliseconds
// rounded up. A rate that is not from 1 to MaxPerSecond counts as MaxPerSecond.
func Interval(perSecond int) time.Duration {
	if perSecond <= 0 {
		perSecond = MaxPerSecond
	}
	perSecond = min(perSecond, MaxPerSecond)
	const second = int(time.Second / time.Millisecond)
	return time.Duration((second+perSecond-1)/perSecond) * time.Millisecond
}

// LimitError says that there is no slot within the window.
type LimitError struct {
	// Until is the next free slot, or the end of the host's pause.
	Until time.Time
	// Paused says that Until is the end of a pause.
	Paused bool
}

// Error implements error.
func (e *LimitError) Error() string {
	if e.Paused {
		return "budget: the host is paused"
	}
	return "budget: no free instant in the window"
}

// Reserve returns the slot within the window, and the record's Next afterwards.
// The error is a *LimitError if there is no such slot.
func Reserve(r Record, w Window) (slot, next time.Time, err error) {
	if until, paused := r.ThrottledUntil(w.Now); paused {
		return slot, next, &LimitError{Until: until, Paused: true}
	}
	slot = w.Earliest
	if r.Next.After(slot) && !r.Next.After(w.Now.Add(maxAhead)) {
		slot = r.Next
	}
	if slot.After(w.Latest) {
		return slot, next, &LimitError{Until: slot}
	}
	return slot, slot.Add(w.Interval), nil
}

// Bounds returns what Reserve believes of a stored record at now: a next slot
// after the first result, and a pause that ends after the second, count as now.
func Bounds(now time.Time) (next, pause time.Time) { return now.Add(maxAhead), now.Add(maxPauseAhead) }

// Throttle is a 429 that a client got.
type Throttle struct {
	Client string
	// RetryAfter is what the server asked for; 0 if it did not.
	RetryAfter time.Duration
	// First says that it is the first 429 in a row: the list of other clients
	// that are served begins again.
	First bool
	Now   time.Time
}

// RecordThrottle returns the record after a 429. A pause already in force is
// about the same flood and does not grow again. A pause grows only while
// different clients are throttled, because one client's cap does not concern
// the others.
func RecordThrottle(r Record, t Throttle) Record {
	if len(r.Throttled) < maxThrottled && !slices.Contains(r.Throttled, t.Client) {
		r.Throttled = append(slices.Clone(r.Throttled), t.Client)
	}
	if t.First {
		r.Served = nil
	}
	_, paused := r.ThrottledUntil(t.Now)
	switch {
	case paused:
	case r.Pause > 0 && len(r.Throttled) > 1:
		r.Pause = min(2*r.Pause, longestPause)
	default:
		r.Pause = firstPause
	}
	until := t.Now.Add(max(r.Pause, BelievedRetryAfter(t.RetryAfter)))
	if !paused || until.After(r.PausedUntil) {
		r.PausedUntil = until
	}
	return r
}

// BelievedRetryAfter bounds the wait that a server may ask for.
func BelievedRetryAfter(d time.Duration) time.Duration { return min(max(d, 0), maxPauseAhead) }

// OthersServed reports whether another client got a token since a client was
// first throttled: then the server throttles the client and not the host.
func (r Record) OthersServed(client string) bool {
	return slices.ContainsFunc(r.Served, func(c string) bool { return c != client })
}

// RecordSuccess returns the record after a client got a token. A pause still in
// force stays.
func RecordSuccess(r Record, client string) Record {
	if len(r.Served) < MaxServed && !slices.Contains(r.Served, client) {
		r.Served = append(slices.Clone(r.Served), client)
	}
	r.Throttled, r.Pause = nil, 0
	r.Refused, r.RefusedSince, r.DownSince = nil, time.Time{}, time.Time{}
	return r
}

// RecordOutage returns the record after a request without a response. The next probe
// counts from now, and not from when the request was sent.
func RecordOutage(r Record, now time.Time) Record {
	if !r.Down() {
		r.DownSince = now
	}
	r.ProbedAt = now
	return r
}

// RecordRefusal returns the record after a connection was refused.
func RecordRefusal(r Record, connection string, now time.Time) Record {
	if len(r.Refused) < MaxRefused && !slices.Contains(r.Refused, connection) {
		r.Refused = append(slices.Clone(r.Refused), connection)
	}
	if r.RefusedSince.IsZero() {
		r.RefusedSince = now
	}
	return r
}

// Store keeps one record per authorization server ("host:port"). All methods
// are atomic and safe for concurrent use by any number of processes; a network
// failure is an apierr.Error of type StoreUnavailable.
type Store interface { //nolint:interfacebloat // all that changes one record, and every adapter keeps it
	// Budget reads the record strongly; for a host that was never asked it is
	// the zero Record.
	Budget(ctx context.Context, host string) (Record, error)
	// Reserve takes the next free slot as the function Reserve decides. If
	// there is none in the window the error is a *LimitError.
	Reserve(ctx context.Context, host string, w Window) (time.Time, error)
	// Throttled records a 429 as RecordThrottle decides.
	Throttled(ctx context.Context, host string, t Throttle) (Record, error)
	// Refused records that a connection was refused, as RecordRefusal decides.
	Refused(ctx context.Context, host, connection string, now time.Time) (Record, error)
	// Succeeded records that a client got a token, as RecordSuccess decides. A
	// host that was never asked gets no record.
	Succeeded(ctx context.Context, host, client string) error
	// Unanswered records a request without a response, as RecordOutage decides.
	Unanswered(ctx context.Context, host string, now time.Time) error
	// Answered records that a host that was down has responded, with whatever: it is
	// up.
	Answered(ctx context.Context, host string) error
	// Probe claims the one probe in so much time of a host in trouble; false if
	// another caller has claimed it.
	Probe(ctx context.Context, host string, now time.Time, every time.Duration) (bool, error)
}

// String is the record for the messages of tests; it holds no secret.
func (r Record) String() string {
	return fmt.Sprintf("next %s, paused until %s, %d throttled, %d refused, down %t",
		r.Next.Format(time.StampMilli), r.PausedUntil.Format(time.StampMilli), len(r.Throttled), len(r.Refused), r.Down())
}
