package browser_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// site is the callback and the sandbox on loopback, with a clock that a test
// can move on.
type site struct {
	t       *testing.T
	url     string
	table   *memstore.Table
	secrets *memstore.Secrets
	server  *reltioauthtest.Server
	flow    *authcode.Flow
	log     *logtest.Buffer
	later   atomic.Int64 // how far the clock was moved on
}

// newSite has the connection acme-prod, and the users ann and ben.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, table: &memstore.Table{}, secrets: &memstore.Secrets{}, log: &logtest.Buffer{}}
	s.server = reltioauthtest.New(reltioauthtest.Config{
		Now:     s.now,
		Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("secret-of-acme"), RequirePKCE: true}},
		Users: []reltioauthtest.User{
			{Username: "ann", Password: reltioauth.NewSecret("password-of-ann")},
			{Username: "ben", Password: reltioauth.NewSecret("password-of-ben")},
		},
		Behaviour: reltioauthtest.Behaviour{Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken},
	})
	reltio, err := s.server.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.server.Close() })
	s.flow = &authcode.Flow{
		AuthRequests: s.table, Grants: s.table, Leases: s.table, RateLimits: s.table, Connections: s.secrets, RefreshTokens: s.secrets, Parking: s.table,
		Hosts: connection.Hosts{strings.TrimPrefix(reltio, "http://")}, Now: s.now,
	}
	callback := &handler.Callback{Flow: s.flow, Pages: pages.New(), Log: telemetry.New(s.log, 0, s.now), Now: s.now}
	web := httptest.NewUnstartedServer(callback)
	s.url = "http://" + web.Listener.Addr().String()
	callback.BaseURL = s.url
	web.Start()
	t.Cleanup(web.Close)
	text, err := json.Marshal(map[string]any{
		"grant_type": "authorization_code", "client_id": "acme", "client_secret": "secret-of-acme",
		"tenant_id": "acme", "auth_url": reltio, "pkce": true,
	})
	if err == nil {
		_, err = s.secrets.PutConnection(t.Context(), "acme-prod", reltioauth.NewSecret(string(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.later.Load())) }

// sleep moves the clock on.
func (s *site) sleep(d time.Duration) { s.later.Add(int64(d)) }

// link is what a person is sent.
func (s *site) link() string {
	s.t.Helper()
	i, err := s.flow.Invite(s.t.Context(), "acme-prod", authrequest.InvitationFromCommand, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.url + "/authorize?invitation=" + i.Text.Reveal()
}

// connected reports whether there is a valid token.
func (s *site) connected() bool {
	g, err := s.table.Grant(s.t.Context(), "acme-prod", grant.Strong)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		s.t.Fatal(err)
	}
	return g.Valid(s.now())
}

// wantExchanges compares the number of token requests.
func (s *site) wantExchanges(want int) {
	s.t.Helper()
	if got := s.server.TokenRequests(time.Time{}, s.now().Add(time.Hour)); got != want {
		s.t.Fatalf("%d token requests, want %d", got, want)
	}
}

// Headings of pages.
const (
	leaving = "Connect acme-prod to Reltio"
	atLogin = "Log in"
	done    = "Reltio is connected"
	gone    = "This link does not work any more"
)

// leave opens the link and continues to the login page.
func (p *tab) leave(link string) seen {
	p.t.Helper()
	p.open(link).want(http.StatusOK, leaving)
	return p.press("a.button").want(http.StatusOK, atLogin)
}

// connect is the whole way of a user.
func (p *tab) connect(link, user string) seen {
	p.t.Helper()
	p.leave(link)
	return p.login(user, "password-of-"+user)
}

// cookies are those that the page's address is sent.
func (p *tab) cookies(address string) []*network.Cookie {
	p.t.Helper()
	return get(p, func(ctx context.Context, t *chromedp.Target) ([]*network.Cookie, error) {
		held, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
		return held.Cookies, err
	})
}

// serve serves pages until the test ends.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return web.URL
}
