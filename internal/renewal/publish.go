package renewal

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authorization"
	"github.com/reltio-tokens/reltio-tokens/internal/event"
)

// publishTime bounds the sending of one event.
const publishTime = 3 * time.Second

// publish sends the events that the stored grant remembers, and then forgets
// them in a write of its own. What cannot be sent now stays, and is due at
// once: the next sweep sends it.
func (p *path) publish(ctx context.Context) error {
	if p.Events == nil || len(p.stored.Unpublished) == 0 {
		return nil
	}
	for _, e := range p.stored.Events() {
		if p.send(ctx, e) != nil {
			return nil // it is remembered, and the renewal goes on
		}
	}
	g := p.stored
	g.Unpublished = nil
	return p.put(ctx, g)
}

// send sends one event, with a fresh link if a person is to follow it.
func (p *path) send(ctx context.Context, e event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	person := e.Type == event.ReauthorizationSoon || e.Type == event.ReauthorizationRequired
	if person && p.CallbackURL != "" {
		i, text := authorization.NewInvitation(e.Connection, authorization.InvitationFromEvent, false, p.Now())
		if err := p.Authorizations.PutInvitation(ctx, i); err != nil {
			return err
		}
		e.Link = authorization.Link(p.CallbackURL, text)
	}
	return p.Events.Publish(ctx, e)
}
