package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// sandbox starts the authorization server.
func (s *Stack) sandbox() (err error) {
	c := s.config.Sandbox
	if c.Now == nil {
		c.Now = s.config.Now
	}
	c.Clients = slices.Clone(c.Clients)
	for i := range c.Clients {
		if len(c.Clients[i].RedirectURIs) == 0 {
			c.Clients[i].RedirectURIs = []string{s.CallbackURL + "/callback"}
		}
	}
	s.Sandbox = reltioauthtest.New(c)
	if s.ReltioURL, err = s.Sandbox.Start(s.config.ReltioAddress); err != nil {
		return err
	}
	s.onClose(s.Sandbox.Close)
	s.authURL = s.via("", Reltio, s.ReltioURL)
	return nil
}

// AddConnection writes a connection's secret, as an operator would; auth_url is
// the sandbox's unless fields name another.
func (s *Stack) AddConnection(ctx context.Context, name string, fields map[string]any) error {
	secret := map[string]any{"auth_url": s.authURL}
	maps.Copy(secret, fields)
	text, err := json.Marshal(secret)
	if err == nil {
		_, err = s.Secrets.PutConnection(ctx, name, reltioauth.NewSecret(string(text)))
	}
	if err != nil {
		return fmt.Errorf("stack: connection %s: %w", name, err)
	}
	return nil
}

// Invite makes the link with which a person authorizes a connection. It holds a
// secret, and works once, for a day.
func (s *Stack) Invite(ctx context.Context, name string, replaceUser bool) (string, error) {
	i, text := authrequest.NewInvitation(name, authrequest.InvitationFromCommand, replaceUser, s.config.Now())
	if err := s.Table.PutInvitation(ctx, i); err != nil {
		return "", fmt.Errorf("stack: inviting to %s: %w", name, err)
	}
	return authrequest.Link(s.CallbackURL, text), nil
}
