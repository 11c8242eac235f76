package reltioauthtest

import "time"

// rateWindow is the length of the rolling window of the rate limit.
const rateWindow = time.Second

// admit decides whether a token request is within the rate limit. The caller
// holds mu.
func (s *Server) admit(c *call) bool {
	if c.set.RateLimit < 0 {
		return true
	}
	scope := ""
	if c.set.RateLimitPerClient {
		scope = c.req.ClientID
	}
	count := s.limits[scope]
	if count == nil {
		count = &slidingCount{window: rateWindow}
		s.limits[scope] = count
	}
	admitted := count.at(c.req.At) < c.set.RateLimit
	if admitted || c.set.RateLimitCountsRefused {
		count.add(c.req.At.UnixNano())
	}
	return admitted
}

// slidingCount counts events within a window that ends now. Time must not go
// backwards.
type slidingCount struct {
	window time.Duration
	times  []int64 // Unix nanoseconds; those before head are out of the window
	head   int
}

// at is the count at a moment.
func (c *slidingCount) at(now time.Time) int {
	c.forget(now.UnixNano())
	return len(c.times) - c.head
}

// add counts one more event.
func (c *slidingCount) add(at int64) {
	c.forget(at)
	if c.head > len(c.times)/2 { // each event is moved about once
		c.times = append(c.times[:0], c.times[c.head:]...)
		c.head = 0
	}
	c.times = append(c.times, at)
}

func (c *slidingCount) forget(now int64) {
	start := now - int64(c.window)
	for c.head < len(c.times) && c.times[c.head] <= start {
		c.head++
	}
}

// slidingMax is the largest count so far.
type slidingMax struct {
	count slidingCount
	max   int
}

func (m *slidingMax) add(at int64) {
	m.count.add(at)
	m.max = max(m.max, len(m.count.times)-m.count.head)
}
