package issueclient

import (
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// Token is an access token that issue handed out. Printing it reveals nothing.
type Token struct {
	// AccessToken is opaque: printable ASCII characters without spaces.
	AccessToken reltioauth.Secret
	// TokenType as Reltio sent it, "bearer".
	TokenType string
	// Scope as Reltio sent it, space separated; empty if it did not.
	Scope string
	// ExpiresAt is the token's deadline by this machine's clock, even if that
	// clock is wrong: the seconds that issue said are left, counted from the
	// moment at which it was invoked. It has no monotonic reading.
	ExpiresAt time.Time
	// Fingerprint identifies the token without revealing it.
	Fingerprint string
	// Version rises with each new token of the connection.
	Version int64
	// MinTTLMet is false if less life is left than was needed: Reltio gave no
	// longer one.
	MinTTLMet bool
	// APIURL is where the token is used, and TenantID the tenant, as the connection's
	// secret has them; empty if it does not.
	APIURL   string
	TenantID string
	// Warnings are sorted. There may be others than the constants of this
	// package.
	Warnings []Warning
}

// Warning is something to know although there is a token.
type Warning = issueapi.Warning

// The warnings of issue, which issueapi explains.
const (
	WarnExpiresInMissing      = issueapi.ExpiresInMissing
	WarnRefreshTokenEndsSoon  = issueapi.RefreshTokenEndsSoon
	WarnRejectedTokenIsAlive  = issueapi.RejectedTokenIsAlive
	WarnRejectedTokenReissued = issueapi.RejectedTokenReissued
	WarnRenewalFailing        = issueapi.RenewalFailing
)

// OAuth2 is the token as a type of golang.org/x/oauth2, which prints its secrets.
// Extra("scope") gives the scope.
func (t *Token) OAuth2() *oauth2.Token {
	token := &oauth2.Token{
		AccessToken: t.AccessToken.Reveal(),
		TokenType:   t.TokenType,
		Expiry:      t.ExpiresAt,
	}
	return token.WithExtra(map[string]any{"scope": t.Scope})
}

// answering is a copy of the token for a caller that needs minLife.
func (t *Token) answering(minTTL time.Duration, now time.Time) *Token {
	own := *t
	own.MinTTLMet = t.ExpiresAt.Sub(now) >= minTTL
	own.Warnings = slices.Clone(t.Warnings)
	return &own
}
