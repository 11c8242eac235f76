// Package reltioauth is a client of Reltio's authorization server. It gets access
// tokens, introspects and revokes them, and makes the address at which a person
// logs in. It stores nothing and repeats no login. Its caller decides how long a
// token is used, who renews it, and how often a refused login may be tried.
//
// # Usage
//
//	client := &reltioauth.Client{
//		ClientID:     "acme-integration",
//		ClientSecret: reltioauth.NewSecret(os.Getenv("RELTIO_CLIENT_SECRET")),
//	}
//	token, err := client.Token(ctx, reltioauth.ClientCredentialsGrant{})
//	if token != nil && !token.RefreshToken.IsZero() {
//		store(token.RefreshToken) // even next to an error: see Conn.Token
//	}
//	switch {
//	case errors.Is(err, reltioauth.ErrRateLimited):
//		// later
//	case err != nil:
//		return err
//	}
//	req.Header.Set("Authorization", "Bearer "+token.AccessToken.Reveal())
//
// A Client is a configuration; its zero value lacks only ClientID. Client's
// methods Token, Revoke and Introspect open a connection for one request. A
// caller that has to send at a given moment opens the connection itself, so that
// only the request remains for that moment:
//
//	conn, err := client.Dial(ctx) // name look-up, TCP, TLS
//	...
//	defer conn.Close()
//	waitForSlot()
//	token, err := conn.Token(ctx, grant)
//
// Programs that use golang.org/x/oauth2 and run alone use Client.TokenSource.
// AuthorizationURL and AuthorizationCodeGrant are the two halves of a login in
// the browser.
//
// # What blocks
//
// Dial, Token, Revoke, Introspect, and the Token method of a TokenSource block,
// each until its context or its own limit ends: DialTimeout, TokenTimeout,
// RevokeTimeout, CheckTimeout. Nothing runs on after they return, except the
// goroutines of an open Conn, which end with Close. At most 1 MiB of a response
// is read.
//
// # What happens on failure
//
// Every error is an *Error. Its Code is an error too, for errors.Is. Its methods
// Permanent and CredentialsRefused say whether to try again; Reason says, in
// words of this package, why there was no usable response; OAuthSummary names the
// refusal. Token sends one request at most: connections are not reopened,
// requests not repeated, redirects not followed, proxies not used, and the style
// of client authentication is not probed. A refused login that is sent twice
// counts twice, and five lock the user. Introspect and Revoke, which log no user
// in, send a second request if the client is refused in the Basic header.
// Error.Sent is false if the server cannot have seen the request.
//
// The status of a complete response counts whatever its body is: Error.StatusCode
// and Error.CutOff give both. A code in the body counts as well, in any case, if
// it is one of RFC 6749 or RFC 6750.
//
// An error may come with a Token, as in io.Reader a count may come with an error:
// a new refresh token in a response that cannot be used otherwise must not be
// lost.
//
// # What is accepted
//
// The body of a response decides, not its headers: proxies compress and label
// bodies wrongly, and a token that is discarded for that reason may be the only
// valid one. This package does not ask for compressed responses; it unpacks gzip
// nevertheless, at most 1 MiB of it. One UTF-8 byte order mark is skipped,
// Content-Type ignored. A body that begins with "<" is a page. Fields that are
// not read do not matter, whatever their type and bytes and however often they
// are repeated. A field that is read must not be repeated. See Conn.Token for the
// fields of a token, Conn.Introspect for the responses about a token.
//
// # Secrets
//
// Tokens, passwords, codes and client secrets are of type Secret, which no way of
// printing reveals. The server's texts in an Error hold no secret of the request
// and nothing that looks like a token.
//
// # Sources
//
// Comments name their source: an RFC, "documented" by Reltio, "inferred" from
// public client code and from the behaviour of Spring Security, whose messages
// Reltio's server shows, or "seen in the framework": in a run of Spring
// Security's legacy OAuth2 (spring-security-oauth2 2.5.2).
package reltioauth
