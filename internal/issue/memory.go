package issue

import (
	"container/list"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// The bounds of what an execution environment remembers.
const (
	// rememberFor is how old an entry may be that spares a read.
	rememberFor = 30 * time.Second
	// rememberBefore is how long before its due moment an entry spares no read, so
	// that later callers take part in its renewal.
	rememberBefore = 30 * time.Second
	// rememberMost bounds the number of entries: about 30 MB of resident memory, with
	// what waits for the next collection (docs/performance.md).
	rememberMost = 10_000
)

// memory holds the grants read last: for the calls that an execution environment
// receives within seconds, and for an outage of the table. The entry that was used
// least recently is forgotten first. The zero value is ready.
type memory struct {
	// mu guards the rest; it is never held across the network.
	mu      sync.Mutex
	entries map[string]*list.Element // each Value is an entry
	used    list.List                // the last used first
}

type entry struct {
	g      grant.Grant
	readAt time.Time
}

// get returns the grant if it spares a read at now. An entry that was read after
// now does not: the clock was set back since.
func (m *memory) get(name string, now time.Time) (grant.Grant, bool) {
	e, ok := m.last(name)
	age := now.Sub(e.readAt)
	if !ok || age < 0 || age > rememberFor || !now.Before(e.g.Due().Add(-rememberBefore)) {
		return grant.Grant{}, false
	}
	return e.g, true
}

// last returns the grant as it was read last, however long ago.
func (m *memory) last(name string) (entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.entries[name]
	if !ok {
		return entry{}, false
	}
	m.used.MoveToFront(found)
	e, ok := found.Value.(entry)
	return e, ok
}

// put remembers a grant that has a token.
func (m *memory) put(g grant.Grant, readAt time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.entries[g.Connection]
	switch {
	case ok && !g.HasToken():
		m.forget(found)
	case ok:
		found.Value = entry{g: g, readAt: readAt}
		m.used.MoveToFront(found)
	case g.HasToken():
		if m.entries == nil {
			m.entries = map[string]*list.Element{}
		}
		if len(m.entries) >= rememberMost {
			m.forget(m.used.Back())
		}
		m.entries[g.Connection] = m.used.PushFront(entry{g: g, readAt: readAt})
	}
}

// forget removes an entry; mu is held.
func (m *memory) forget(found *list.Element) {
	if e, ok := m.used.Remove(found).(entry); ok {
		delete(m.entries, e.g.Connection)
	}
}
