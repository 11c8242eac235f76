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
	// jitter is the share of a back-off that is random.
	jitter = 0.2
)

// BackOff is how long to wait after the failures-th failure in a row: doubling,
// bounded, at most a quarter of the token's life, at least a second. chance, in
// [0, 1), takes up to a fifth off, so that grants that failed together do not
// retry together.
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
// request that cannot lock a user: the back-off for an hour, then TryEvery.
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

// Refused is the grant after one more refusal that cannot lock a user. A
// refusal before RetryAt, of a request that an operator forced, is not counted.
func (g Grant) Refused(now time.Time) Grant {
	if g.Refusals == 0 || !g.Retrying(now) {
		g.Refusals++
	}
	return g
}

// Healthy is the grant after a success. The verdict of a check of its token
// stays.
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
// try; 0 for the back-off alone. The sweep looks at a waiting grant every
// LookEvery instead, or sooner if it may be tried sooner.
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

// Postponed is the grant after a renewal that sent nothing: it is tried later,
// and no failure is counted. After failures the message stays that of the last
// one.
func (g Grant) Postponed(e *apierr.Error, until time.Time) Grant {
	g.LastError = e.Type
	if g.Failures == 0 {
		g.LastErrorMessage = e.Message
	}
	g.RetryAt = until
	return g
}

// LookedAt is the grant after a look that found it still waiting.
func (g Grant) LookedAt(now time.Time) Grant {
	g.RetryAt = now.Add(min(LookEvery, g.tryEvery()))
	return g
}

// SecretMissing is the grant whose connection's secret was not found. Its token
// stays valid until a second look, so much later, finds no secret either.
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

// MissedSince reports whether the secret was first not found that long ago.
func (g Grant) MissedSince(now time.Time, second time.Duration) bool {
	return !g.SecretMissingAt.IsZero() && !g.SecretMissingAt.Add(second).After(now)
}

// SecretFound is the grant whose connection's secret was found again.
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

// Deleted is what is left of a connection whose secret is missing: enough to
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

// Indexed sets the index entry: where and when a sweep finds the grant. A grant
// with unsent events is found at once.
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

// LastFailure is the error of the last renewal, whatever the status; nil if it
// succeeded.
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

// Failing reports whether a caller is warned that the renewal fails although
// the token is valid.
func (g Grant) Failing() bool {
	return g.Status != StatusOK && g.Status != StatusPaused && g.Status != ""
}
