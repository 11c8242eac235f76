package operator

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	statusRequestTimeout = 408
	// putTime bounds one write of a refresh token, so that one that hangs leaves
	// time to park it. putPause lies between two.
	putTime  = grant.ParkAfter
	putPause = 200 * time.Millisecond
)

// notGiven is the result of a request that gave no token: the server's refusal, or
// the error of a server that gave no usable response.
func (a *attempt) notGiven(failed error) (Tried, error) {
	t := Tried{Connection: a.c.Name, RefusedLogins: a.login.refused()}
	var e *reltioauth.Error
	switch {
	case !errors.As(failed, &e):
		return t, apierr.Wrap(apierr.ReltioUnavailable, "Reltio gave no token", failed)
	case e.Code == reltioauth.ErrRateLimited:
		return t, apierr.Limited(e.RetryAfter)
	case e.Code != reltioauth.ErrMFARequired && (noResponse(failed) || e.CutOff() || e.StatusCode/100 != 4):
		return t, apierr.Wrap(apierr.ReltioUnavailable, "Reltio gave no token: "+e.Reason(), failed)
	}
	refusal := grant.Refusal{Status: e.StatusCode, Description: e.Description}
	if e.Permanent() { // other codes come from package reltioauth and not from the server
		refusal.Code = string(e.Code)
	}
	t.Server = refusedOf(grant.Grant{Connection: a.c.Name, Refusal: refusal})
	return t, nil
}

// accept checks whose the tokens are, and stores them: the refresh token first.
// failed says why the access token cannot be used; nil if it can.
func (a *attempt) accept(ctx context.Context, token *reltioauth.Token, failed error) (Tried, error) {
	t := Tried{Connection: a.c.Name, RefusedLogins: a.login.refused()}
	if !a.given.Token.IsZero() {
		if err := a.checkUser(ctx, token, failed); err != nil {
			a.discard(ctx, token)
			return t, err
		}
		t.User = a.user
	}
	kept, write := a.kept(token)
	if write {
		var err error
		if kept.Version, err = a.keep(ctx, kept); err != nil {
			return t, err
		}
	}
	next := a.next(token, kept, failed)
	if err := a.held.Put(ctx, next); err != nil && !a.wrote(ctx) {
		f := apierr.Of(err)
		return t, apierr.Wrap(apierr.StoreUnavailable, "the refresh token is stored, the access token is not; the next renewal uses it: "+f.Message, err)
	}
	t.ExpiresAt, t.RefreshExpiresAt = moment(next.ExpiresAt), moment(next.RefreshExpiresAt)
	if a.parkedBecause != nil {
		t.NotStored = errorOf(apierr.Of(a.parkedBecause))
	}
	if failed != nil {
		t.ExpiresAt = nil
		return t, apierr.Wrap(apierr.ReltioUnavailable, "the refresh token is stored, but the access token cannot be used: the next renewal asks for another", failed)
	}
	t.OK = true
	return t, nil
}

// wrote reports whether a write whose result is unknown was done.
func (a *attempt) wrote(ctx context.Context) bool {
	g, _, err := a.held.Look(ctx)
	return err == nil && a.held.Wrote(g)
}

// kept is the refresh token that the grant has from now on, and whether it has to
// be written.
func (a *attempt) kept(token *reltioauth.Token) (kept grant.RefreshToken, write bool) {
	identity := a.c.IdentityHash()
	known := !a.newest.Token.IsZero() && a.newest.Of(identity) && a.newest.Version != "" &&
		a.newest.LoggedInAt.Add(a.c.RefreshTokenLife).After(a.Now())
	kept = grant.RefreshToken{
		Token: token.RefreshToken, LoggedInAt: token.IssuedAt, Identity: identity,
		Epoch: a.held.NextEpoch(a.newest.Epoch, a.parkedEpoch),
	}
	if !a.given.Token.IsZero() {
		kept.LoggedInAt = a.given.LoggedInAt
		if kept.Token.IsZero() {
			kept.Token = a.given.Token
		}
	}
	switch {
	case !a.c.Refreshes(), kept.Token.IsZero() && a.newest.Token.IsZero():
		return grant.RefreshToken{}, false
	case known && kept.Token.Equal(a.newest.Token) && (a.given.Token.IsZero() || a.undated):
		return a.newest, false
	}
	return kept, true
}

// keep writes the refresh token. If Secrets Manager does not take it for two
// seconds, it is parked in the table: the server may have ended the one before.
func (a *attempt) keep(ctx context.Context, kept grant.RefreshToken) (string, error) {
	var failure error
	for began := a.Now(); ; {
		putting, cancel := context.WithTimeout(ctx, putTime)
		version, err := a.RefreshTokens.Put(putting, a.c.Name, kept)
		cancel()
		if err == nil {
			if a.parkedEpoch > 0 {
				_ = a.Parking.Unpark(ctx, a.c.Name, a.parkedEpoch) // the next renewal does it
			}
			return version, nil
		}
		failure = apierr.Clearer(failure, err)
		if a.Now().Sub(began) >= grant.ParkAfter {
			kept.ParkedAt = a.Now()
			if kept.Token.IsZero() || a.Parking.Park(ctx, a.c.Name, kept) != nil {
				return "", failure
			}
			a.parkedBecause = failure
			return a.g.SecretVersion, nil
		}
		if ratelimit.Sleep(ctx, putPause) != nil {
			return "", failure
		}
	}
}

// next is the grant with the tokens of the response.
func (a *attempt) next(token *reltioauth.Token, kept grant.RefreshToken, failed error) grant.Grant {
	g, before, now := a.g, a.g, a.Now()
	if g.Identity != a.c.IdentityHash() {
		g = g.Reset(a.c.IdentityHash())
	}
	g = g.Configured(a.c)
	if failed == nil {
		g = g.Accept(token)
	} else {
		g = g.WithoutToken()
	}
	g = g.WithRefreshToken(kept, a.c.RefreshTokenLife).Healthy()
	given := token.RefreshToken
	g.Rotates = !a.given.Token.IsZero() && !given.IsZero() && !given.Equal(a.given.Token)
	g.Relogin, g.TTL = "", time.Time{}
	if a.c.GrantType == connection.AuthorizationCode && a.user != "" {
		g.User = a.user
	}
	return g.Announced(before, now, a.c.GrantType == connection.AuthorizationCode)
}

// checkUser asks the server whose the tokens are, before anything is stored. A
// connection that a person authorizes needs the response if its user is known. The
// user of a password connection stands in its secret: no response is no objection.
func (a *attempt) checkUser(ctx context.Context, token *reltioauth.Token, failed error) error {
	said, err := "", failed
	if failed == nil {
		var info *reltioauth.Introspection
		if info, err = a.client().Introspect(ctx, token.AccessToken); err == nil && info.Active {
			said = info.Username
		}
	}
	wanted := a.c.ExpectedUser
	switch {
	case a.c.GrantType == connection.Password:
		wanted = a.c.Username
	case wanted == "" && !a.replaceUser && a.g.Identity == a.c.IdentityHash():
		wanted = a.g.User
	}
	a.user = said
	switch {
	case wanted == "", strings.EqualFold(said, wanted), said == "" && a.c.GrantType == connection.Password:
		return nil
	case said == "":
		return apierr.Wrap(apierr.ReltioUnavailable, "Reltio does not say whose the refresh token is, and only one user may connect this connection; nothing was stored", err)
	}
	return apierr.New(apierr.InvalidRequest, "refresh_token: it is another user's than the connection's; nothing was stored")
}

// discard revokes a refresh token that the server gave in place of the given one:
// no other program has it. The given one stays: its owner may use it.
func (a *attempt) discard(ctx context.Context, token *reltioauth.Token) {
	if given := token.RefreshToken; !given.IsZero() && !given.Equal(a.given.Token) {
		_ = a.client().Revoke(ctx, given, reltioauth.HintRefreshToken) // otherwise it ends by itself
	}
}
