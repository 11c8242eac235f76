package operator

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// DisconnectRequest asks to disconnect a connection.
type DisconnectRequest struct {
	Connection string
	// DeleteSecret deletes its secret too.
	DeleteSecret bool
	// Revoke revokes its tokens even if other connections share its client and so
	// may have the same tokens. Without such connections they are always revoked.
	Revoke bool
}

// Disconnected is the result of Disconnect.
type Disconnected struct {
	Connection string `json:"connection"`
	// GrantType as its secret says; empty if it cannot be read.
	GrantType connection.GrantType `json:"grant_type"`
	// Before is the grant's status before; New if there was no grant.
	Before grant.Status `json:"before"`
	// Revoked is what Reltio has revoked, with the hints of RFC 7009; empty if
	// there was no token, or it could not be revoked.
	Revoked reltioauth.TokenHint `json:"revoked"`
	// NotRevoked is why a token could not be revoked, and EndsAt its latest
	// deadline, if that is known.
	NotRevoked *rotateapi.Error `json:"not_revoked"`
	EndsAt     *time.Time       `json:"ends_at"`
	// SharesClientWith are the connections that share its client, or have its
	// token; EndedFor are those of them that had a revoked token. They get
	// another token.
	SharesClientWith []string `json:"shares_client_with"`
	EndedFor         []string `json:"ended_for"`
	// SecretDeleted says that the connection's secret was deleted.
	SecretDeleted bool `json:"secret_deleted"`
}

// Disconnect takes away everything that the connection got. Its tokens are
// revoked at Reltio as far as possible, its grant and the grant's secret are
// deleted, and its claim to a user's account ends. With DeleteSecret its own
// secret is deleted too; without it, the connection starts again as a new one
// when a caller asks for a token. Refused logins stay counted: otherwise an
// operator could lock a user by disconnecting.
//
// Connections of one client have the same token at Reltio. If there are others,
// tokens are revoked only with Revoke, and revoked tokens are taken out of the
// other grants too.
//
// A secret that cannot be used names no account, so its claim stays. It ends when
// another connection names the account and finds that this secret was deleted, or
// repaired and names another account.
//
// From the first write on, no token is issued and none renewed. If a later step
// fails, the connection stays paused and without a token, and disconnecting it
// again does the rest. It fails with UnknownConnection if the connection does not
// exist.
func (o *Service) Disconnect(ctx context.Context, r DisconnectRequest) (Disconnected, error) {
	if err := named(r.Connection); err != nil {
		return Disconnected{}, err
	}
	d := disconnection{changer: changer{o}, name: r.Connection, request: r, done: Disconnected{Connection: r.Connection, EndedFor: []string{}}}
	return again(func() (Disconnected, error) {
		err := d.once(ctx)
		return d.done, err
	})
}

// disconnection is one call of Disconnect. The results of earlier tries stay in
// it.
type disconnection struct {
	changer

	name    string
	request DisconnectRequest
	done    Disconnected
	// c is nil if the secret cannot be used, for the reason why.
	c   *connection.Connection
	why *apierr.Error
}

// once is the sequence: lease, read again, close, revoke, end for others, delete,
// clear, release.
func (d *disconnection) once(ctx context.Context) error {
	if err := d.readSecret(ctx); err != nil {
		return err
	}
	seen, err := d.there(ctx)
	if err != nil {
		return err
	}
	if d.done.SharesClientWith, err = (reader{d.Service}).sharing(ctx, d.c, seen); err != nil {
		return err
	}
	held, err := d.holding().Seize(ctx, d.name, seen.Epoch)
	if err != nil {
		return err
	}
	defer held.Release(ctx, holder.ReleaseTime)
	g, exists, err := held.Read(ctx)
	if err != nil {
		return err
	}
	if !exists {
		g.Status = New
	}
	d.done.Before = cmp.Or(d.done.Before, g.Status)
	if err := held.Put(ctx, closed(g)); err != nil {
		return err
	}
	if err := d.revoke(ctx, held.Lease().Until, g); err != nil {
		return unfinished(err)
	}
	if err := d.delete(ctx); err != nil {
		return unfinished(err)
	}
	if err := held.Put(ctx, g.Deleted(d.Now())); err != nil {
		return unfinished(err)
	}
	return nil
}

// unfinished says what is left of a connection whose removal failed.
func unfinished(err error) error {
	f := apierr.Of(err)
	return apierr.Wrap(f.Type, f.Message+"; it is paused and has no token: disconnect it again", err)
}

// closed is the grant while it is being removed: it is not issued, not renewed
// even with force, and cannot be authorized by a person.
func closed(g grant.Grant) grant.Grant {
	g = g.WithoutToken()
	g.Status, g.TTL = grant.StatusPaused, time.Time{}
	return g
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

// there reads the grant of a connection. It succeeds if anything is left of the
// connection, even only the grant's secret or a parked refresh token.
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

// delete deletes the secrets, the parked refresh token, and the claim to the
// account. The connection's own secret comes last, because it names the account.
func (d *disconnection) delete(ctx context.Context) error {
	if err := d.Secrets.DeleteGrant(ctx, d.name); err != nil {
		return err
	}
	if err := d.unpark(ctx); err != nil {
		return err
	}
	if d.c != nil { // otherwise the account is unknown
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

// unpark deletes the parked refresh token, if there is one.
func (d *disconnection) unpark(ctx context.Context) error {
	r, err := d.parked(ctx, d.name)
	if err != nil || r.Token.IsZero() {
		return err
	}
	return d.Parking.Unpark(ctx, d.name, r.Epoch)
}
