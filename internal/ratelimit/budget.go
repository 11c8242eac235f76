// Package ratelimit shares an authorization server's patience.
//
// Reltio answers ten token requests a second and then 429. All functions
// together stay below that by one record per host: a generic cell rate
// algorithm with burst one hands out instants, each to one caller, evenly
// spaced. A caller sends at its instant or not at all. The record also
// remembers when the host asked for a pause, and which connections it has
// refused since it last accepted one.
//
//	at, err := turn.Reserve(ctx, earliest)   // *BusyError: when to come back
//	err = turn.Wait(ctx, at)                 // late by more than MaxLate: reserved anew
//	send one request
//
// The decisions are pure functions over the record; only Store and Turn block.
package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The budget's numbers.
const (
	// MaxPerSecond is the highest rate that can be configured, below Reltio's
	// ten a second so that clocks may differ by 50 ms and transit by 100 ms.
	MaxPerSecond = 8
	// MaxWait is the longest that anyone waits for an instant.
	MaxWait = 5 * time.Second
	// MaxLate is how much later than its instant a request may be sent.
	MaxLate = 50 * time.Millisecond
	// PauseSeenAgain: after a longer wait than this the pause is read again.
	PauseSeenAgain = 100 * time.Millisecond
	// maxAhead bounds what is believed of the record: a next instant further
	// ahead was written by a broken clock and counts as now.
	maxAhead = 10 * time.Second
	// maxPauseAhead bounds a believed pause, and a Retry-After.
	maxPauseAhead = 5 * time.Minute
	// firstPause is how long one 429 pauses a host.
	firstPause = time.Second
	// longestPause bounds the pause that grows while different clients are
	// throttled.
	longestPause = 60 * time.Second
	// refusals of different connections make a host a refusing one.
	refusals = 3
	// MaxRefused bounds the list of refused connections, so that the record
	// stays small however long a host refuses.
	MaxRefused = 500
	// maxThrottled bounds the list of throttled clients.
	maxThrottled = 50
	// MaxServed bounds the list of served clients. Two would tell as much.
	MaxServed = 50
	// ProbeEvery is how often a refusing host is tried: once per tick of a
	// minute, though ticks are not exact.
	ProbeEvery = 50 * time.Second
)

// Record is what is stored of a host. The zero Record is a host never asked.
type Record struct {
	// Next is the next free instant (the algorithm's theoretical arrival time).
	Next time.Time
	// PausedUntil is when the host may be asked again.
	PausedUntil time.Time
	// Pause is the length of the last pause.
	Pause time.Duration
	// Throttled are the clients that got 429 since one last succeeded.
	Throttled []string
	// Served are clients that succeeded since one was first throttled.
	Served []string
	// Refused are the connections that were refused since one last succeeded,
	// though their credentials, as they are, were accepted before.
	Refused []string
	// RefusedSince is when the first of them was refused.
	RefusedSince time.Time
	// ProbedAt is when a refusing host was last probed.
	ProbedAt time.Time
}

// Paused returns when the pause ends, and whether there is one at now. One
// that ends more than five minutes ahead is not believed.
func (r Record) ThrottledUntil(now time.Time) (time.Time, bool) {
	paused := r.PausedUntil.After(now) && !r.PausedUntil.After(now.Add(maxPauseAhead))
	return r.PausedUntil, paused
}

// Refusing reports whether the host refuses everybody: three connections with
// no success between them.
func (r Record) CircuitOpen() bool { return len(r.Refused) >= refusals }

// MayProbe reports whether a refusing host is due for a probe.
func (r Record) MayProbe(now time.Time) bool {
	return !r.ProbedAt.After(now.Add(-ProbeEvery)) || r.ProbedAt.After(now.Add(ProbeEvery))
}

// NextProbe is when a refusing host is probed next: by a sweep within the minute
// if a probe is due.
func (r Record) NextProbe(now time.Time) time.Time {
	if r.MayProbe(now) {
		return now.Add(ProbeEvery)
	}
	return r.ProbedAt.Add(ProbeEvery)
}

// Troubled reports whether a success has anything to clear.
func (r Record) Troubled() bool { return len(r.Throttled)+len(r.Refused) > 0 || r.Pause > 0 }

// Window is what a caller asks of Reserve.
type Window struct {
	Now time.Time
	// Earliest and Latest bound the instant.
	Earliest, Latest time.Time
	// Interval is the space between two instants.
	Interval time.Duration
	// Idle says that the caller has seen Earliest free. It changes no result:
	// a store that has to guess guesses so.
	Idle bool
}

// Interval is the space between two instants at a rate, in whole milliseconds
// rounded up.
func Interval(perSecond int) time.Duration {
	const second = int(time.Second / time.Millisecond)
	return time.Duration((second+perSecond-1)/perSecond) * time.Millisecond
}

// BusyError says that there is no instant within the window.
type LimitError struct {
	// Until is the next free instant, or the end of the host's pause.
	Until time.Time
	// Paused tells which.
	Paused bool
}

// Error implements error.
func (e *LimitError) Error() string {
	if e.Paused {
		return "budget: the host is paused"
	}
	return "budget: no free instant in the window"
}

// Reserve is the rule: the instant that the window gets, and the record's Next
// afterwards; or a *BusyError.
func Reserve(r Record, w Window) (instant, next time.Time, err error) {
	if until, paused := r.ThrottledUntil(w.Now); paused {
		return instant, next, &LimitError{Until: until, Paused: true}
	}
	instant = w.Earliest
	if r.Next.After(instant) && !r.Next.After(w.Now.Add(maxAhead)) {
		instant = r.Next
	}
	if instant.After(w.Latest) {
		return instant, next, &LimitError{Until: instant}
	}
	return instant, instant.Add(w.Interval), nil
}

// Bounds returns what Reserve believes of a stored record at now: a next
// instant later than the first, and a pause later than the second, count as
// now.
func Bounds(now time.Time) (next, pause time.Time) { return now.Add(maxAhead), now.Add(maxPauseAhead) }

// Throttle is a 429 that a client got.
type Throttle struct {
	Client string
	// RetryAfter is what the server asked for; 0 if it did not.
	RetryAfter time.Duration
	// First says that it is the first in a row: from now on it counts which
	// other clients are served.
	First bool
	Now   time.Time
}

// Pause is the rule: what the record becomes after a 429. A pause already in
// force stands for the same flood and does not grow again; it grows only while
// different clients are throttled, because one client's own cap is its own
// matter.
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

// BelievedRetryAfter bounds what a server may ask for.
func BelievedRetryAfter(d time.Duration) time.Duration { return min(max(d, 0), maxPauseAhead) }

// OthersServed reports whether a request of another client than this one was
// answered with a token since a client was first throttled: then the throttling
// is about the client and not about the host.
func (r Record) OthersServed(client string) bool {
	return slices.ContainsFunc(r.Served, func(c string) bool { return c != client })
}

// Success is the rule: what the record becomes when a client gets a token. A
// pause still in force stays.
func RecordSuccess(r Record, client string) Record {
	if len(r.Served) < MaxServed && !slices.Contains(r.Served, client) {
		r.Served = append(slices.Clone(r.Served), client)
	}
	r.Throttled, r.Pause = nil, 0
	r.Refused, r.RefusedSince = nil, time.Time{}
	return r
}

// Refuse is the rule: what the record becomes when a connection is refused.
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
// failure is a apierr.Error of type StoreUnavailable.
type Store interface {
	// Budget reads the record strongly; a host never asked has the zero one.
	Budget(ctx context.Context, host string) (Record, error)
	// Reserve takes the next free instant as the rule Reserve says, else a
	// *BusyError.
	Reserve(ctx context.Context, host string, w Window) (time.Time, error)
	// Throttled records a 429 as the rule Pause says.
	Throttled(ctx context.Context, host string, t Throttle) (Record, error)
	// Refused records that a connection was refused, as the rule Refuse says.
	Refused(ctx context.Context, host, connection string, now time.Time) (Record, error)
	// Succeeded records that a client got a token, as the rule Success says. A
	// host that was never asked gets no record.
	Succeeded(ctx context.Context, host, client string) error
	// Probe claims the one probe per ProbeEvery of a refusing host; false if
	// somebody else has it.
	Probe(ctx context.Context, host string, now time.Time) (bool, error)
}

// String shows the record for tests; it holds no secret.
func (r Record) String() string {
	return fmt.Sprintf("next %s, paused until %s, %d throttled, %d refused",
		r.Next.Format(time.StampMilli), r.PausedUntil.Format(time.StampMilli), len(r.Throttled), len(r.Refused))
}
