package reltioauth_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const goodHTTP = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n" +
	`{"access_token":"a","expires_in": 3600 }`

// pass lets the time of a bubble pass.
func pass(d time.Duration) { <-time.After(d) }

// after writes an answer that takes its time, then waits for the other side.
func after(wait time.Duration, answer string) func(net.Conn) {
	return func(conn net.Conn) {
		pass(wait)
		_, _ = io.WriteString(conn, answer)
		untilClosed(conn)
	}
}

// trickle writes an answer that never ends.
func trickle(conn net.Conn) {
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
	for err == nil {
		pass(time.Second)
		_, err = io.WriteString(conn, " ")
	}
}

func TestCallsEndAtTheirLimit(t *testing.T) {
	secret := reltioauth.NewSecret("t")
	token := func(ctx context.Context, c *reltioauth.Client) error { _, err := c.Token(ctx, password); return err }
	check := func(ctx context.Context, c *reltioauth.Client) error { _, err := c.Introspect(ctx, secret); return err }
	revoke := func(ctx context.Context, c *reltioauth.Client) error { return c.Revoke(ctx, secret, "") }
	for _, test := range []struct {
		name   string
		server func(net.Conn)
		call   func(context.Context, *reltioauth.Client) error
		want   time.Duration // until it fails; 0: it does not
	}{
		{"token, silence", untilClosed, token, reltioauth.TokenTimeout},
		{"token, trickle", trickle, token, reltioauth.TokenTimeout},
		{"token, just in time", after(reltioauth.TokenTimeout-1, goodHTTP), token, 0},
		{"token, too late", after(reltioauth.TokenTimeout+1, goodHTTP), token, reltioauth.TokenTimeout},
		{"check, silence", untilClosed, check, reltioauth.CheckTimeout},
		{"check, trickle", trickle, check, reltioauth.CheckTimeout},
		{"check, just in time", after(reltioauth.CheckTimeout-1, goodHTTP), check, 0},
		{"revoke, silence", untilClosed, revoke, reltioauth.RevokeTimeout},
		{"revoke, trickle", trickle, revoke, reltioauth.RevokeTimeout},
		{"revoke, just in time", after(reltioauth.RevokeTimeout-1, goodHTTP), revoke, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := test.call(t.Context(), piped(test.server))
				if test.want == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				e := asError(t, err)
				if e.Code != reltioauth.ErrUnavailable || !e.Sent || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v (sent %t), want %v", err, e.Sent, context.DeadlineExceeded)
				}
				if got := time.Since(began); got != test.want {
					t.Errorf("took %v, want %v", got, test.want)
				}
				pass(time.Minute) // the server finds out that the client is gone
			})
		})
	}
}

func TestDialEndsAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &reltioauth.Client{ClientID: "a", Connect: func(ctx context.Context, _ *url.URL) (reltioauth.Transport, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		began := time.Now()
		_, err := client.Token(t.Context(), password)
		if e := asError(t, err); e.Op != "dial" || e.Sent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v (sent %t), want %v, not sent", err, e.Sent, context.DeadlineExceeded)
		}
		if got := time.Since(began); got != reltioauth.DialTimeout {
			t.Errorf("took %v, want %v", got, reltioauth.DialTimeout)
		}
	})
}

func TestCheckAndRevokeCountDialling(t *testing.T) {
	for name, call := range map[string]func(context.Context, *reltioauth.Client) error{
		"check": func(ctx context.Context, c *reltioauth.Client) error {
			_, err := c.Introspect(ctx, reltioauth.NewSecret("t"))
			return err
		},
		"revoke": func(ctx context.Context, c *reltioauth.Client) error {
			return c.Revoke(ctx, reltioauth.NewSecret("t"), "")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := piped(after(2*time.Second, goodHTTP))
			connect := client.Connect
			client.Connect = func(ctx context.Context, authURL *url.URL) (reltioauth.Transport, error) {
				pass(2 * time.Second)
				return connect(ctx, authURL)
			}
			began := time.Now()
			if err := call(t.Context(), client); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v, want %v", name, err, context.DeadlineExceeded)
			}
			if got, want := time.Since(began), 3*time.Second; got != want {
				t.Errorf("%s: took %v, want %v", name, got, want)
			}
			pass(time.Minute) // the server finds out that the client is gone
		})
	}
}

func TestTokenIsDatedWhenTheRequestIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := piped(after(5*time.Second, goodHTTP)).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		pass(time.Minute) // the caller waits for its slot
		sent := time.Now().Round(0)
		token, err := conn.Token(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		if token.IssuedAt != sent || !token.ExpiresAt().Equal(sent.Add(time.Hour)) {
			t.Errorf("got %v to %v, want from %v for an hour", token.IssuedAt, token.ExpiresAt(), sent)
		}
	})
}

func TestCancelledBeforeItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		conn, err := piped(func(net.Conn) { requests++ }).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = conn.Token(ctx, password)
		if e := asError(t, err); e.Sent || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v (sent %t), want %v, not sent", err, e.Sent, context.Canceled)
		}
		_ = conn.Close()
		synctest.Wait()
		if requests != 0 {
			t.Errorf("requests: got %d, want 0", requests)
		}
	})
}

func TestCancelledUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := piped(func(conn net.Conn) { cancel(); untilClosed(conn) }).Token(ctx, password)
		if e := asError(t, err); !e.Sent || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v (sent %t), want %v, sent", err, e.Sent, context.Canceled)
		}
	})
}

// A write that has not begun when the round trip has failed must never begin:
// Error.Sent has been answered by then.
func TestNothingIsWrittenAfterTheVerdict(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	authURL := &url.URL{Scheme: "https", Host: "auth.reltio.com"}
	transport := reltioauth.NewTransport(near, authURL)
	defer func() { _ = transport.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, authURL.String(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transport.RoundTrip(req); !errors.Is(err, reltioauth.ErrNotSent) {
			t.Fatalf("got %v, want %v", err, reltioauth.ErrNotSent)
		}
		ctx = t.Context() // the second one may live, but the connection may not
	}
}

func TestTransportLeadsToOneHost(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	transport := reltioauth.NewTransport(near, &url.URL{Scheme: "https", Host: "auth.reltio.com"})
	defer func() { _ = transport.Close() }()
	for _, target := range []string{"https://evil.example/oauth/token", "http://auth.reltio.com/oauth/token", "https://auth.reltio.com:444/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transport.RoundTrip(req); !errors.Is(err, reltioauth.ErrNotSent) {
			t.Errorf("%s: got %v, want %v", target, err, reltioauth.ErrNotSent)
		}
	}
}
