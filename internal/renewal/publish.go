package renewal

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

const (
	// publishTime bounds the sending of one event; publishTimeSingle that of all
	// events of a single renewal, for which a caller may wait.
	publishTime       = 3 * time.Second
	publishTimeSingle = time.Second
	// publishPause doubles with each failed attempt, up to longestPublishPause.
	publishPause        = time.Minute
	longestPublishPause = 15 * time.Minute
	// mostLinks bounds the links of unsent events that a process remembers.
	mostLinks = 1000
)

// publish sends the events of the stored grant after all other work, and
// removes each that was sent. An event that cannot be sent stays, and is tried
// again at growing pauses. After one failure a sweep sends no other events: the
// event bus does not answer.
func (p *path) publish(ctx context.Context) {
	now := p.Now()
	g := p.stored.StillTrue(now)
	waits := g.PublishAt.After(now) && !g.PublishAt.After(now.Add(longestPublishPause))
	if p.Events == nil || len(p.stored.Unpublished) == 0 || waits || p.report.Outcome == rotateapi.Contended ||
		p.bus != nil && p.bus.down.Load() {
		return
	}
	events := g.Events()
	if len(events) == 0 && len(g.Unpublished) == len(p.stored.Unpublished) {
		return
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	limit := storeTime
	if p.single {
		limit = publishTimeSingle
	}
	sending, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, e := range events {
		if err := p.sendEvent(sending, e); err != nil {
			p.report.EventErr = apierr.Of(err)
			if p.bus != nil {
				p.bus.down.Store(true)
			}
			g.PublishAt = now.Add(min(publishPause<<min(g.PublishTries, 4), longestPublishPause))
			g.PublishTries++
			break
		}
		g.Unpublished = slices.DeleteFunc(slices.Clone(g.Unpublished), func(t string) bool { return t == string(e.Type) })
	}
	if len(g.Unpublished) == 0 {
		g.Unpublished, g.PublishAt, g.PublishTries = nil, time.Time{}, 0
	}
	_ = p.put(ctx, g) // an event that is not removed is sent again
}

// sendEvent sends one event, with a link if a person has to follow it: the same
// link until the event is sent.
func (p *path) sendEvent(ctx context.Context, e grant.Event) error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	person := e.Type == grant.ReauthorizationSoon || e.Type == grant.ReauthorizationRequired
	if person && p.CallbackURL != "" {
		var err error
		if e.Link, err = p.link(ctx, e.Connection); err != nil {
			return err
		}
	}
	if err := p.Events.Publish(ctx, e); err != nil {
		return err
	}
	p.links.forget(e.Connection)
	return nil
}

// link is where a person authorizes the connection.
func (p *path) link(ctx context.Context, connection string) (string, error) {
	now := p.Now()
	if link, ok := p.links.get(connection, now); ok {
		return link, nil
	}
	i, text := authrequest.NewInvitation(connection, authrequest.InvitationFromEvent, false, now)
	if err := p.AuthRequests.PutInvitation(ctx, i); err != nil {
		return "", err
	}
	link := authrequest.Link(p.CallbackURL, text)
	p.links.put(connection, unsentLink{link: link, made: now})
	return link, nil
}

// links are those of events that could not be sent, by connection: during an
// outage of the event bus one invitation is made for each and not one for each
// attempt. They are in the memory of this process alone, because a link is
// enough to authorize.
type links struct {
	// mu guards unsent; it is never held across the network.
	mu     sync.Mutex
	unsent map[string]unsentLink
}

type unsentLink struct {
	link string
	made time.Time
}

// get returns a link that has most of its life left.
func (l *links) get(connection string, now time.Time) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.unsent[connection]
	age := now.Sub(u.made)
	return u.link, ok && age >= 0 && age < authrequest.InvitationFromEvent/2
}

func (l *links) put(connection string, u unsentLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsent == nil || len(l.unsent) >= mostLinks {
		l.unsent = map[string]unsentLink{}
	}
	l.unsent[connection] = u
}

func (l *links) forget(connection string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.unsent, connection)
}
