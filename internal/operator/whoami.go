package operator

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// WhoAmI is what Reltio says of a connection's token (checkToken). Texts are the
// server's own.
type WhoAmI struct {
	Connection string `json:"connection"`
	// Active is false if Reltio calls the token invalid: then nothing else is known.
	Active bool `json:"active"`
	// User is the user's name, or a virtual one for a client's own token; Email and
	// Customer are empty if the server does not say them.
	User     string `json:"user"`
	Email    string `json:"email"`
	Customer string `json:"customer"`
	ClientID string `json:"client_id"`
	// The lists are empty if the server names none.
	Tenants []string `json:"tenants"`
	Roles   []string `json:"roles"`
	Scopes  []string `json:"scopes"`
	// ExpiresAt is the token's deadline by the server's clock; null if it does not
	// say.
	ExpiresAt   *time.Time `json:"expires_at"`
	Fingerprint string     `json:"fingerprint"`
}

// WhoAmI asks the issue function for the connection's token, and Reltio about it.
// It needs Issues, Connections, Hosts and RateLimits. No login is sent by it; issue
// may have one sent if there is no valid token.
func (o *Service) WhoAmI(ctx context.Context, name string) (WhoAmI, error) {
	c, err := o.parsed(ctx, name)
	if errors.Is(err, connection.ErrNotFound) {
		return WhoAmI{}, unknown()
	}
	if err != nil {
		return WhoAmI{}, err
	}
	token, err := o.Issue(ctx, issueapi.Request{Connection: name})
	if err != nil {
		return WhoAmI{}, err
	}
	if err := awaitHost(ctx, o.RateLimits, o.Now, c.Host()); err != nil {
		return WhoAmI{}, err
	}
	client := c.Client()
	client.Connect, client.Now = o.Connector, o.Now
	said, err := client.Introspect(ctx, reltioauth.NewSecret(token.AccessToken))
	if err != nil {
		return WhoAmI{}, notIntrospected(err)
	}
	who := WhoAmI{
		Connection: name, Active: said.Active, User: said.Username, Email: said.Email, Customer: said.Customer,
		ClientID: said.ClientID, Tenants: list(said.Tenants), Roles: list(said.Roles), Scopes: list(said.Scopes),
		Fingerprint: token.Fingerprint,
	}
	if !said.ExpiresAt.IsZero() {
		who.ExpiresAt = &said.ExpiresAt
	}
	return who, nil
}

// awaitHost waits for a throttled host as long as all other callers do.
func awaitHost(ctx context.Context, limits ratelimit.Store, now func() time.Time, host string) error {
	record, err := limits.Budget(ctx, host)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ratelimit.MaxWait)
	defer cancel()
	if ratelimit.AwaitUnpaused(ctx, record, now) != nil {
		return apierr.Limited(record.PausedUntil.Sub(now()))
	}
	return nil
}

// notIntrospected is the error of a token that Reltio said nothing about.
func notIntrospected(err error) *apierr.Error {
	var e *reltioauth.Error
	switch {
	case !errors.As(err, &e):
		return apierr.Wrap(apierr.ReltioUnavailable, "checkToken: no usable answer", err)
	case e.Code == reltioauth.ErrRateLimited:
		return apierr.Limited(e.RetryAfter)
	case e.StatusCode/100 == 4: // many clients may not introspect
		return apierr.Wrap(apierr.AccessDenied, "checkToken: the server refuses the client "+e.OAuthSummary(), err)
	default:
		return apierr.Wrap(apierr.ReltioUnavailable, "checkToken: "+e.Reason(), err)
	}
}

// list is never null in JSON.
func list(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
