package reltioauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// exampleServer plays Reltio: it knows one client, one user and one token.
func exampleServer() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		switch {
		case id != "acme" || secret != "s3cret":
			writeJSON(w, 401, `{"error":"invalid_client","error_description":"Bad client credentials"}`)
		case r.FormValue("grant_type") == "password" && r.FormValue("password") != "correct horse":
			writeJSON(w, 400, `{"error":"invalid_grant","error_description":"Invalid Username or Password"}`)
		default:
			writeJSON(w, 200, `{"access_token":"204938ca-2cf7","token_type":"bearer","expires_in":3599,"scope":"entities_api"}`)
		}
	})
	mux.HandleFunc("POST /oauth/checkToken", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("token") != "204938ca-2cf7" {
			writeJSON(w, 401, `{"error":"invalid_token"}`)
			return
		}
		writeJSON(w, 200, `{"clientId":"acme","user":{"username":"jane","tenants":["t1"]}}`)
	})
	mux.HandleFunc("POST /oauth/revoke", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, `{"status":"success"}`)
	})
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	return httptest.NewServer(mux)
}

func exampleClient(server *httptest.Server) *reltioauth.Client {
	return &reltioauth.Client{
		AuthURL:      server.URL, // leave it out for https://auth.reltio.com
		ClientID:     "acme",
		ClientSecret: reltioauth.NewSecret("s3cret"),
	}
}

func ExampleClient_Token() {
	server := exampleServer()
	defer server.Close()
	client := exampleClient(server)

	token, err := client.Token(context.Background(), reltioauth.ClientCredentialsGrant{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.AccessToken, token.ExpiresIn, token.Scope)
	fmt.Println("Authorization: Bearer " + token.AccessToken.Reveal())
	// Output:
	// [redacted] 59m59s entities_api
	// Authorization: Bearer 204938ca-2cf7
}

func ExampleClient_Dial() {
	server := exampleServer()
	defer server.Close()
	client := exampleClient(server)
	ctx := context.Background()

	conn, err := client.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	// Wait here for a slot: only the request remains to be sent.
	token, err := conn.Token(ctx, reltioauth.ClientCredentialsGrant{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.ExpiresAt().Sub(token.IssuedAt))
	// Output: 59m59s
}

// A response with expires_in zero is an error, but the refresh token in it must
// be stored.
func ExampleConn_Token() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, `{"access_token":"204938ca-2cf7","refresh_token":"676742af-989b","expires_in":0}`)
	}))
	defer server.Close()
	ctx := context.Background()
	conn, err := exampleClient(server).Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	grant := reltioauth.RefreshTokenGrant{RefreshToken: reltioauth.NewSecret("0c5e4a71-77d0")}
	token, err := conn.Token(ctx, grant)
	if token != nil && !token.RefreshToken.IsZero() {
		fmt.Println("store", reltioauth.Fingerprint(token.RefreshToken))
	}
	fmt.Println(err)
	// Output:
	// store sha256:6844d7cea97826f7d65fae9cc6046cd4
	// reltioauth: token (refresh_token): invalid_response (HTTP 200): expires_in: zero
}

func ExampleConn_Revoke() {
	server := exampleServer()
	defer server.Close()
	ctx := context.Background()
	conn, err := exampleClient(server).Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	fmt.Println(conn.Revoke(ctx, reltioauth.NewSecret("676742af-989b"), reltioauth.HintRefreshToken))
	// Output: <nil>
}

func ExampleConn_Introspect() {
	server := exampleServer()
	defer server.Close()
	ctx := context.Background()
	conn, err := exampleClient(server).Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	for _, text := range []string{"204938ca-2cf7", "676742af-989b"} {
		info, err := conn.Introspect(ctx, reltioauth.NewSecret(text))
		if err != nil {
			fmt.Println("no definite answer:", err)
			return
		}
		fmt.Println(info.Active, info.Username)
	}
	// Output:
	// true jane
	// false
}

func ExampleClient_Introspect() {
	server := exampleServer()
	defer server.Close()

	info, err := exampleClient(server).Introspect(context.Background(), reltioauth.NewSecret("204938ca-2cf7"))
	fmt.Println(info.Active, info.ClientID, info.Tenants, err)
	// Output: true acme [t1] <nil>
}

func ExampleClient_Revoke() {
	server := exampleServer()
	defer server.Close()

	token := reltioauth.NewSecret("204938ca-2cf7")
	err := exampleClient(server).Revoke(context.Background(), token, reltioauth.HintAccessToken)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_TokenSource() {
	server := exampleServer()
	defer server.Close()
	ctx := context.Background()

	source := exampleClient(server).TokenSource(ctx, reltioauth.ClientCredentialsGrant{})
	resp, err := oauth2.NewClient(ctx, source).Get(server.URL + "/api")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var authorization [64]byte
	n, _ := resp.Body.Read(authorization[:])
	fmt.Println(string(authorization[:n]))
	// Output: Bearer 204938ca-2cf7
}

func ExampleClient_AuthorizationURL() {
	client := &reltioauth.Client{ClientID: "acme"}
	address, err := client.AuthorizationURL(reltioauth.AuthorizationRequest{
		TenantID:    "acme-prod",
		RedirectURI: "https://tokens.acme.example/callback",
		State:       reltioauth.NewSecret("n0-0ne-can-guess-it"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	u, _ := url.Parse(address)
	fmt.Println(u.Host + u.Path)
	for _, key := range []string{"tenant_id", "response_type", "client_id", "redirect_uri", "state"} {
		fmt.Println(key, "=", u.Query().Get(key))
	}
	// Output:
	// auth.reltio.com/oauth/sso
	// tenant_id = acme-prod
	// response_type = code
	// client_id = acme
	// redirect_uri = https://tokens.acme.example/callback
	// state = n0-0ne-can-guess-it
}

func ExampleError() {
	server := exampleServer()
	defer server.Close()

	_, err := exampleClient(server).Token(context.Background(), reltioauth.PasswordGrant{
		Username: "jane",
		Password: reltioauth.NewSecret("battery staple"),
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, reltioauth.ErrInvalidGrant))
	var e *reltioauth.Error
	if errors.As(err, &e) {
		fmt.Println(e.Permanent(), e.CredentialsRefused(), e.Sent, e.Description)
	}
	// Output:
	// reltioauth: token (password): invalid_grant (HTTP 400)
	// true
	// true true true Invalid Username or Password
}

func ExampleToken_OAuth2() {
	token := &reltioauth.Token{
		AccessToken: reltioauth.NewSecret("204938ca-2cf7"),
		TokenType:   "bearer",
		Scope:       "entities_api",
		ExpiresIn:   time.Hour,
		IssuedAt:    time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC),
	}
	fmt.Println(token.OAuth2().Type(), token.OAuth2().Expiry, token.OAuth2().Extra("scope"))
	// Output: Bearer 2026-11-23 17:00:00 +0000 UTC entities_api
}

func ExampleSecret() {
	secret := reltioauth.NewSecret("correct horse")
	fmt.Printf("%v %+v %q\n", secret, struct{ Password reltioauth.Secret }{secret}, secret)
	fmt.Println(secret.Reveal())
	fmt.Println(reltioauth.Fingerprint(secret))
	// Output:
	// [redacted] {Password:[redacted]} [redacted]
	// correct horse
	// sha256:4104d36f8da2c254349f85836793ebe0
}
