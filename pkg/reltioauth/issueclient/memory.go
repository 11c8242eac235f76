package issueclient

import "time"

const (
	// askEvery is how often issue is asked for something better than a token
	// that lives: it answers from its own memory for as long, and asking more
	// often brings the same.
	askEvery = 30 * time.Second
	// refusedFor is how long an error is repeated that does not pass by itself:
	// long enough that a loop of callers costs nothing, short enough that
	// nobody waits for the repair to be noticed.
	refusedFor = 10 * time.Second
	// firstWait and longestWait after failures in a row that say nothing of
	// when to come back.
	firstWait   = time.Second
	longestWait = 15 * time.Second
)

// key is everything that decides issue's answer to a Source. Callers with the
// same key share an invocation.
type key struct {
	minLife  time.Duration
	rejected string
}

// memory is what a Source knows. Its methods decide; they neither lock nor
// wait. The zero value knows nothing.
type memory struct {
	// kept is the token in use; nil if there has been none. It is replaced,
	// never changed.
	kept *Token
	// asked is when the invocation began that brought it.
	asked time.Time
	// ageing is when to look for the next one.
	ageing time.Time
	// calm: nobody looks before. calmLife: nobody asks for a longer life
	// before.
	calm, calmLife time.Time
	// reported is when kept was reported and came back all the same.
	reported time.Time

	// trouble is the last failure, which stands until then.
	trouble  *Error
	until    time.Time
	failures int // in a row
}

// verdict is what a caller is to do.
type verdict int

const (
	// use the kept token.
	use verdict = iota
	// glance: ask for the next token. Nobody else has to wait for it.
	glance
	// reach: ask for a longer life, and take the kept token if there is none.
	reach
	// must ask: there is no token that could be used.
	must
	// refused: asking failed a moment ago.
	refused
)

// judge decides for one caller.
func (m *memory) judge(k key, now time.Time) verdict {
	switch {
	case !m.living(now) || m.refuses(k.rejected, now):
		if m.troubled(now) {
			return refused
		}
		return must
	case m.troubled(now):
		return use
	case m.kept.ExpiresAt.Sub(now) < k.minLife && !now.Before(m.calmLife):
		return reach
	case !now.Before(m.ageing) && !now.Before(m.calm):
		return glance
	}
	return use
}

// living reports whether the kept token has not ended; with less than a second
// left it has, as for issue. A clock that was set back says nothing of it.
func (m *memory) living(now time.Time) bool {
	return m.kept != nil && !now.Before(m.asked) && now.Add(time.Second).Before(m.kept.ExpiresAt)
}

// refuses reports whether the fingerprint is that of the kept token, and issue
// has not been told lately.
func (m *memory) refuses(rejected string, now time.Time) bool {
	return m.living(now) && rejected == m.kept.Fingerprint && !now.Before(m.reported.Add(askEvery))
}

// troubled reports whether the last failure stands. One that stands for longer
// than any does was dated by a clock that has been set back since.
func (m *memory) troubled(now time.Time) bool {
	return m.trouble != nil && now.Before(m.until) && m.until.Sub(now) <= 2*maxRetryAfter
}

// narrow is the key to ask with: a token that was replaced since, or reported
// before, is not reported again.
func (m *memory) narrow(k key, now time.Time) key {
	if m.living(now) && !m.refuses(k.rejected, now) {
		k.rejected = ""
	}
	return k
}

// learn takes an answer over. margin is how long before its end the token begins
// to age.
func (m *memory) learn(k key, t *Token, asked, now time.Time, margin time.Duration) {
	m.trouble, m.failures = nil, 0
	overtaken := m.living(now) && m.kept.Fingerprint != k.rejected && m.kept.Version > t.Version
	if overtaken {
		return // by the answer to another key: issue's own memory may lag
	}
	if m.kept == nil || m.kept.Fingerprint != t.Fingerprint {
		m.calm, m.calmLife, m.reported = time.Time{}, time.Time{}, time.Time{}
	}
	m.kept, m.asked, m.ageing = t, asked, t.ExpiresAt.Add(-margin)
	if t.Fingerprint == k.rejected {
		m.reported = now
	}
	if t.ExpiresAt.Sub(now) < k.minLife {
		m.calmLife = now.Add(askEvery)
	}
	if !now.Before(m.ageing) {
		m.calm = now.Add(askEvery)
	}
}

// fail remembers a failure. What is wrong with one request says nothing of the
// next.
func (m *memory) fail(e *Error, now time.Time, chance float64) {
	if e.Type == ErrInvalidRequest && e.Err == nil {
		return
	}
	m.failures++
	m.trouble, m.until = e, now.Add(pause(e, m.failures, chance))
}

// pause is how long a failure stands. chance, in [0, 1), spreads those who failed
// together: a wait that was asked for is stretched by up to a fifth, and never
// cut; one that was not grows from half a second to 15 s.
func pause(e *Error, failures int, chance float64) time.Duration {
	switch {
	case !e.awaited():
		return stretch(refusedFor, 1+chance/5)
	case e.RetryAfter > 0:
		return stretch(e.RetryAfter, 1+chance/5)
	}
	wait := firstWait
	for i := 1; i < failures && wait < longestWait; i++ {
		wait *= 2
	}
	return stretch(min(wait, longestWait), (1+chance)/2)
}

func stretch(d time.Duration, by float64) time.Duration {
	return time.Duration(float64(d) * by)
}
