package operator

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// DisconnectRequest is a connection to be disconnected.
type DisconnectRequest struct {
	Connection string
	// DeleteSecret deletes its secret too.
	DeleteSecret bool
	// Revoke revokes its tokens though other connections share its client, and
	// so may hold them too. Without such connections they are revoked anyway.
	Revoke bool
}

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
	NotRevoked *rotateapi.Error `json:"not_revoked"`
	EndsAt     *time.Time       `json:"ends_at"`
	// SharesClientWith are the connections that share its client, or hold its
	// token; EndedFor are those of them that held what was revoked. They get
	// another token.
	SharesClientWith []string `json:"shares_client_with"`
	EndedFor         []string `json:"ended_for"`
	// SecretDeleted says that the connection has no secret any more.
	SecretDeleted bool `json:"secret_deleted"`
}

// Disconnect takes everything away that the connection got: its tokens are
// revoked at Reltio as far as that can be done, its grant and the grant's secret
// removed, its claim to a user's account ended; with DeleteSecret its own secret
// is deleted too. Without, the next token that is asked for begins anew. What
// Reltio refused stays counted, or disconnecting would be a way to lock a user.
//
// Connections of one client hold the same token at Reltio. If there are others,
// only Revoke revokes, and what was revoked is taken out of their grants too.
//
// A secret that cannot be used names no account, so a claim stays with it; it
// ends when another connection names the account and finds that secret deleted,
// or mended and naming another one.
//
// From the first write on nothing is handed out and nothing renewed; whatever
// fails afterwards leaves the connection paused and without a token, and
// disconnecting it again does the rest. UnknownConnection if there is nothing.
func (o *Service) Disconnect(ctx context.Context, r DisconnectRequest) (Disconnected, error) {
	if err := named(r.Connection); err != nil {
		return Disconnected{}, err
	}
	d := disconnection{Service: o, name: r.Connection, request: r, done: Disconnected{Connection: r.Connection, EndedFor: []string{}}}
	return again(func() (Disconnected, error) {
		err := d.once(ctx)
		return d.done, err
	})
}

// disconnection is one connection on its way out; what was done in an earlier
// try stays said.
type disconnection struct {
	*Service

	name    string
	request DisconnectRequest
	done    Disconnected
	// c is nil if the secret cannot be used, for the reason why.
	c   *connection.Connection
	why *apierr.Error
}

// once is: lease, read again, close, revoke, end for others, delete, forget,
// release.
func (d *disconnection) once(ctx context.Context) error {
	if err := d.readSecret(ctx); err != nil {
		return err
	}
	seen, err := d.there(ctx)
	if err != nil {
		return err
	}
	if d.done.SharesClientWith, err = d.sharing(ctx, d.c, seen); err != nil {
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
	if err := d.revoke(ctx, held, g); err != nil {
		return unfinished(err)
	}
	if err := d.delete(ctx); err != nil {
		return unfinished(err)
	}
	if err := d.Grants.PutGrant(ctx, held, g.Deleted(d.Now())); err != nil {
		return unfinished(err)
	}
	return nil
}

// unfinished says what is left of a connection whose removal failed.
func unfinished(err error) error {
	f := apierr.Of(err)
	return apierr.Wrap(f.Type, f.Message+"; it is paused and has no token: disconnect it again", err)
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
		d.why = apierr.New(apierr.UnknownConnection, "its secret is gone, and with it the client's credentials")
	case apierr.Of(err).Type == apierr.InvalidConnection:
		d.why = apierr.Of(err)
	default:
		return err
	}
	return nil
}

// there reads the grant of a connection of which anything is left, be it the
// grant's secret or a parked refresh token alone.
func (d *disconnection) there(ctx context.Context) (grant.Grant, error) {
	g, err := d.known(ctx, d.name)
	if err == nil || apierr.Of(err).Type != apierr.UnknownConnection {
		return g, err
	}
	parked, left := d.parked(ctx, d.name)
	if left != nil || !parked.Token.IsZero() {
		return g, left
	}
	if _, left := d.RefreshTokens.Current(ctx, d.name); errors.Is(left, grant.ErrNotFound) {
		return g, err
	} else if left != nil {
		return g, left
	}
	return g, nil
}

// delete removes the secrets, the parked refresh token, and the claim to the
// account. The connection's own
// secret comes last: it names the account.
func (d *disconnection) delete(ctx context.Context) error {
	if err := d.Secrets.DeleteGrant(ctx, d.name); err != nil {
		return err
	}
	if err := d.unpark(ctx); err != nil {
		return err
	}
	if d.c != nil { // else nobody knows which account it was
		if err := d.Lockouts.MoveClaim(ctx, d.c.AccountHash(), d.name, ""); err != nil {
			return err
		}
	}
	if !d.request.DeleteSecret {
		return nil
	}
	if err := d.Secrets.DeleteConnection(ctx, d.name); err != nil && !errors.Is(err, connection.ErrNotFound) {
		return err
	}
	d.done.SecretDeleted = true
	return nil
}

// unpark forgets the refresh token that is parked, if one is.
func (d *disconnection) unpark(ctx context.Context) error {
	r, err := d.parked(ctx, d.name)
	if err != nil || r.Token.IsZero() {
		return err
	}
	return d.Parking.Unpark(ctx, d.name, r.Epoch)
}
