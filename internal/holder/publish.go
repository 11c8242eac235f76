package holder

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

const (
	// publishTime bounds the sending of one event.
	publishTime = 3 * time.Second
	// publishPause doubles with each failed attempt, up to longestPublishPause.
	publishPause        = time.Minute
	longestPublishPause = 15 * time.Minute
	// mostLinks bounds the links of unsent events that a process remembers.
	mostLinks = 1000
)

// Bus remembers that the event bus did not take an event. The zero value stands
// for one that works. It is safe for concurrent use.
type Bus struct{ down atomic.Bool }

func (b *Bus) isDown() bool { return b != nil && b.down.Load() }

func (b *Bus) fail() {
	if b != nil {
		b.down.Store(true)
	}
}

// Publish sends the events of the stored grant that are still true, each with a
// link if a person has to follow it, and removes each that was sent. All of them
// together are sent within limit; the caller bounds the context for the write
// that follows. An event that cannot be sent stays in the grant, is tried again at
// growing pauses, and is the error.
func (h *Holder) Publish(ctx context.Context, limit time.Duration) error {
	now := h.Now()
	g := h.stored.StillTrue(now)
	waits := g.PublishAt.After(now) && !g.PublishAt.After(now.Add(longestPublishPause))
	if h.Events == nil || len(h.stored.Unpublished) == 0 || waits || h.Bus.isDown() {
		return nil
	}
	events := g.Events()
	if len(events) == 0 && len(g.Unpublished) == len(h.stored.Unpublished) {
		return nil
	}
	sending, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var failed error
	for _, e := range events {
		if failed = h.send(sending, e); failed != nil {
			h.Bus.fail()
			g.PublishAt = now.Add(min(publishPause<<min(g.PublishTries, 4), longestPublishPause))
			g.PublishTries++
			break
		}
		g.Unpublished = slices.DeleteFunc(slices.Clone(g.Unpublished), func(t string) bool { return t == string(e.Type) })
	}
	if len(g.Unpublished) == 0 {
		g.Unpublished, g.PublishAt, g.PublishTries = nil, time.Time{}, 0
	}
	_ = h.Put(ctx, g) // an event that is not removed is sent again
	return failed
}

// send sends one event, with a link if a person has to follow it: the same link
// until the event is sent.
func (h *Holder) send(ctx context.Context, e grant.Event) error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	person := e.Type == grant.ReauthorizationSoon || e.Type == grant.ReauthorizationRequired
	if person && h.CallbackURL != "" {
		var err error
		if e.Link, err = h.link(ctx, e.Connection); err != nil {
			return err
		}
	}
	if err := h.Events.Publish(ctx, e); err != nil {
		return err
	}
	if h.Links != nil {
		h.Links.forget(e.Connection)
	}
	return nil
}

// link is where a person authorizes the connection.
func (h *Holder) link(ctx context.Context, connection string) (string, error) {
	now := h.Now()
	if link, ok := h.Links.get(connection, now); ok {
		return link, nil
	}
	i, text := authrequest.NewInvitation(connection, authrequest.InvitationFromEvent, false, now)
	if err := h.AuthRequests.PutInvitation(ctx, i); err != nil {
		return "", err
	}
	link := authrequest.Link(h.CallbackURL, text)
	h.Links.put(connection, unsentLink{link: link, made: now})
	return link, nil
}

// Links are those of events that could not be sent, by connection: during an
// outage of the event bus one invitation is made for each and not one for each
// attempt. They are in the memory of this process alone, because a link is
// enough to authorize. The zero value is ready. It is safe for concurrent use and
// must not be copied.
type Links struct {
	// mu guards unsent; it is never held across the network.
	mu     sync.Mutex
	unsent map[string]unsentLink
}

type unsentLink struct {
	link string
	made time.Time
}

// get returns a link that has most of its life left.
func (l *Links) get(connection string, now time.Time) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.unsent[connection]
	age := now.Sub(u.made)
	return u.link, ok && age >= 0 && age < authrequest.InvitationFromEvent/2
}

func (l *Links) put(connection string, u unsentLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsent == nil || len(l.unsent) >= mostLinks {
		l.unsent = map[string]unsentLink{}
	}
	l.unsent[connection] = u
}

func (l *Links) forget(connection string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.unsent, connection)
}
