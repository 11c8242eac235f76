package simulation

import (
	"context"
	"time"
)

// generator makes random numbers for one decision. It is made from what the
// decision is about, so that no other decision changes it.
type generator uint64

// mix makes a generator of numbers (the finalizer of splitmix64 between them).
func mix(numbers ...uint64) generator {
	var h uint64 = 0x9e3779b97f4a7c15
	for _, n := range numbers {
		h = scramble(h ^ n)
	}
	return generator(h)
}

func scramble(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// hashText is FNV-1a.
func hashText(s string) uint64 {
	var h uint64 = 14695981039346656037
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func (c *generator) next() uint64 {
	*c = generator(scramble(uint64(*c)))
	return uint64(*c)
}

// float is in [0, 1).
func (c *generator) float() float64 { return float64(c.next()>>11) / (1 << 53) }

func (c *generator) below(n int) int { return int(c.next() % uint64(n)) }

func (c *generator) is(probability float64) bool { return c.float() < probability }

// between is a duration in [from, to).
func (c *generator) between(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(c.next()%uint64(to-from))
}

// draw is the chance of a decision at this moment about something.
func (w *World) draw(what, about string) generator {
	now := w.now().UnixNano()
	return mix(w.cfg.Seed, uint64(now), hashText(what), hashText(about))
}

// The clock of the world: no process has the true time.
func (w *World) now() time.Time { return w.cfg.Now() }

// reserve finds a moment after d at which nothing else happens.
func (w *World) reserve(d time.Duration) (wait time.Duration, at int64) {
	now := w.now().UnixNano()
	at = now + int64(max(d, 1))
	w.moments.Lock()
	defer w.moments.Unlock()
	for w.taken[at] {
		at++
	}
	w.taken[at] = true
	return time.Duration(at - now), at
}

func (w *World) over(at int64) {
	w.moments.Lock()
	defer w.moments.Unlock()
	delete(w.taken, at)
}

// sleep lets d pass and ends at a moment of its own.
func (w *World) sleep(d time.Duration) {
	wait, at := w.reserve(d)
	time.Sleep(wait)
	w.over(at)
}

// pause is sleep, unless the context ends first.
func (w *World) pause(ctx context.Context, d time.Duration) error {
	wait, at := w.reserve(d)
	defer w.over(at)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
