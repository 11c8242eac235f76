package reltioauthtest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func request(ctx context.Context, t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://auth.example/oauth/token", body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConnector(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	dial := func() reltioauth.Transport {
		conn, err := f.Connector()(ctx(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	cancelled, cancel := context.WithCancel(ctx())
	cancel()

	t.Run("cancelled before dialling", func(t *testing.T) {
		if _, err := f.Connector()(cancelled, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled before sending", func(t *testing.T) {
		_, err := dial().RoundTrip(request(cancelled, t, nil))
		if !errors.Is(err, reltioauth.ErrNotSent) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		conn := dial()
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := conn.RoundTrip(request(ctx(), t, nil))
		if !errors.Is(err, reltioauth.ErrNotSent) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a body that cannot be read", func(t *testing.T) {
		_, err := dial().RoundTrip(request(ctx(), t, iotest.ErrReader(errors.New("broken"))))
		if !errors.Is(err, reltioauth.ErrNotSent) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("used again", func(t *testing.T) {
		conn := dial()
		for range 3 {
			response, err := conn.RoundTrip(request(ctx(), t, nil))
			if err != nil || response.StatusCode != 401 || response.Body.Close() != nil {
				t.Fatalf("got %v, %v", response, err)
			}
		}
	})
	t.Run("cut, and of no use then", func(t *testing.T) {
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}})
		defer f.Outage(reltioauthtest.Outage{})
		conn := dial()
		if _, err := conn.RoundTrip(request(ctx(), t, nil)); !errors.Is(err, syscall.ECONNRESET) || errors.Is(err, reltioauth.ErrNotSent) {
			t.Errorf("got %v", err)
		}
		if _, err := conn.RoundTrip(request(ctx(), t, nil)); !errors.Is(err, reltioauth.ErrNotSent) {
			t.Errorf("again: got %v", err)
		}
	})
	t.Run("truncated", func(t *testing.T) {
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultTruncate}})
		defer f.Outage(reltioauthtest.Outage{})
		response, err := dial().RoundTrip(request(ctx(), t, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer closing(t, response.Body)
		if _, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	})
}

// A response writer of another package that cannot end its connection.
func TestCutWithoutAConnection(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}})
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/oauth/token", http.NoBody))
	equal(t, "status", w.Code, 502)
}

func TestBodyThatBreaksOff(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/oauth/token", iotest.TimeoutReader(strings.NewReader("grant_type="))))
	equal(t, "status", w.Code, 400)
	w = httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader("a=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	f.ServeHTTP(w, r)
	equal(t, "status", w.Code, 400)
}

func TestConcurrentUse(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) {
		cfg.Behaviour = reltioauthtest.Behaviour{Login: reltioauthtest.NewToken, Refresh: reltioauthtest.NewToken, RefreshTokens: reltioauthtest.Rotate}
		cfg.KeepRequests = 50
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				token, err := f.Token(ctx(), annPassword())
				if err != nil {
					t.Error(err)
					return
				}
				f.clock.Advance(time.Second)
				f.Kill(token.Fingerprint())
				f.Requests()
				f.Tokens()
				f.MaxTokenRequests(time.Second)
				f.Configure(func(cfg *reltioauthtest.Config) { cfg.Behaviour.RestartClock = true })
			}
		})
	}
	all.Wait()
	equal(t, "token requests", f.TokenRequests(time.Time{}, time.Time{}), 400)
}
