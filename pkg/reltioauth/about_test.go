package reltioauth_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// clientStyle is where a request has its client credentials.
func clientStyle(r *http.Request) string {
	basic, form := r.Header.Get("Authorization") != "", r.PostFormValue("client_secret") != ""
	switch {
	case basic && form:
		return "both"
	case basic:
		return "basic"
	case form:
		return "post"
	}
	return "none"
}

// aboutCalls are the calls that carry a token and log no user in.
func aboutCalls(ctx context.Context) map[string]func(*reltioauth.Client) error {
	return map[string]func(*reltioauth.Client) error{
		"check": func(c *reltioauth.Client) error {
			_, err := c.Introspect(ctx, reltioauth.NewSecret("7"))
			return err
		},
		"revoke": func(c *reltioauth.Client) error {
			return c.Revoke(ctx, reltioauth.NewSecret("7"), "")
		},
	}
}

func TestCheckAndRevokeTryBothPlacesOfTheClient(t *testing.T) {
	const refused = `{"error":"unauthorized","error_description":"STYLE"}`
	type answer struct {
		status int
		body   string
	}
	ok, no := answer{200, `{}`}, answer{401, refused}
	for _, test := range []struct {
		name        string
		basic, post answer
		clientID    string
		style       reltioauth.ClientAuth
		want        string // the styles that were sent
		wantCode    reltioauth.ErrorCode
		wantSays    string // which of the two answers is told
	}{
		{"basic is taken", ok, no, "acme", reltioauth.ClientAuthBasic, "basic", "", ""},
		{"basic is taken, post is set", ok, no, "acme", reltioauth.ClientAuthPost, "basic", "", ""},
		{"post alone is taken", no, ok, "acme", reltioauth.ClientAuthPost, "basic post", "", ""},
		{"post alone is taken, basic is set", no, ok, "acme", reltioauth.ClientAuthBasic, "basic post", "", ""},
		{"neither", no, no, "acme", reltioauth.ClientAuthBasic, "basic post", reltioauth.ErrUnauthorized, "basic"},
		{"neither, post is set", no, no, "acme", reltioauth.ClientAuthPost, "basic post", reltioauth.ErrUnauthorized, "post"},
		{"a page with 401", answer{401, "<html>"}, ok, "acme", reltioauth.ClientAuthBasic, "basic post", "", ""},
		{"nothing with 401", answer{401, ""}, ok, "acme", reltioauth.ClientAuthBasic, "basic post", "", ""},
		{"the framework's default with 401", answer{401, `{"error":"Unauthorized"}`}, ok, "acme", reltioauth.ClientAuthBasic, "basic post", "", ""},
		{"not permitted", answer{403, `{"error":"Forbidden"}`}, ok, "acme", reltioauth.ClientAuthPost, "basic", reltioauth.ErrUnavailable, ""},
		{"a refusal with 400", answer{400, `{"error":"invalid_client"}`}, ok, "acme", reltioauth.ClientAuthPost, "basic", reltioauth.ErrInvalidClient, ""},
		{"rate", answer{429, ""}, ok, "acme", reltioauth.ClientAuthPost, "basic", reltioauth.ErrRateLimited, ""},
		{"server error", answer{500, ""}, ok, "acme", reltioauth.ClientAuthPost, "basic", reltioauth.ErrUnavailable, ""},
		{"rate in the second place", no, answer{429, ""}, "acme", reltioauth.ClientAuthBasic, "basic post", reltioauth.ErrRateLimited, ""},
		{"a colon, which basic cannot carry", no, ok, "ac:me", reltioauth.ClientAuthPost, "post", "", ""},
	} {
		for call, do := range aboutCalls(t.Context()) {
			var got []string
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				style := clientStyle(r)
				got = append(got, style)
				a := map[string]answer{"basic": test.basic, "post": test.post}[style]
				writeJSON(w, a.status, strings.ReplaceAll(a.body, "STYLE", style))
			})
			client.ClientID, client.ClientAuth = test.clientID, test.style
			err := do(client)
			if sent := strings.Join(got, " "); sent != test.want {
				t.Errorf("%s, %s: sent %q, want %q", test.name, call, sent, test.want)
			}
			if test.wantCode == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", test.name, call, err)
				}
				continue
			}
			e := asError(t, err)
			if e.Code != test.wantCode || test.wantSays != "" && e.Description != test.wantSays {
				t.Errorf("%s, %s: got %v, %q; want %v, %q", test.name, call, err, e.Description, test.wantCode, test.wantSays)
			}
		}
	}
}

// A 401 that says invalid_token is about the token: nothing more is asked.
func TestCheckAsksOnceAboutATokenThatIsNotValid(t *testing.T) {
	var requests atomic.Int32
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		writeJSON(w, 401, `{"error":"invalid_token"}`)
	})
	info, err := client.Introspect(t.Context(), reltioauth.NewSecret("t"))
	if err != nil || info.Active || requests.Load() != 1 {
		t.Errorf("got %+v, %v after %d requests; want not active after one", info, err, requests.Load())
	}
}

func TestTheSecondPlaceIsTriedOverTheSameConnection(t *testing.T) {
	for _, closes := range []bool{false, true} {
		for call, do := range aboutCalls(t.Context()) {
			var from []string
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				from = append(from, r.RemoteAddr)
				if clientStyle(r) == "post" {
					writeJSON(w, 200, `{}`)
					return
				}
				if closes {
					w.Header().Set("Connection", "close")
				}
				writeJSON(w, 401, `{"error":"unauthorized"}`)
			})
			if err := do(client); err != nil {
				t.Errorf("%s, closed %t: %v", call, closes, err)
			}
			if len(from) != 2 || (from[0] == from[1]) == closes {
				t.Errorf("%s, closed %t: requests came from %v", call, closes, from)
			}
		}
	}
}

// The connection may be closed without a word while the second request is on its
// way.
func TestTheSecondPlaceIsTriedAgainOverAFreshConnection(t *testing.T) {
	var connections atomic.Int32
	client := serveRaw(t, func(conn net.Conn) {
		if connections.Add(1) == 1 {
			_, _ = io.WriteString(conn, "HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n")
			_ = readRequest(conn)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	})
	if _, err := client.Introspect(t.Context(), reltioauth.NewSecret("t")); err != nil || connections.Load() != 2 {
		t.Errorf("got %v over %d connections, want no error over 2", err, connections.Load())
	}
}

func TestBothPlacesShareOneLimit(t *testing.T) {
	for _, call := range []string{"check", "revoke"} {
		synctest.Test(t, func(t *testing.T) {
			client := piped(func(conn net.Conn) {
				pass(2 * time.Second)
				_, _ = io.WriteString(conn, "HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n")
				untilClosed(conn)
			})
			client.ClientAuth = reltioauth.ClientAuthPost
			began := time.Now()
			err := aboutCalls(t.Context())[call](client)
			if e := asError(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Reason() != "no answer in 3 s" {
				t.Errorf("%s: got %v, reason %q", call, err, e.Reason())
			}
			if got := time.Since(began); got != reltioauth.CheckTimeout {
				t.Errorf("%s: took %v, want %v", call, got, reltioauth.CheckTimeout)
			}
			pass(time.Minute)
		})
	}
}

// A login is never repeated in the other place, whatever is answered.
func TestTokenRequestsAreNeverSentInBothPlaces(t *testing.T) {
	for _, style := range []reltioauth.ClientAuth{reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost} {
		var got []string
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = append(got, clientStyle(r))
			writeJSON(w, 401, `{"error":"unauthorized"}`)
		})
		client.ClientAuth = style
		_, err := client.Token(t.Context(), password)
		want := []string{[]string{"basic", "post"}[style]}
		if !errors.Is(err, reltioauth.ErrUnauthorized) || !slices.Equal(got, want) {
			t.Errorf("got %v after %v, want %v", err, got, want)
		}
	}
}
