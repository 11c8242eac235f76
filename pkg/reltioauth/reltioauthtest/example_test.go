package reltioauthtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A test of one's own: the server listens on loopback and closes with the
// test.
func ExampleNewServer() {
	_ = func(t *testing.T) {
		server := reltioauthtest.NewServer(t, reltioauthtest.Config{
			Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
		})
		token, err := server.Client("acme").Token(t.Context(), reltioauth.ClientCredentialsGrant{})
		if err != nil {
			t.Fatal(err)
		}
		server.Kill(token.Fingerprint()) // and see what the code under test makes of it
	}
}

// Without a network, and with a clock that stands still: asked again, the
// server gives the same token.
func ExampleServer_Connector() {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	server := reltioauthtest.New(reltioauthtest.Config{
		Now:     func() time.Time { return now },
		Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
	})
	client := &reltioauth.Client{ClientID: "acme", ClientSecret: reltioauth.NewSecret("s3cret"), Connect: server.Connector()}

	for range 3 {
		token, err := client.Token(context.Background(), reltioauth.ClientCredentialsGrant{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("expires in", token.ExpiresIn)
		now = now.Add(50 * time.Minute)
	}
	// Output:
	// expires in 59m59s
	// expires in 9m59s
	// expires in 59m59s
}

// The server acts and its response is lost: the worst case for a client that
// keeps a rotated refresh token.
func ExampleServer_Outage() {
	server := reltioauthtest.New(reltioauthtest.Config{
		Clients:   []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
		Users:     []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("pw")}},
		Behaviour: reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate},
	})
	client, ctx := server.Client("acme"), context.Background()
	token, err := client.Token(ctx, reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret("pw")})
	if err != nil {
		fmt.Println(err)
		return
	}
	refresh := reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken}

	server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true}})
	_, err = client.Token(ctx, refresh)
	fmt.Println("unavailable:", errors.Is(err, reltioauth.ErrUnavailable))

	server.Outage(reltioauthtest.Outage{})
	_, err = client.Token(ctx, refresh)
	fmt.Println("refused:", errors.Is(err, reltioauth.ErrInvalidGrant))
	// Output:
	// unavailable: true
	// refused: true
}

// A login at the login page without a browser.
func ExampleServer_Authorize() {
	server := reltioauthtest.New(reltioauthtest.Config{
		Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
		Users:   []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("pw")}},
	})
	client, ctx := server.Client("acme"), context.Background()
	const redirectURI = "https://app.example/callback"
	target, err := client.AuthorizationURL(reltioauth.AuthorizationRequest{
		TenantID: "tenant", RedirectURI: redirectURI, State: reltioauth.NewSecret("of-the-browser"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := server.Authorize(ctx, target, "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(back)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("state:", u.Query().Get("state"))
	token, err := client.Token(ctx, reltioauth.AuthorizationCodeGrant{
		Code: reltioauth.NewSecret(u.Query().Get("code")), RedirectURI: redirectURI,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := client.Introspect(ctx, token.AccessToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("valid:", info.Active)
	// Output:
	// state: of-the-browser
	// valid: true
}

// What a simulation asks in the end.
func ExampleServer_MaxTokenRequests() {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	server := reltioauthtest.New(reltioauthtest.Config{
		Now:     func() time.Time { return now },
		Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
	})
	client := server.Client("acme")
	for range 20 {
		if _, err := client.Token(context.Background(), reltioauth.ClientCredentialsGrant{}); err != nil {
			fmt.Println(err)
		}
		now = now.Add(125 * time.Millisecond)
	}
	fmt.Println("requests:", server.TokenRequests(time.Time{}, time.Time{}))
	fmt.Println("at most in one second:", server.MaxTokenRequests(time.Second))
	fmt.Println("refused logins:", server.RefusedLogins("ann", time.Time{}, time.Time{}))
	// Output:
	// requests: 20
	// at most in one second: 8
	// refused logins: 0
}
