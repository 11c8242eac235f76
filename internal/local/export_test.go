package local

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/event"
)

// Publish publishes an event as the functions do.
func Publish(ctx context.Context, s *Stack, e event.Event) error { return s.events.Publish(ctx, e) }
