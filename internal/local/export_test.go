package local

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Publish publishes an event as the functions do.
func Publish(ctx context.Context, s *Stack, e grant.Event) error { return s.events.Publish(ctx, e) }

// Connect is a person who opens a link and logs in.
func Connect(ctx context.Context, link, user, password string) error {
	return connect(ctx, link, user, password)
}

// DemoLogin is the demonstration's own person.
func (s *Stack) DemoLogin(ctx context.Context) error { return Demo{Invite: s.Invite}.logIn(ctx) }
