package operator

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// Checked is the result of a check of a connection's secret without a login.
type Checked struct {
	Connection string `json:"connection"`
	// OK says that there is no problem, and that the server has not refused it.
	OK bool `json:"ok"`
	// Problems read "<field>: <what>" and never hold a value.
	Problems []string `json:"problems"`
	// Server is the server's refusal of the secret as it is now, if it does not
	// pass by itself; null if there is none that is known.
	Server *Refused `json:"server"`
	// GrantType and Host (the authorization server's host:port) are empty if
	// the secret is malformed.
	GrantType connection.GrantType `json:"grant_type"`
	Host      string               `json:"host"`
	// Account is the user's account that logins risk; null for the other grant
	// types, and if the secret is malformed.
	Account *Claim `json:"account"`
	// ParkedSince is when the refresh token was parked in the table because
	// Secrets Manager did not take it; null if none is parked. It says nothing
	// about the connection's secret.
	ParkedSince *time.Time `json:"parked_since"`
}

// Claim is a connection's claim to the account of a user.
type Claim struct {
	// ID identifies the account in the table, as account#ID.
	ID string `json:"id"`
	// HeldBy is the connection that has the account; empty: none, because no
	// connection has logged in yet, or the one that did was disconnected.
	HeldBy string `json:"held_by"`
	// RefusedLogins were counted with the present credentials.
	RefusedLogins int `json:"refused_logins"`
}

// Check reads a connection's secret as a renewal would. It lists all problems,
// whether another connection has its account, and the server's refusal, if there
// was one. It sends Reltio no request and changes nothing.
func (o *Service) Check(ctx context.Context, name string) (Checked, error) {
	if err := named(name); err != nil {
		return Checked{}, err
	}
	r := reader{o}
	s := seen{name: name}
	if s.c, s.secretErr = o.parsed(ctx, name); s.missing() {
		return Checked{Connection: name, Problems: []string{}}, unknown()
	} else if s.malformed() {
		return r.checked(ctx, s)
	} else if s.secretErr != nil {
		return Checked{}, s.secretErr
	}
	if s.g, s.exists, s.grantErr = o.grantOf(ctx, name); s.grantErr == nil {
		s.parkedSince, s.grantErr = r.parkedSince(ctx, name)
	}
	if s.grantErr != nil {
		return Checked{}, s.grantErr
	}
	return r.checked(ctx, s)
}

// claim reads the claim to the account that the connection's logins would risk.
func (o reader) claim(ctx context.Context, c *connection.Connection, checked *Checked) error {
	r, err := o.Lockouts.Account(ctx, c.AccountHash())
	if err != nil {
		return err
	}
	checked.Account = &Claim{ID: c.AccountHash(), HeldBy: r.Connection}
	if r.CredentialsHash == c.CredentialsHash() {
		checked.Account.RefusedLogins = r.Attempts
	}
	if r.Connection == "" || r.Connection == c.Name {
		return nil
	}
	kept, err := o.keeps(ctx, r.Connection, c.AccountHash())
	if kept {
		checked.Problems = append(checked.Problems, "username: its account belongs to connection "+r.Connection)
	}
	return err
}

// keeps reports whether the owner of an account still names it. An owner without
// a secret, or whose secret names another account, loses it to the next
// connection that logs in.
func (o reader) keeps(ctx context.Context, owner, account string) (bool, error) {
	c, err := o.parsed(ctx, owner)
	switch {
	case err == nil:
		return c.AccountHash() == account, nil
	case errors.Is(err, connection.ErrNotFound):
		return false, nil
	case apierr.Of(err).Type == apierr.InvalidConnection:
		return true, nil // it may still name the account
	default:
		return false, err
	}
}
