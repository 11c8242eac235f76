package renewal

import (
	"context"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// step is one request, over the connection dialled for it.
type step struct {
	kind kind
	// grant is what a token request asks with.
	grant reltioauth.Grant
	// refresh is the refresh token in it, or the token to revoke.
	refresh grant.RefreshToken
	token   reltioauth.Secret
}

// kind says what a step does.
type kind int

const (
	login kind = iota
	refresh
	check
	revokeAccess
	revokeRefresh
)

// asks reports whether the step is a token request, which needs a slot.
func (s step) asks() bool { return s.kind == login || s.kind == refresh }

// send sends the request. A check and a revocation return no token.
func (s step) send(ctx context.Context, conn *reltioauth.Conn) (*reltioauth.Token, error) {
	switch s.kind {
	case check:
		info, err := conn.Introspect(ctx, s.token)
		if err == nil && !info.Active {
			return nil, errInactive
		}
		return nil, err
	case revokeAccess:
		return nil, conn.Revoke(ctx, s.token, reltioauth.HintAccessToken)
	case revokeRefresh:
		return nil, conn.Revoke(ctx, s.refresh.Token, reltioauth.HintRefreshToken)
	default:
		return conn.Token(ctx, s.grant)
	}
}

// errInactive says that the server definitely calls a checked token inactive.
var errInactive = errors.New("renewal: the token is dead")
