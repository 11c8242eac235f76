package reltioauthtest

import "cmp"

// Framework is a server that runs Spring Security OAuth2 2.5.2 with its defaults,
// with one difference: checkToken is permitted. It is the zero Behaviour.
//
// While a token is valid, every login gives the same access token and the same
// refresh token again. A refresh keeps the refresh token and its deadline, ends
// the previous access token, and loads the user again. The response to a refused
// user is 400 invalid_grant. A refused client, and a user store or client store
// that is down, give 401 unauthorized.
func Framework() Behaviour { return Behaviour{} }

// Documented is the server that Reltio's documents describe, where they differ
// from the framework: a refresh gives the valid access token again and does not
// load the user; the errors are those of the documents and of RFC 6749; tokens
// are UUIDs; code challenges count; each client authenticates in its own styles
// at every endpoint; checkToken has Reltio's fields; revoking an access token
// leaves its refresh token valid.
func Documented() Behaviour { return Behaviour{}.OrDocumented() }

// OrDocumented is b with the values of Documented in every field that is zero.
func (b Behaviour) OrDocumented() Behaviour {
	b.Refresh = b.Refresh.or(SameToken)
	b.Errors = cmp.Or(b.Errors, DocumentedErrors)
	b.CheckShape = cmp.Or(b.CheckShape, ReltioShape)
	b.RefreshIgnoresUser = true
	b.HonourPKCE = true
	b.UUIDs = true
	b.StylesEverywhere = true
	b.RevokeSparesRefreshToken = true
	return b
}
