package reltioauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// script is a server that answers in a given order and remembers the grant
// types it was asked for.
type script struct {
	mu      sync.Mutex // guards the rest
	answers []reply
	asked   []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := r.PostForm.Get("grant_type")
	if token := r.PostForm.Get("refresh_token"); token != "" {
		asked += " " + token
	}
	s.asked = append(s.asked, asked)
	if len(s.answers) == 0 {
		return nil, errors.New("the script has ended")
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	return next.RoundTrip(r)
}

func (s *script) client() *reltioauth.Client {
	return &reltioauth.Client{ClientID: "acme", Connect: transport(s.RoundTrip).connect}
}

func granted(access, refresh string, seconds int) reply {
	return reply{status: 200, body: fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"expires_in":%d,"token_type":"bearer","scope":"a b"}`, access, refresh, seconds)}
}

func refused(status int, code string) reply {
	return reply{status: status, body: fmt.Sprintf(`{"error":%q}`, code)}
}

// step is one call of a TokenSource's Token, after a wait.
type step struct {
	wait time.Duration
	want string // the access token, or the error's code
}

func TestTokenSource(t *testing.T) {
	for _, test := range []struct {
		name    string
		grant   reltioauth.Grant
		answers []reply
		steps   []step
		asked   []string
	}{
		{
			"keeps a token until its last second",
			reltioauth.ClientCredentialsGrant{},
			[]reply{granted("a1", "", 3600), granted("a2", "", 3600)},
			[]step{{0, "a1"}, {0, "a1"}, {3599 * time.Second, "a1"}, {1, "a2"}},
			[]string{"client_credentials", "client_credentials"},
		},
		{
			"refreshes", password,
			[]reply{granted("a1", "r1", 60), granted("a2", "", 60), granted("a3", "r3", 60), granted("a4", "", 60)},
			[]step{{0, "a1"}, {time.Minute, "a2"}, {time.Minute, "a3"}, {time.Minute, "a4"}},
			[]string{"password", "refresh_token r1", "refresh_token r1", "refresh_token r3"},
		},
		{
			"logs in when the refresh token is dead", password,
			[]reply{granted("a1", "r1", 60), refused(401, "invalid_token"), granted("a2", "r2", 60), refused(400, "invalid_grant"), granted("a3", "", 60)},
			[]step{{0, "a1"}, {time.Minute, "a2"}, {time.Minute, "a3"}},
			[]string{"password", "refresh_token r1", "password", "refresh_token r2", "password"},
		},
		{
			"uses a code once",
			reltioauth.AuthorizationCodeGrant{Code: reltioauth.NewSecret("c"), RedirectURI: "https://a.example"},
			[]reply{granted("a1", "r1", 60), refused(400, "invalid_grant")},
			[]step{{0, "a1"}, {time.Minute, "invalid_grant"}, {time.Hour, "invalid_grant"}},
			[]string{"authorization_code", "refresh_token r1"},
		},
		{
			"stops at a refusal", password,
			[]reply{refused(400, "invalid_grant")},
			[]step{{0, "invalid_grant"}, {0, "invalid_grant"}, {1000 * time.Hour, "invalid_grant"}},
			[]string{"password"},
		},
		{
			"pauses after a failure", password,
			[]reply{{status: 503}, {status: 503}, granted("a1", "", 60)},
			[]step{{0, "unavailable"}, {time.Second - 1, "unavailable"}, {1, "unavailable"}, {time.Second, "a1"}},
			[]string{"password", "password", "password"},
		},
		{
			"pauses as long as it is told", password,
			[]reply{{status: 429, header: http.Header{"Retry-After": {"20"}}}, granted("a1", "", 60)},
			[]step{{0, "rate_limited"}, {20*time.Second - 1, "rate_limited"}, {1, "a1"}},
			[]string{"password", "password"},
		},
		{
			"does not lose a refresh token", password,
			[]reply{granted("a1", "r1", 60), granted("a2", "r2", 0), {status: 500}, granted("a3", "", 60)},
			[]step{{0, "a1"}, {time.Minute, "unavailable"}, {time.Second, "a3"}},
			[]string{"password", "refresh_token r1", "refresh_token r2", "refresh_token r2"},
		},
		{
			"uses a token that came again until it expires", password,
			[]reply{granted("a1", "", 60), granted("a1", "", 1), granted("a2", "", 60)},
			[]step{{0, "a1"}, {59*time.Second + 1, "a1"}, {time.Second / 2, "a1"}, {time.Second/2 + 1, "a2"}},
			[]string{"password", "password", "password"},
		},
		{
			"uses a token that came in its last second", password,
			[]reply{granted("a1", "", 1), granted("a2", "", 60)},
			[]step{{0, "a1"}, {time.Second / 2, "a1"}, {time.Second/2 + 1, "a2"}},
			[]string{"password", "password"},
		},
		{
			"waits for the end of a token with no second left", password,
			[]reply{granted("a1", "", 60), granted("a1", "", 0), granted("a2", "", 60)},
			[]step{{0, "a1"}, {59*time.Second + 1, "a2"}, {0, "a2"}},
			[]string{"password", "password", "password"},
		},
		{
			"waits for the first token's end too", password,
			[]reply{granted("a1", "", 0), granted("a2", "", 60)},
			[]step{{0, "a2"}},
			[]string{"password", "password"},
		},
		{
			"waits for it once", password,
			[]reply{granted("a1", "", 0), granted("a1", "", 0), granted("a2", "", 60)},
			[]step{{0, "invalid_response"}, {time.Second - 1, "invalid_response"}, {1, "a2"}},
			[]string{"password", "password", "password"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &script{answers: test.answers}
				source := server.client().TokenSource(t.Context(), test.grant)
				for i, step := range test.steps {
					pass(step.wait)
					token, err := source.Token()
					got := ""
					if err != nil {
						got = string(asError(t, err).Code)
					} else {
						got = token.AccessToken
					}
					if got != step.want {
						t.Errorf("step %d: got %q (%v), want %q", i, got, err, step.want)
					}
				}
				if diff := cmp.Diff(test.asked, server.asked); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTokenSourceAsksOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: []reply{granted("a1", "", 3600)}}
		client := server.client()
		client.Connect = transport(func(r *http.Request) (*http.Response, error) {
			pass(5 * time.Second)
			return server.RoundTrip(r)
		}).connect
		source := client.TokenSource(t.Context(), password)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				token, err := source.Token()
				if err != nil || token.AccessToken != "a1" {
					t.Errorf("got %v, %v; want a1", token, err)
				}
			})
		}
		callers.Wait()
		if len(server.asked) != 1 {
			t.Errorf("requests: got %d, want 1", len(server.asked))
		}
	})
}

// While a token's last second passes no read fails: all wait for the next token.
func TestNoReadFailsAtATokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		server := &script{}
		client := &reltioauth.Client{ClientID: "acme", Now: time.Now, Connect: transport(func(r *http.Request) (*http.Response, error) {
			age := time.Since(began)
			n, left := int(age/(8*time.Second)), 8*time.Second-age%(8*time.Second)
			server.answers = []reply{granted(fmt.Sprintf("a%d", n), "", int(left/time.Second))}
			return server.RoundTrip(r)
		}).connect}
		source := client.TokenSource(t.Context(), reltioauth.ClientCredentialsGrant{})
		var readers sync.WaitGroup
		for range 10 {
			readers.Go(func() {
				for time.Since(began) < 26*time.Second {
					if _, err := source.Token(); err != nil {
						t.Errorf("after %v: %v", time.Since(began), err)
					}
					pass(40 * time.Millisecond)
				}
			})
		}
		readers.Wait()
		if n := len(server.asked); n > 3*4 {
			t.Errorf("%d requests in 26 s of tokens of 8 s, want at most three for each: when it is new, in its last two seconds, and in its last", n)
		}
	})
}

// A context that ends, ends the waiting.
func TestATokenSourceWhoseContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		server := &script{answers: []reply{granted("a1", "", 0)}}
		_, err := server.client().TokenSource(ctx, password).Token()
		if !errors.Is(err, reltioauth.ErrNoLifeLeft) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v, want that no life is left after 1 s", err, time.Since(began))
		}
	})
}

func TestOAuth2Token(t *testing.T) {
	token, err := answering(granted("a1", "r1", 3600)).Token(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	got := token.OAuth2()
	if got.AccessToken != "a1" || got.RefreshToken != "r1" || got.Type() != "Bearer" || got.ExpiresIn != 3600 ||
		!got.Expiry.Equal(start.Add(time.Hour)) || got.Extra("scope") != "a b" {
		t.Errorf("got %+v with scope %v", got, got.Extra("scope"))
	}
}
