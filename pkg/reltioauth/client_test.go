package reltioauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestClientThatCannotBeUsed(t *testing.T) {
	secret := reltioauth.NewSecret("s")
	for _, test := range []struct {
		name   string
		client reltioauth.Client
		want   string
	}{
		{"zero value", reltioauth.Client{}, "client_id: empty"},
		{"colon with basic", reltioauth.Client{ClientID: "a:b"}, "client_id: a colon cannot be sent with ClientAuthBasic"},
		{"line end in the identifier", reltioauth.Client{ClientID: "a\n"}, "client_id: control characters"},
		{"line end in the secret", reltioauth.Client{ClientID: "a", ClientSecret: reltioauth.NewSecret("s\r\n")}, "client_secret: control characters"},
		{"unknown style", reltioauth.Client{ClientID: "a", ClientAuth: 2}, "client_auth: unknown style"},
		{"negative style", reltioauth.Client{ClientID: "a", ClientAuth: -1}, "client_auth: unknown style"},
		{"http", reltioauth.Client{AuthURL: "http://auth.reltio.com"}, "auth_url: must be https (http for a loopback address only)"},
		{"http, loopback as a prefix", reltioauth.Client{AuthURL: "http://127.0.0.1.example"}, "auth_url: must be https (http for a loopback address only)"},
		{"other scheme", reltioauth.Client{AuthURL: "ftp://localhost"}, "auth_url: must be https (http for a loopback address only)"},
		{"path", reltioauth.Client{AuthURL: "https://auth.reltio.com/oauth"}, "auth_url: more or less than scheme and host"},
		{"slash", reltioauth.Client{AuthURL: "https://auth.reltio.com/"}, "auth_url: more or less than scheme and host"},
		{"query", reltioauth.Client{AuthURL: "https://auth.reltio.com?a=b"}, "auth_url: more or less than scheme and host"},
		{"fragment", reltioauth.Client{AuthURL: "https://auth.reltio.com#a"}, "auth_url: more or less than scheme and host"},
		{"user", reltioauth.Client{AuthURL: "https://u:p@auth.reltio.com"}, "auth_url: more or less than scheme and host"},
		{"no scheme", reltioauth.Client{AuthURL: "auth.reltio.com"}, "auth_url: more or less than scheme and host"},
		{"no host", reltioauth.Client{AuthURL: "https://:443"}, "auth_url: more or less than scheme and host"},
		{"opaque", reltioauth.Client{AuthURL: "https:auth.reltio.com"}, "auth_url: more or less than scheme and host"},
		{"no URL", reltioauth.Client{AuthURL: "https://auth reltio com"}, "auth_url: not a URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.client.Connect = func(context.Context, *url.URL) (reltioauth.Transport, error) {
				t.Error("a connection was opened")
				return nil, io.EOF
			}
			want := "reltioauth: dial: invalid_request: " + test.want
			_, tokenErr := test.client.Token(t.Context(), reltioauth.ClientCredentialsGrant{})
			_, checkErr := test.client.Introspect(t.Context(), secret)
			revokeErr := test.client.Revoke(t.Context(), secret, "")
			for _, err := range []error{tokenErr, checkErr, revokeErr} {
				e := asError(t, err)
				if e.Error() != want || e.Sent || !e.Permanent() || e.Answered() {
					t.Errorf("got %q, want %q", e, want)
				}
			}
		})
	}
}

func TestClientAuthURLsThatAreFine(t *testing.T) {
	for given, want := range map[string]string{
		"":                                "https://auth.reltio.com",
		"https://auth-stg.reltio.com":     "https://auth-stg.reltio.com",
		"https://auth.reltio.com:8443":    "https://auth.reltio.com:8443",
		"http://localhost:3002":           "http://localhost:3002",
		"http://127.8.9.1":                "http://127.8.9.1",
		"http://[::1]:80":                 "http://[::1]:80",
		"https://[2001:db8::1]":           "https://[2001:db8::1]",
		"https://auth-other1.example.com": "https://auth-other1.example.com",
	} {
		var got string
		client := reltioauth.Client{AuthURL: given, ClientID: "a"}
		client.Connect = func(_ context.Context, authURL *url.URL) (reltioauth.Transport, error) {
			got = authURL.String()
			authURL.Host = "changed.example" // is the Connector's own copy
			return transport(func(r *http.Request) (*http.Response, error) {
				if r.URL.String() != want+"/oauth/token" {
					t.Errorf("%q: request to %s", given, r.URL)
				}
				return reply{status: 200, body: goodAnswer}.RoundTrip(r)
			}), nil
		}
		if _, err := client.Token(t.Context(), reltioauth.ClientCredentialsGrant{}); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", given, got, err, want)
		}
	}
}

// sent is a request as the server sees it.
type sent struct {
	Method, Path, ContentType, Accept, AcceptEncoding, Authorization string
	Query, Form                                                      url.Values
}

func TestRequestsOnTheWire(t *testing.T) {
	secret := reltioauth.NewSecret
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("acme:s+cr/t%"))
	values := func(pairs ...string) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	token := func(g reltioauth.Grant) func(*reltioauth.Client) error {
		return func(c *reltioauth.Client) error { _, err := c.Token(t.Context(), g); return err }
	}
	check := func(c *reltioauth.Client) error { _, err := c.Introspect(t.Context(), secret("t&k")); return err }
	revoke := func(c *reltioauth.Client) error {
		return c.Revoke(t.Context(), secret("t&k"), reltioauth.HintRefreshToken)
	}
	for _, test := range []struct {
		name    string
		post    bool
		inQuery bool
		do      func(*reltioauth.Client) error
		path    string
		query   url.Values
		form    url.Values
	}{
		{
			"password", false, false, token(reltioauth.PasswordGrant{Username: "jane@acme", Password: secret("p&w ä")}), "/oauth/token", nil,
			values("grant_type", "password", "username", "jane@acme", "password", "p&w ä"),
		},
		{
			"password with scope", false, false, token(reltioauth.PasswordGrant{Username: "j", Password: secret("p"), Scope: "a b"}), "/oauth/token", nil,
			values("grant_type", "password", "username", "j", "password", "p", "scope", "a b"),
		},
		{
			"client credentials", false, false, token(reltioauth.ClientCredentialsGrant{}), "/oauth/token", nil,
			values("grant_type", "client_credentials"),
		},
		{
			"client credentials with scope", false, false, token(reltioauth.ClientCredentialsGrant{Scope: "a"}), "/oauth/token", nil,
			values("grant_type", "client_credentials", "scope", "a"),
		},
		{
			"refresh token", false, true, token(reltioauth.RefreshTokenGrant{RefreshToken: secret("r")}), "/oauth/token", nil,
			values("grant_type", "refresh_token", "refresh_token", "r"),
		},
		{
			"code", false, false, token(reltioauth.AuthorizationCodeGrant{Code: secret("c"), RedirectURI: "https://a.example/callback"}), "/oauth/token", nil,
			values("grant_type", "authorization_code", "code", "c", "redirect_uri", "https://a.example/callback"),
		},
		{
			"code with verifier", false, false, token(reltioauth.AuthorizationCodeGrant{Code: secret("c"), RedirectURI: "https://a.example/", Verifier: secret("v")}), "/oauth/token", nil,
			values("grant_type", "authorization_code", "code", "c", "redirect_uri", "https://a.example/", "code_verifier", "v"),
		},
		{
			"second factor", false, false, token(reltioauth.MFAGrant{StateToken: secret("s"), TOTP: secret("123456")}), "/oauth/token", nil,
			values("grant_type", "state_token", "state_token", "s", "totp", "123456"),
		},
		{
			"credentials in the form", true, false, token(reltioauth.ClientCredentialsGrant{}), "/oauth/token", nil,
			values("grant_type", "client_credentials", "client_id", "acme", "client_secret", "s+cr/t%"),
		},
		{"check", false, false, check, "/oauth/checkToken", nil, values("token", "t&k")},
		{"check in the query", false, true, check, "/oauth/checkToken", values("token", "t&k"), nil},
		{"revoke", false, false, revoke, "/oauth/revoke", nil, values("token", "t&k", "token_type_hint", "refresh_token")},
		{"revoke in the query", false, true, revoke, "/oauth/revoke", values("token", "t&k", "token_type_hint", "refresh_token"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got sent
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				form, _ := url.ParseQuery(string(body))
				got = sent{
					r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Accept"),
					r.Header.Get("Accept-Encoding"), r.Header.Get("Authorization"), r.URL.Query(), form,
				}
				writeJSON(w, 200, goodAnswer)
			})
			client.ClientSecret = secret("s+cr/t%")
			client.TokenInQuery = test.inQuery
			want := sent{"POST", test.path, "application/x-www-form-urlencoded", "application/json", "identity", basic, test.query, test.form}
			if test.post {
				client.ClientAuth = reltioauth.ClientAuthPost
				want.Authorization = ""
			}
			if want.Query == nil {
				want.Query = url.Values{}
			}
			if want.Form == nil {
				want.Form = url.Values{}
			}
			if err := test.do(client); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientPostTakesAColon(t *testing.T) {
	client := answering(reply{status: 200, body: goodAnswer})
	client.ClientID, client.ClientAuth = "a:b", reltioauth.ClientAuthPost
	if _, err := client.Token(t.Context(), reltioauth.ClientCredentialsGrant{}); err != nil {
		t.Error(err)
	}
}

func TestClientWithoutClockUsesTheWallClock(t *testing.T) {
	client := answering(reply{status: 200, body: goodAnswer})
	client.Now = nil
	before := time.Now()
	token, err := client.Token(t.Context(), reltioauth.ClientCredentialsGrant{})
	if err != nil {
		t.Fatal(err)
	}
	if token.IssuedAt.Before(before.Round(0)) || token.IssuedAt.After(time.Now().Round(0)) {
		t.Errorf("IssuedAt: got %v, want between %v and now", token.IssuedAt, before)
	}
	if token.IssuedAt != token.IssuedAt.Round(0) {
		t.Error("IssuedAt has a monotonic reading")
	}
}

func TestConnectorErrorIsMatched(t *testing.T) {
	client := reltioauth.Client{ClientID: "a", Connect: func(context.Context, *url.URL) (reltioauth.Transport, error) {
		return nil, io.ErrClosedPipe
	}}
	_, err := client.Dial(t.Context())
	e := asError(t, err)
	if !errors.Is(err, io.ErrClosedPipe) || !errors.Is(err, reltioauth.ErrUnavailable) || e.Sent || e.Op != "dial" {
		t.Errorf("got %v (sent %t), want %v, not sent", err, e.Sent, io.ErrClosedPipe)
	}
	if got, want := e.Error(), "reltioauth: dial: unavailable: io: read/write on closed pipe"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
