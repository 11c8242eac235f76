package grant

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// The back-off after failures.
const (
	firstBackOff   = 30 * time.Second
	longestBackOff = 5 * time.Minute
	leastBackOff   = time.Second
	// backOffShare of the token's life bounds the back-off.
	backOffShare = 4
	// usualLife is assumed where there is no token yet.
	usualLife = time.Hour
	// jitter is how much of a back-off is left to chance.
	jitter = 0.2
)

// BackOff is how long to wait after the failures-th failure in a row: doubling,
// bounded, at most a quarter of the token's life, at least a second. chance, in
// [0, 1), takes up to a fifth off, so that what failed together does not come
// back together.
func BackOff(failures int, life time.Duration, chance float64) time.Duration {
	if life <= 0 {
		life = usualLife
	}
	wait := firstBackOff
	for i := 1; i < failures && wait < longestBackOff; i++ {
		wait *= 2
	}
	wait = min(wait, longestBackOff, life/backOffShare)
	return max(leastBackOff, scale(wait, 1-jitter*chance))
}

// RefusalPause is how long to wait after the refusals-th refusal in a row of a
// request that can lock nobody: the back-off for an hour, then TryEvery.
func RefusalPause(refusals int, life time.Duration) time.Duration {
	var waited time.Duration
	for n := 1; n < refusals; n++ {
		if waited += BackOff(n, life, 0); waited >= TryEvery {
			return TryEvery
		}
	}
	return BackOff(refusals, life, 0)
}

// RefusedForLong reports whether the refusals in a row have lasted an hour.
func (g Grant) RefusedForLong() bool {
	return g.Refusals > 1 && RefusalPause(g.Refusals, g.Life()) == TryEvery
}

// Refused is the grant after one more refusal that can lock nobody. One that
// came before its time, because an operator forced it, lengthens no row.
func (g Grant) Refused(now time.Time) Grant {
	if g.Refusals == 0 || !g.Retrying(now) {
		g.Refusals++
	}
	return g
}

// Healthy is the grant after a success. What a check said of its token stands.
func (g Grant) Healthy() Grant {
	g.TriedAt = time.Time{}
	g.Status = StatusOK
	g.SecondFactorVersion = ""
	g.Failures, g.Refusals, g.Throttles = 0, 0, 0
	g.Refusal = Refusal{}
	g.RetryAt = time.Time{}
	g.LastError, g.LastErrorMessage = "", ""
	return g
}

// Failed is the grant after a failure. wait is the least time until the next
// try; 0: the back-off's. A waiting grant is looked at every LookEvery instead,
// or sooner if it may be tried sooner.
func (g Grant) Failed(s Status, e *apierr.Error, now time.Time, wait time.Duration, chance float64) Grant {
	g.Status = s
	g.Failures++
	g.LastError, g.LastErrorMessage = e.Type, e.Message
	g.TriedAt = now
	g.RetryAt = now.Add(max(wait, BackOff(g.Failures, g.Life(), chance)))
	if g.Waiting() {
		g.RetryAt = now.Add(min(LookEvery, g.tryEvery()))
	}
	return g
}

// Postponed is the grant when nothing was sent: no failure, only a later
// moment. In a row of failures the message stays that of the last one.
func (g Grant) Postponed(e *apierr.Error, until time.Time) Grant {
	g.LastError = e.Type
	if g.Failures == 0 {
		g.LastErrorMessage = e.Message
	}
	g.RetryAt = until
	return g
}

// Looked is a waiting grant that was looked at and found waiting still.
func (g Grant) LookedAt(now time.Time) Grant {
	g.RetryAt = now.Add(min(LookEvery, g.tryEvery()))
	return g
}

// SecretMissing is the grant whose connection's secret was not found. Its token
// serves on until the absence is believed, at a second look so much later.
func (g Grant) SecretMissing(now time.Time, second time.Duration) Grant {
	if g.SecretMissingAt.IsZero() {
		g.SecretMissingAt = now
	}
	if !g.Waiting() {
		e := unknownConnection()
		g.Status, g.LastError, g.LastErrorMessage = StatusFailing, e.Type, e.Message
	}
	g.RetryAt = g.SecretMissingAt.Add(second)
	return g
}

// MissedSince reports whether the secret was first not found so long ago.
func (g Grant) MissedSince(now time.Time, second time.Duration) bool {
	return !g.SecretMissingAt.IsZero() && !g.SecretMissingAt.Add(second).After(now)
}

// SecretFound is the grant whose connection's secret is there again.
func (g Grant) SecretFound() Grant {
	if g.SecretMissingAt.IsZero() {
		return g
	}
	g.SecretMissingAt, g.RetryAt = time.Time{}, time.Time{}
	if g.LastError == apierr.UnknownConnection {
		g.LastError, g.LastErrorMessage = "", ""
		if g.Status == StatusFailing && g.Failures == 0 {
			g.Status = StatusOK
		}
	}
	return g
}

func unknownConnection() *apierr.Error {
	return apierr.New(apierr.UnknownConnection, "no connection has this name")
}

// Gone is what is left of a connection whose secret is missing: enough to
// fence old writers and to answer callers for a minute.
func (g Grant) Deleted(now time.Time) Grant {
	return Grant{
		Connection: g.Connection,
		Epoch:      g.Epoch,
		Owner:      g.Owner,
		Version:    g.Version,
		Status:     StatusUnknown,
		RetryAt:    now.Add(UnknownFor),
		TTL:        now.Add(24 * time.Hour),
	}
}

// Indexed sets the index entry: where and when a sweep looks for the grant.
// What has events to send is looked at now.
func (g Grant) Indexed(now time.Time) Grant {
	g.Shard, g.DueAt = ShardDue, g.Due()
	switch {
	case g.Status == StatusPaused || g.Status == StatusUnknown:
		g.Shard, g.DueAt = "", time.Time{}
		return g
	case g.Waiting():
		g.Shard = ShardWaiting
	default:
		if at := g.endsNext(now); !at.IsZero() && at.Before(g.DueAt) {
			g.DueAt = at
		}
	}
	if len(g.Unpublished) > 0 && g.PublishAt.Before(g.DueAt) {
		g.DueAt = g.PublishAt
	}
	if g.DueAt.IsZero() || g.DueAt.Before(now) && len(g.Unpublished) > 0 {
		g.DueAt = now
	}
	return g
}

// Error is the stored error as a caller gets it at now; nil if there is none.
func (g Grant) Error(now time.Time) *apierr.Error {
	switch g.Status {
	case StatusPaused:
		return apierr.New(apierr.ConnectionPaused, "an operator paused this connection")
	case StatusUnknown:
		return unknownConnection()
	default:
		return g.LastFailure(now)
	}
}

// Last is what the last renewal ended with, whatever the status; nil if that
// was well.
func (g Grant) LastFailure(now time.Time) *apierr.Error {
	switch g.LastError {
	case "":
		return nil
	case apierr.RateLimited:
		return apierr.Limited(g.RetryAt.Sub(now))
	default:
		return apierr.New(g.LastError, g.LastErrorMessage)
	}
}

// Failing reports whether a caller should hear that the renewal is in trouble
// though its token lives.
func (g Grant) Failing() bool {
	return g.Status != StatusOK && g.Status != StatusPaused && g.Status != ""
}
