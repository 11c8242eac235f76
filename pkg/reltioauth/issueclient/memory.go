package issueclient

import "time"

const (
	// askEvery is how often issue is asked for a newer token while the kept one
	// is valid. Issue answers from its own memory for as long, so asking more
	// often brings the same token.
	askEvery = 30 * time.Second
	// refusedFor is how long a permanent error is repeated: long enough that
	// callers in a loop cost nothing, short enough that a repair is noticed soon.
	refusedFor = 10 * time.Second
	// firstWait and longestWait bound the wait after failures in a row that name
	// no time to wait.
	firstWait   = time.Second
	longestWait = 15 * time.Second
)

// key is everything that decides issue's response to a Source. Callers with the
// same key share an invocation.
type key struct {
	minTTL   time.Duration
	rejected string
}

// memory is the state of a Source. Its methods decide; they neither lock nor
// wait. The zero value is the state before the first call.
type memory struct {
	// kept is the token in use; nil if there has been none. It is replaced,
	// never changed.
	kept *Token
	// asked is when the invocation that brought it began.
	asked time.Time
	// ends is when the token is no longer used: a second before it expires. A
	// token that came again, or in its last second, is used until it expires,
	// because an earlier request would bring it once more.
	ends time.Time
	// ageing is when to ask for the next one.
	ageing time.Time
	// calm: no caller asks for a newer token before. calmLife: no caller asks for
	// a longer life before.
	calm, calmLife time.Time
	// reported is when kept was reported and issue gave it again.
	reported time.Time

	// trouble is the last failure, which happened at since; it is repeated until
	// the given moment.
	trouble      *Error
	since, until time.Time
	failures     int // in a row
}

// verdict is what a caller is to do.
type verdict int

const (
	// use the kept token.
	use verdict = iota
	// glance: ask for the next token; other callers do not have to wait for it.
	glance
	// reach: ask for a longer life, and use the kept token if that is not to be
	// had soon.
	reach
	// must: ask, because there is no usable token.
	must
	// refused: return the last failure, which is recent.
	refused
)

// judge decides for one caller.
func (m *memory) judge(k key, now time.Time) verdict {
	switch {
	case !m.valid(now) || m.refuses(k.rejected, now):
		if m.troubled(now) {
			return refused
		}
		return must
	case m.troubled(now):
		return use
	case m.kept.ExpiresAt.Sub(now) < k.minTTL && !now.Before(m.calmLife):
		return reach
	case !now.Before(m.ageing) && !now.Before(m.calm):
		return glance
	}
	return use
}

// valid reports whether the kept token is used. If the clock was set back to
// before the token was asked for, that is not known, and it is not.
func (m *memory) valid(now time.Time) bool {
	return m.kept != nil && !now.Before(m.asked) && now.Before(m.ends)
}

// restUntil is the moment before which a caller that needs no particular life
// uses the kept token without asking.
func (m *memory) restUntil() time.Time {
	until := m.ageing
	if m.calm.After(until) {
		until = m.calm
	}
	if m.ends.Before(until) {
		until = m.ends
	}
	return until
}

// refuses reports whether the fingerprint is that of the kept token, and that
// token has not been reported to issue lately.
func (m *memory) refuses(rejected string, now time.Time) bool {
	lately := !now.Before(m.reported) && now.Before(m.reported.Add(askEvery))
	return m.valid(now) && rejected == m.kept.Fingerprint && !lately
}

// troubled reports whether the last failure is still repeated. It is not if the
// clock was set back to before it.
func (m *memory) troubled(now time.Time) bool {
	return m.trouble != nil && !now.Before(m.since) && now.Before(m.until)
}

// narrow is the key to ask with: without the report of a token that was replaced
// since or reported before.
func (m *memory) narrow(k key, now time.Time) key {
	if m.valid(now) && !m.refuses(k.rejected, now) {
		k.rejected = ""
	}
	return k
}

// learn stores a response. margin is how long before its end the token begins to
// age.
func (m *memory) learn(k key, t *Token, asked, now time.Time, margin time.Duration) {
	m.trouble, m.failures = nil, 0
	overtaken := m.valid(now) && m.kept.Fingerprint != k.rejected && m.kept.Version > t.Version
	if overtaken {
		return // by the answer to another key: issue's own memory may lag
	}
	again := m.kept != nil && m.kept.Fingerprint == t.Fingerprint
	if !again {
		m.calm, m.calmLife, m.reported = time.Time{}, time.Time{}, time.Time{}
	}
	m.kept, m.asked, m.ageing, m.ends = t, asked, t.ExpiresAt.Add(-margin), t.ExpiresAt.Add(-time.Second)
	if again || !now.Before(m.ends) {
		m.ends = t.ExpiresAt
	}
	if t.Fingerprint == k.rejected {
		m.reported = now
	}
	if t.ExpiresAt.Sub(now) < k.minTTL {
		m.calmLife = now.Add(askEvery)
	}
	if !now.Before(m.ageing) {
		m.calm = now.Add(askEvery)
	}
}

// fail stores a failure. An invalid request is not stored, because the next
// request may be valid.
func (m *memory) fail(e *Error, now time.Time, jitter float64) {
	if e.Type == ErrInvalidRequest && e.Err == nil {
		return
	}
	m.failures++
	m.trouble, m.since, m.until = e, now, now.Add(pause(e, m.failures, jitter))
}

// pause is how long a failure is repeated. jitter, in [0, 1), spreads callers
// that failed together. A wait that the error names is lengthened by up to a
// fifth, and never shortened; otherwise the wait grows from half a second to 15
// s.
func pause(e *Error, failures int, jitter float64) time.Duration {
	switch {
	case !e.awaited():
		return stretch(refusedFor, 1+jitter/5)
	case e.RetryAfter > 0:
		return stretch(e.RetryAfter, 1+jitter/5)
	}
	wait := firstWait
	for i := 1; i < failures && wait < longestWait; i++ {
		wait *= 2
	}
	return stretch(min(wait, longestWait), (1+jitter)/2)
}

func stretch(d time.Duration, by float64) time.Duration {
	return time.Duration(float64(d) * by)
}
