package operator

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Invited is an invitation for a person, as Connect makes it.
type Invited struct {
	Connection string `json:"connection"`
	// Link is where the person authorizes the connection. Anyone who has it can
	// use it, once.
	Link ClearText `json:"link"`
	// ExpiresAt is the link's deadline, UTC, in whole seconds.
	ExpiresAt time.Time `json:"expires_at"`
}

// Connect makes the link with which a person authorizes the connection. It is
// valid for a day. With replaceUser another user than the first one may log in.
// It fails with InvalidRequest if the connection is not one that a person
// authorizes, and with ConnectionPaused if the link would not work.
func (o *Service) Connect(ctx context.Context, name string, replaceUser bool) (Invited, error) {
	if err := named(name); err != nil {
		return Invited{}, err
	}
	if o.CallbackURL == "" {
		return Invited{}, apierr.New(apierr.InvalidRequest, "callback_url: is missing: where does the callback function answer?")
	}
	c, err := o.parsed(ctx, name)
	switch {
	case errors.Is(err, connection.ErrNotFound):
		return Invited{}, unknown()
	case err != nil:
		return Invited{}, err
	case c.GrantType != connection.AuthorizationCode:
		return Invited{}, apierr.New(apierr.InvalidRequest,
			"grant_type: is "+string(c.GrantType)+", which needs no person; only authorization_code is connected by one")
	}
	g, _, err := o.grantOf(ctx, name)
	switch {
	case err != nil:
		return Invited{}, err
	case g.Status == grant.StatusPaused:
		return Invited{}, apierr.New(apierr.ConnectionPaused, "an operator paused this connection; unpause it first")
	}
	i, text := authrequest.NewInvitation(name, authrequest.InvitationFromCommand, replaceUser, o.Now())
	if err := o.AuthRequests.PutInvitation(ctx, i); err != nil {
		return Invited{}, err
	}
	link := authrequest.Link(o.CallbackURL, text)
	return Invited{Connection: name, Link: clearText(link), ExpiresAt: i.Ends.UTC()}, nil
}
