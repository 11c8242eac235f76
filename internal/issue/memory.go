package issue

import (
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// The bounds of what an execution environment remembers.
const (
	// rememberFor is how old an entry may be.
	rememberFor = 30 * time.Second
	// rememberBefore is how long before its due moment an entry is no longer
	// used, so that later callers take part in its renewal.
	rememberBefore = 30 * time.Second
	// rememberMost bounds the number of entries.
	rememberMost = 1000
)

// memory holds the grants read last, for the calls that an execution
// environment receives within seconds. The zero value is ready.
type memory struct {
	// mu guards entries; it is never held across the network.
	mu      sync.Mutex
	entries map[string]entry
}

type entry struct {
	g      grant.Grant
	readAt time.Time
}

// get returns the grant if it may be used at now. An entry that was read after
// now is not used: the clock was set back since.
func (m *memory) get(name string, now time.Time) (grant.Grant, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[name]
	age := now.Sub(e.readAt)
	if !ok || age < 0 || age > rememberFor || !now.Before(e.g.Due().Add(-rememberBefore)) {
		return grant.Grant{}, false
	}
	return e.g, true
}

// put remembers a grant that has a token.
func (m *memory) put(g grant.Grant, readAt time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !g.HasToken() {
		delete(m.entries, g.Connection)
		return
	}
	if m.entries == nil || len(m.entries) >= rememberMost {
		m.entries = map[string]entry{}
	}
	m.entries[g.Connection] = entry{g: g, readAt: readAt}
}
