package reltioauthtest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestOverTheNetwork(t *testing.T) {
	server := reltioauthtest.NewServer(t, config())
	if !strings.HasPrefix(server.URL(), "http://127.0.0.1:") {
		t.Fatalf("URL: got %q", server.URL())
	}
	client := server.Client("acme")
	token, err := client.Token(ctx(), annPassword())
	if err != nil {
		t.Fatal(err)
	}
	if token, err = client.Token(ctx(), reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken}); err != nil {
		t.Fatal(err)
	}
	info, err := client.Introspect(ctx(), token.AccessToken)
	if err != nil || !info.Active {
		t.Errorf("checkToken: got %v, %v", info, err)
	}
	if err := client.Revoke(ctx(), token.RefreshToken, reltioauth.HintRefreshToken); err != nil {
		t.Error(err)
	}
	equal(t, "alive", server.Valid(token.AccessToken), false)
}

func TestFaultsOverTheNetwork(t *testing.T) {
	for name, test := range map[string]struct {
		kind   reltioauthtest.FaultKind
		acted  bool
		status int
	}{
		"cut":              {reltioauthtest.FaultCut, false, 0},
		"cut after acting": {reltioauthtest.FaultCut, true, 0},
		"unreachable":      {reltioauthtest.FaultUnreachable, false, 0},
		"truncated":        {reltioauthtest.FaultTruncate, false, 200},
		"status":           {reltioauthtest.FaultStatus, false, 503},
	} {
		t.Run(name, func(t *testing.T) {
			server := reltioauthtest.NewServer(t, config())
			server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: test.kind, Acted: test.acted}})
			_, err := server.Client("acme").Token(ctx(), annPassword())
			var e *reltioauth.Error
			if !errors.As(err, &e) || e.Code != reltioauth.ErrUnavailable || e.StatusCode != test.status || !e.Sent {
				t.Errorf("got %+v", err)
			}
			access, _ := server.Tokens()
			equal(t, "a token was made", access == 1, test.acted || test.kind == reltioauthtest.FaultTruncate)
		})
	}
}

func TestLoginPageOverTheNetwork(t *testing.T) {
	server := reltioauthtest.NewServer(t, config())
	client := server.Client("acme")
	target, err := client.AuthorizationURL(authorization())
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, response.Body)
	equal(t, "status", response.StatusCode, 200)
	equal(t, "content type", response.Header.Get("Content-Type"), "text/html;charset=UTF-8")
}

func TestStartAndClose(t *testing.T) {
	server := reltioauthtest.New(config())
	equal(t, "closing what was never started", server.Close(), nil)
	if _, err := server.Start("256.0.0.1:0"); err == nil {
		t.Error("an address that is none: no error")
	}
	url, err := server.Start(":0")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "URL", url, server.URL())
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("without a host: got %s", url)
	}
	if _, err := server.Start(""); err == nil {
		t.Error("started twice: no error")
	}
	equal(t, "close", server.Close(), nil)
	equal(t, "close again", server.Close(), nil)
	equal(t, "URL", server.URL(), "")
	if _, err := server.Client("acme").Token(ctx(), annPassword()); err != nil {
		t.Errorf("the connector after Close: %v", err)
	}
	if _, err := server.Start(""); err != nil {
		t.Errorf("starting again: %v", err)
	}
	equal(t, "close", server.Close(), nil)
}

// Close gives up requests that wait, and waits for them.
func TestCloseWhileARequestWaits(t *testing.T) {
	server := reltioauthtest.New(config())
	if _, err := server.Start(""); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan struct{})
	server.Configure(func(cfg *reltioauthtest.Config) {
		cfg.Fault = func(reltioauthtest.Request) reltioauthtest.Fault {
			close(waiting)
			return reltioauthtest.Fault{Delay: time.Hour}
		}
	})
	done := make(chan error)
	go func() {
		_, err := server.Client("acme").Token(ctx(), annPassword())
		done <- err
	}()
	<-waiting
	equal(t, "close", server.Close(), nil)
	equal(t, "outcome", server.Requests()[0].Outcome, reltioauthtest.OutcomeAbandoned)
	equal(t, "request", code(<-done), reltioauth.ErrUnavailable)
}

// failing is a test that notes how it fails.
type failing struct {
	testing.TB
	cleanups []func()
	failed   bool
}

func (f *failing) Helper()          {}
func (f *failing) Cleanup(g func()) { f.cleanups = append(f.cleanups, g) }
func (f *failing) Fatal(...any)     { f.failed = true }
func (f *failing) Error(...any)     { f.failed = true }

func TestNewServerClosesWithItsTest(t *testing.T) {
	own := &failing{TB: t}
	server := reltioauthtest.NewServer(own, config())
	for _, cleanup := range own.cleanups {
		cleanup()
	}
	equal(t, "failed", own.failed, false)
	equal(t, "URL", server.URL(), "")
}
