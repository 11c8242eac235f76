// Package reltioauth is a client of Reltio's authorization server. It gets
// access tokens, asks whether one is alive, revokes them, and makes the address
// at which a person logs in. It keeps nothing, repeats nothing and decides
// nothing: how long a token is used, who renews it, and how often a refused
// login may be tried is its caller's business.
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
// methods Token, Revoke and Check open a connection for one request. A caller
// that has to send at a given moment does these steps by itself, so that
// nothing but the request is left for that moment:
//
//	conn, err := client.Dial(ctx) // name look-up, TCP, TLS
//	...
//	defer conn.Close()
//	waitForTurn()
//	token, err := conn.Token(ctx, grant)
//
// Programs that use golang.org/x/oauth2 and run alone take
// Client.TokenSource. AuthorizationURL and AuthorizationCodeGrant are the two
// halves of a login in the browser.
//
// # What blocks
//
// Dial, Token, Revoke, Check, and the Token method of a TokenSource, each until
// its context or its own limit ends: DialTimeout, TokenTimeout, RevokeTimeout,
// CheckTimeout. Nothing runs on after they return, but for the goroutines of an
// open Conn, which end with Close. At most 1 MiB of an answer is read.
//
// # What happens on failure
//
// Every error is an *Error. Its Code is an error too, for errors.Is; its
// methods Permanent and Credentials say whether to try again, Reason says in
// words of this package why a server gave no usable response, and OAuthSummary
// what it refused with. Token sends one request at most: connections are not
// reopened, requests not repeated, redirects not followed, proxies not used, and
// the style of client authentication is not probed, because a refused login that
// is sent twice counts twice and five lock the user. Check and Revoke, which log
// nobody in, send a second request if the client is refused in the Basic header.
// Error.Sent is false if the server cannot have seen the request.
//
// The status of a whole response is the server's word whatever its body is:
// Error.StatusCode and Error.CutOff say both. A word of the server counts beside
// it where it is one of RFC 6749 or RFC 6750, whatever its case.
//
// An error may come with a Token, as in io.Reader a count may come with an
// error: a new refresh token in an answer that is otherwise of no use must not
// be lost.
//
// # What is accepted
//
// The body of a response decides, not its label, because proxies pack, mark and
// name bodies as they like, and a token that is thrown away for that may be the
// only one there is. Packed responses are asked for by nobody, and gzip is
// unpacked all the same, at most 1 MiB of it. One UTF-8 byte order mark is
// skipped, Content-Type ignored. What begins with "<" is a page. Fields that are
// not read do not matter, in whatever type and bytes and however often they come;
// a field that is read must be there once. See Conn.Token for the fields of a
// token, Conn.Check for what a token's end is.
//
// # Secrets
//
// Tokens, passwords, codes and client secrets are of type Secret, which no way
// of printing reveals. Texts of the server in an Error are free of what was
// sent and of what looks like a token.
//
// # Sources
//
// Comments name their authority: an RFC, "documented" by Reltio, "inferred"
// from public client code and from the behaviour of Spring Security, whose
// messages Reltio's server shows, or "seen in the framework": in Spring Security's
// legacy OAuth2 (spring-security-oauth2 2.5.2), run for that.
package reltioauth
