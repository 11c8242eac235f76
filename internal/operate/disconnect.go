package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Disconnected is what became of a connection that was disconnected.
type Disconnected struct {
	Connection string `json:"connection"`
	// GrantType as its secret says; empty if it cannot be read.
	GrantType connection.GrantType `json:"grant_type"`
	// Before is the grant's status before; New if there was no grant.
	Before grant.Status `json:"before"`
	// Revoked is what Reltio has revoked, in the words of RFC 7009; empty if
	// there was nothing, or it could not be.
	Revoked reltioauth.TokenHint `json:"revoked"`
	// NotRevoked is why what there was could not be revoked, and EndsAt when it
	// ends by itself at the latest, if that is known.
	NotRevoked *rotation.Error `json:"not_revoked"`
	EndsAt     *time.Time      `json:"ends_at"`
	// SecretDeleted says that the connection has no secret any more.
	SecretDeleted bool `json:"secret_deleted"`
}

// Disconnect takes everything away that the connection got: its tokens are
// revoked at Reltio as far as that can be done, its grant and the grant's secret
// removed, its claim to a user's account ended; with deleteSecret its own secret
// is deleted too. Without, the next token that is asked for begins anew. What
// Reltio refused stays counted, or disconnecting would be a way to lock a user.
//
// A secret that cannot be used names no account, so a claim stays with it; it
// ends when another connection names the account and finds that secret deleted,
// or mended and naming another one.
//
// From the first write on nothing is handed out and nothing renewed; whatever
// fails afterwards leaves the connection paused and without a token, and
// disconnecting it again does the rest. UnknownConnection if there is nothing.
func (o *Operator) Disconnect(ctx context.Context, name string, deleteSecret bool) (Disconnected, error) {
	if err := named(name); err != nil {
		return Disconnected{}, err
	}
	d := disconnection{Operator: o, name: name, deleteSecret: deleteSecret, done: Disconnected{Connection: name}}
	return again(func() (Disconnected, error) {
		err := d.once(ctx)
		return d.done, err
	})
}

// disconnection is one connection on its way out; what was done in an earlier
// try stays said.
type disconnection struct {
	*Operator

	name         string
	deleteSecret bool
	done         Disconnected
	// c is nil if the secret cannot be used, for the reason why.
	c   *connection.Connection
	why *fault.Error
}

// once is: lease, read again, close, revoke, delete, forget, release.
func (d *disconnection) once(ctx context.Context) error {
	if err := d.readSecret(ctx); err != nil {
		return err
	}
	seen, err := d.there(ctx)
	if err != nil {
		return err
	}
	held, err := d.seize(ctx, seen)
	if err != nil {
		return err
	}
	defer func() { d.release(ctx, held) }()
	g, exists, err := d.grantOf(ctx, d.name)
	if err != nil {
		return err
	}
	if held, err = d.raise(ctx, held, g); err != nil {
		return err
	}
	if !exists {
		g.Status = New
	}
	d.done.Before = cmp.Or(d.done.Before, g.Status)
	if err := d.Grants.PutGrant(ctx, held, closed(g)); err != nil {
		return err
	}
	d.revoke(ctx, held, g)
	if err := d.delete(ctx); err != nil {
		return unfinished(err)
	}
	if err := d.Grants.PutGrant(ctx, held, g.Gone(d.Now())); err != nil {
		return unfinished(err)
	}
	return nil
}

// unfinished says what is left of a connection whose removal failed.
func unfinished(err error) error {
	f := fault.Of(err)
	return fault.Wrap(f.Type, f.Message+"; it is paused and has no token: disconnect it again", err)
}

// closed is the grant while it is being removed: nothing of it is handed out,
// nobody renews it, forced or not, and nobody may authorize it.
func closed(g grant.Grant) grant.Grant {
	g = g.WithoutToken()
	g.Status, g.TTL = grant.StatusPaused, time.Time{}
	return g.Indexed(time.Time{})
}

// readSecret reads what is needed to revoke tokens and to end the claim.
func (d *disconnection) readSecret(ctx context.Context) error {
	c, err := d.parsed(ctx, d.name)
	switch {
	case err == nil:
		d.c, d.done.GrantType = c, c.GrantType
	case errors.Is(err, connection.ErrNotFound):
		d.why = fault.New(fault.UnknownConnection, "its secret is gone, and with it the client's credentials")
	case fault.Of(err).Type == fault.InvalidConnection:
		d.why = fault.Of(err)
	default:
		return err
	}
	return nil
}

// there reads the grant of a connection of which anything is left, be it the
// grant's secret alone.
func (d *disconnection) there(ctx context.Context) (grant.Grant, error) {
	g, err := d.known(ctx, d.name)
	if err == nil || fault.Of(err).Type != fault.UnknownConnection {
		return g, err
	}
	if _, left := d.Vault.Current(ctx, d.name); errors.Is(left, grant.ErrNotFound) {
		return g, err
	} else if left != nil {
		return g, left
	}
	return g, nil
}

// delete removes the secrets and the claim to the account. The connection's own
// secret comes last: it names the account.
func (d *disconnection) delete(ctx context.Context) error {
	if err := d.Secrets.DeleteGrant(ctx, d.name); err != nil {
		return err
	}
	if d.c != nil { // else nobody knows which account it was
		if err := d.Accounts.DropClaim(ctx, d.c.Account(), d.name); err != nil {
			return err
		}
	}
	if !d.deleteSecret {
		return nil
	}
	if err := d.Secrets.DeleteConnection(ctx, d.name); err != nil && !errors.Is(err, connection.ErrNotFound) {
		return err
	}
	d.done.SecretDeleted = true
	return nil
}

// revoke revokes the refresh tokens, or the access token where there are none,
// and remembers what came of it. Nothing is sent in the lease's last seconds.
func (d *disconnection) revoke(ctx context.Context, held lease.Lease, g grant.Grant) {
	ctx, cancel := context.WithTimeout(ctx, held.Until.Sub(d.Now())-lease.Skew)
	defer cancel()
	tokens, hint, err := d.tokens(ctx, g)
	if err == nil && len(tokens) == 0 {
		return
	}
	if err == nil {
		err = d.mayAsk(ctx, g)
	}
	for _, token := range tokens {
		if err == nil {
			err = d.send(ctx, token, hint)
		}
	}
	if err == nil {
		d.done.Revoked = hint
		return
	}
	d.done.NotRevoked = errorOf(fault.Of(err))
	d.done.EndsAt = moment(g.RefreshExpiresAt)
	if hint == reltioauth.HintAccessToken {
		d.done.EndsAt = moment(g.ExpiresAt)
	}
}

// tokens are what there is to revoke. A refresh token takes its access token
// with it.
func (d *disconnection) tokens(ctx context.Context, g grant.Grant) ([]reltioauth.Secret, reltioauth.TokenHint, error) {
	current, err := d.Vault.Current(ctx, d.name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return nil, reltioauth.HintRefreshToken, err
	}
	versions := []grant.RefreshToken{current}
	if err == nil && g.SecretVersion != "" && g.SecretVersion != current.Version {
		pointed, err := d.Vault.Version(ctx, d.name, g.SecretVersion)
		if err != nil {
			return nil, reltioauth.HintRefreshToken, err
		}
		versions = append(versions, pointed)
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
	if g.Living(d.Now()) {
		tokens = append(tokens, g.AccessToken)
	}
	return tokens, reltioauth.HintAccessToken, nil
}

// mayAsk makes sure that the tokens can be sent, and to the server that gave
// them; it waits for as long as anyone does for a host that is paused.
func (d *disconnection) mayAsk(ctx context.Context, g grant.Grant) error {
	switch {
	case d.c == nil:
		return d.why
	case g.Identity != d.c.Identity():
		return fault.New(fault.InvalidConnection, "its secret names another client, user or server than the one that got the tokens")
	}
	record, err := d.Budgets.Budget(ctx, d.c.Host())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, budget.MaxWait)
	defer cancel()
	if budget.AwaitUnpaused(ctx, record, d.Now) != nil {
		return fault.Limited(record.PausedUntil.Sub(d.Now()))
	}
	return nil
}

// send revokes one token.
func (d *disconnection) send(ctx context.Context, token reltioauth.Secret, hint reltioauth.TokenHint) error {
	client := d.c.Client()
	client.Connect, client.Now = d.Connector, d.Now
	err := client.Revoke(ctx, token, hint)
	var e *reltioauth.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &e):
		return fault.Wrap(fault.ReltioUnavailable, "revoke: no usable answer", err)
	case e.Credentials():
		return fault.Wrap(fault.CredentialsRejected, "Reltio refused the client", err)
	case e.Answered():
		return fault.Wrap(fault.ReltioUnavailable, fmt.Sprintf("revoke: %s (HTTP %d)", e.Code, e.StatusCode), err)
	default:
		return fault.Wrap(fault.ReltioUnavailable, "revoke: no answer", err)
	}
}
