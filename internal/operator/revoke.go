package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// revoke revokes the connection's tokens, as far as it may, and takes them out of
// the grants of other connections. A token that could not be revoked is no error:
// the result says so. until is the end of the lease.
func (d *disconnection) revoke(ctx context.Context, until time.Time, g grant.Grant) error {
	tokens, hint := d.send(ctx, until, g)
	if !d.request.Revoke || d.done.NotRevoked != nil {
		return nil
	}
	// This is done even without a token: an earlier try may have failed between
	// the two steps.
	ended, err := d.end(ctx, newRevoked(g, hint, tokens), d.done.SharesClientWith)
	d.done.EndedFor = append(d.done.EndedFor, ended...)
	return err
}

// send revokes the refresh tokens, or the access token if there are none, and
// stores the result. In the lease's last seconds nothing is sent.
func (d *disconnection) send(ctx context.Context, until time.Time, g grant.Grant) ([]reltioauth.Secret, reltioauth.TokenHint) {
	ctx, cancel := context.WithTimeout(ctx, until.Sub(d.Now())-lease.Skew)
	defer cancel()
	tokens, hint, err := d.tokens(ctx, g)
	if err == nil && len(tokens) == 0 {
		return nil, hint
	}
	d.done.NotRevoked, d.done.EndsAt = nil, nil
	if err == nil {
		err = d.mayAsk(ctx, g)
	}
	for _, token := range tokens {
		if err == nil {
			err = d.sendOne(ctx, token, hint)
		}
	}
	if err == nil {
		d.done.Revoked = hint
		return tokens, hint
	}
	d.done.NotRevoked = errorOf(apierr.Of(err))
	d.done.EndsAt = moment(g.RefreshExpiresAt)
	if hint == reltioauth.HintAccessToken {
		d.done.EndsAt = moment(g.ExpiresAt)
	}
	return tokens, hint
}

// tokens are the tokens to revoke. Revoking a refresh token also ends its access
// token.
func (d *disconnection) tokens(ctx context.Context, g grant.Grant) ([]reltioauth.Secret, reltioauth.TokenHint, error) {
	versions, err := d.stored(ctx, g)
	if err != nil {
		return nil, reltioauth.HintRefreshToken, err
	}
	var tokens []reltioauth.Secret
	for _, v := range versions {
		if !v.Token.IsZero() && !slices.ContainsFunc(tokens, v.Token.Equal) {
			tokens = append(tokens, v.Token)
		}
	}
	if len(tokens) > 0 {
		return tokens, reltioauth.HintRefreshToken, nil
	}
	if g.Valid(d.Now()) {
		tokens = append(tokens, g.AccessToken)
	}
	return tokens, reltioauth.HintAccessToken, nil
}

// stored are the refresh tokens that may be valid: the parked one, the newest in
// Secrets Manager, and the one that the grant points at. A missing version was
// replaced long ago.
func (d *disconnection) stored(ctx context.Context, g grant.Grant) ([]grant.RefreshToken, error) {
	parked, err := d.parked(ctx, d.name)
	if err != nil {
		return nil, err
	}
	current, err := d.RefreshTokens.Current(ctx, d.name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return nil, err
	}
	versions := []grant.RefreshToken{parked, current}
	if err != nil || g.SecretVersion == "" || g.SecretVersion == current.Version {
		return versions, nil
	}
	pointed, err := d.RefreshTokens.Version(ctx, d.name, g.SecretVersion)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return nil, err
	}
	return append(versions, pointed), nil
}

// mayAsk checks that the tokens can be sent, and to the server that gave them. It
// waits for a throttled host as long as all other callers do.
func (d *disconnection) mayAsk(ctx context.Context, g grant.Grant) error {
	switch {
	case len(d.done.SharesClientWith) > 0 && !d.request.Revoke:
		return apierr.New(apierr.InvalidRequest, "revoke: not asked for, and "+strings.Join(d.done.SharesClientWith, ", ")+" may hold the same token")
	case d.c == nil:
		return d.why
	case g.Identity != d.c.IdentityHash():
		return apierr.New(apierr.InvalidConnection, "its secret names another client, user or server than the one that got the tokens")
	}
	return awaitHost(ctx, d.RateLimits, d.Now, d.c.Host())
}

// sendOne revokes one token.
func (d *disconnection) sendOne(ctx context.Context, token reltioauth.Secret, hint reltioauth.TokenHint) error {
	client := d.c.Client()
	client.Connect, client.Now = d.Connector, d.Now
	err := client.Revoke(ctx, token, hint)
	var e *reltioauth.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &e):
		return apierr.Wrap(apierr.ReltioUnavailable, "revoke: no usable answer", err)
	case e.CredentialsRefused():
		return apierr.Wrap(apierr.CredentialsRejected, "Reltio refused the client", err)
	case e.Answered():
		return apierr.Wrap(apierr.ReltioUnavailable, fmt.Sprintf("revoke: %s (HTTP %d)", e.Code, e.StatusCode), err)
	default:
		return apierr.Wrap(apierr.ReltioUnavailable, "revoke: no answer", err)
	}
}
