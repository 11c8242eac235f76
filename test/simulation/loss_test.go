package simulation

import (
	"context"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// The mistakes of a client that believes its stores and its clock.

func losses() map[string]mutant {
	return map[string]mutant{
		"an absence that buries the refresh token":       {plain(absenceEndsToken), "I5"},
		"a refresh token dropped when the vault refuses": {plain(dropped), "I5"},
		"a refresh while the vault refuses":              {plain(rotatesOn), "I5"},
		"a pointer at a purged version, for ever":        {plain(pointerForEver), "I5 I3"},
		"a refresh token without its identity":           {plain(anyIdentity), "I1 I5"},
		"a future instant believed":                      {plain(futureBelieved), "I1"},
	}
}

// secrets lets the absence of a secret be heard.
type secrets struct {
	connection.Secrets
	missing func(context.Context, string)
}

func (s *secrets) Connection(ctx context.Context, name string) (connection.Source, error) {
	source, err := s.Secrets.Connection(ctx, name)
	if errors.Is(err, connection.ErrNotFound) {
		s.missing(ctx, name)
	}
	return source, err
}

// absenceEndsToken: a connection without a secret loses its refresh token.
func absenceEndsToken(p *Ports) {
	vault := p.RefreshTokens
	p.Connections = &secrets{Secrets: p.Connections, missing: func(ctx context.Context, name string) {
		if current, err := vault.Current(ctx, name); err == nil && !current.Token.IsZero() {
			_, _ = vault.Put(ctx, name, grant.RefreshToken{LoggedInAt: p.Now(), Epoch: current.Epoch + 1})
		}
	}}
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) Park(context.Context, string, grant.RefreshToken) error { return nil }
func (nowhere) Unpark(context.Context, string, int64) error            { return nil }

func (nowhere) Parked(context.Context, string) (grant.RefreshToken, error) {
	return grant.RefreshToken{}, grant.ErrNotFound
}

// dropped: what Secrets Manager does not take in two seconds is lost.
func dropped(p *Ports) { p.Parking = nowhere{} }

// rotatesOn: what Secrets Manager refused before is no reason to keep the refresh token
// in hand.
func rotatesOn(p *Ports) {
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		g.Rotates = false
		return g
	}}
}

// pointerForEver: a version that is not there is Secrets Manager's failure.
func pointerForEver(p *Ports) {
	s := p.RefreshTokens
	p.RefreshTokens = &refreshTokenMutant{RefreshTokenStore: s, current: s.Current, version: func(ctx context.Context, name, version string) (grant.RefreshToken, error) {
		r, err := s.Version(ctx, name, version)
		if errors.Is(err, grant.ErrNotFound) {
			err = apierr.New(apierr.StoreUnavailable, "the version is not there")
		}
		return r, err
	}}
}

// anyIdentity: refresh tokens belong to any secret that has the connection's name.
func anyIdentity(p *Ports) {
	s := p.RefreshTokens
	p.RefreshTokens = &refreshTokenMutant{
		RefreshTokenStore: s,
		current: func(ctx context.Context, name string) (grant.RefreshToken, error) {
			r, err := s.Current(ctx, name)
			r.Identity = ""
			return r, err
		},
		version: func(ctx context.Context, name, version string) (grant.RefreshToken, error) {
			r, err := s.Version(ctx, name, version)
			r.Identity = ""
			return r, err
		},
	}
}

// futureBelieved: whatever stands in the table about times is true.
func futureBelieved(p *Ports) {
	now := p.Now
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		if at := now(); g.IssuedAt.After(at) {
			g.IssuedAt = at
		}
		return g
	}}
}

var _ grant.Parking = nowhere{}
