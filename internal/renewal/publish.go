package renewal

import (
	"context"
	"time"
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
		ctx, cancel := context.WithTimeout(ctx, publishTime)
		err := p.Events.Publish(ctx, e)
		cancel()
		if err != nil {
			return nil //nolint:nilerr // it is remembered, and the renewal goes on
		}
	}
	g := p.stored
	g.Unpublished = nil
	return p.put(ctx, g)
}
