package local

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// keptEvents is how many events are kept.
const keptEvents = 100

// eventLog replaces an event bus: each event is a line in the log, without its
// link, which holds a secret. The last hundred events are kept unchanged. It is
// safe for concurrent use.
type eventLog struct {
	log *telemetry.Log
	// mu guards last.
	mu   sync.Mutex
	last []grant.Event
}

var _ grant.Publisher = (*eventLog)(nil)

// Publish implements grant.Publisher. It never fails.
func (l *eventLog) Publish(ctx context.Context, e grant.Event) error {
	attrs := []slog.Attr{
		slog.String("detail_type", string(e.Type)),
		slog.String("connection", e.Connection),
		slog.String("status", e.Status),
		slog.String("error", string(e.Error)),
		slog.Bool("link", e.Link != ""),
	}
	if !e.RefreshExpiresAt.IsZero() {
		attrs = append(attrs, slog.Time("refresh_expires_at", e.RefreshExpiresAt))
	}
	l.log.Write(ctx, slog.LevelInfo, "event", attrs...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, e)
	l.last = slices.Delete(l.last, 0, max(0, len(l.last)-keptEvents))
	return nil
}

// Events are the last events, up to a hundred, the newest last. Their links are
// complete.
func (s *Stack) Events() []grant.Event {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	return slices.Clone(s.events.last)
}
