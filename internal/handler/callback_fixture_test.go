package handler_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// domain is where API Gateway serves the callback.
const domain = "abc123.execute-api.eu-central-1.amazonaws.com"

// byCode is the connection's secret.
const byCode = `{"grant_type":"authorization_code","client_id":"client-1","client_secret":"` + clientSecret + `","tenant_id":"tenant-1","pkce":true}`

// front is the callback behind API Gateway, over the embedded store and a
// sandbox.
type front struct {
	t        testing.TB
	table    *memstore.Table
	stores   *flaky
	secrets  *memstore.Secrets
	server   *reltioauthtest.Server
	callback *handler.Callback
	gateway  handler.Gateway
	log      *lines
	// stage of API Gateway, and headers that a request brings.
	stage   string
	headers map[string]string
	// seen are all bodies.
	seen strings.Builder
}

// lobby runs a test in virtual time with a front of its own.
func lobby(t *testing.T, test func(f *front)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newFront(t)) })
}

func newFront(t testing.TB) *front {
	t.Helper()
	f := &front{
		t: t, table: &memstore.Table{}, secrets: &memstore.Secrets{}, log: &lines{}, stage: "$default",
		server: reltioauthtest.New(reltioauthtest.Config{
			Now:     time.Now,
			Clients: []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret(clientSecret), RequirePKCE: true}},
			Users: []reltioauthtest.User{
				{Username: "ann", Password: reltioauth.NewSecret(password)}, {Username: "ben", Password: reltioauth.NewSecret("kanari-ben")},
			},
			Behaviour: reltioauthtest.Behaviour{Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken},
		}),
	}
	f.stores = &flaky{Table: f.table}
	f.callback = &handler.Callback{
		Flow: &authcode.Flow{
			AuthRequests: f.stores, Grants: f.stores, Leases: f.table, RateLimits: f.table, Connections: f.secrets, RefreshTokens: f.secrets, Parking: f.table,
			Hosts: connection.Hosts{"auth.reltio.com:443"}, Now: time.Now, Connect: f.server.Connector(),
		},
		Pages: pages.New(), Log: telemetry.New(f.log, 0, time.Now), Now: time.Now,
	}
	f.gateway = handler.Gateway{Handler: f.callback}
	f.connect("acme", byCode)
	return f
}

func (f *front) connect(name, text string) {
	f.t.Helper()
	if _, err := f.secrets.PutConnection(f.t.Context(), name, reltioauth.NewSecret(text)); err != nil {
		f.t.Fatal(err)
	}
}

// link is what a person is sent.
func (f *front) link() string {
	f.t.Helper()
	i, err := f.callback.Flow.Invite(f.t.Context(), "acme", authrequest.InvitationFromCommand, false)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.base() + "/authorize?invitation=" + i.Text.Reveal()
}

func (f *front) base() string {
	if f.stage == "$default" {
		return "https://" + domain
	}
	return "https://" + domain + "/" + f.stage
}

// known makes the grant that of the connection's identity, as the first rotate
// does.
func (f *front) known() {
	f.t.Helper()
	source, err := f.secrets.Connection(f.t.Context(), "acme")
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := connection.Parse("acme", source, f.callback.Flow.Hosts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.put(grant.Grant{Connection: "acme", Identity: c.IdentityHash(), Status: grant.StatusReauthorize})
}

// exchanges counts token requests.
func (f *front) exchanges() int {
	return f.server.TokenRequests(time.Time{}, time.Now().Add(time.Hour))
}

// answer is what a browser gets.
type answer struct {
	events.APIGatewayV2HTTPResponse
	t testing.TB
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.StatusCode != status {
		a.t.Fatalf("status %d, want %d: %s", a.StatusCode, status, title.FindString(a.Body))
	}
	return a
}

func (a answer) location() string { return a.Headers["Location"] }

var (
	title     = regexp.MustCompile(`<h1>.*</h1>`)
	href      = regexp.MustCompile(`href="([^"]*)"`)
	reference = regexp.MustCompile(`Reference <code>([A-Z2-7]{4}-[A-Z2-7]{4})</code>`)
)

// browser has cookies, in the order in which it got them.
type browser struct {
	*front
	cookies []*http.Cookie
}

func (f *front) browser() *browser { return &browser{front: f} }

// get opens an address, or a path, of the callback.
func (b *browser) get(target string) answer { return b.send(http.MethodGet, target) }

func (b *browser) send(method, target string) answer {
	b.t.Helper()
	path, query, _ := strings.Cut(strings.TrimPrefix(target, "https://"+domain), "?")
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: query, Headers: b.headers,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: domain, Stage: b.stage,
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path},
		},
	}
	for _, c := range b.cookies {
		e.Cookies = append(e.Cookies, c.Name+"="+c.Value)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(lambdacontext.NewContext(b.t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"}), 29*time.Second)
	defer cancel()
	data, err := b.gateway.Invoke(ctx, payload)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{t: b.t}
	if err := json.Unmarshal(data, &a.APIGatewayV2HTTPResponse); err != nil {
		b.t.Fatal(err)
	}
	b.seen.WriteString(a.Body)
	b.keep(a.Cookies)
	return a
}

// keep takes cookies as a browser does.
func (b *browser) keep(set []string) {
	b.t.Helper()
	for _, line := range set {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			b.t.Fatalf("cookie %q: %v", line, err)
		}
		if c.MaxAge < 0 {
			b.cookies = slices.DeleteFunc(b.cookies, func(held *http.Cookie) bool { return held.Name == c.Name })
		} else {
			b.cookies = append(b.cookies, c)
		}
	}
}

// leave opens the link and follows it to the login page's address.
func (b *browser) leave(link string) string {
	b.t.Helper()
	page := b.get(link).want(http.StatusOK)
	to := href.FindStringSubmatch(page.Body)
	if to == nil {
		b.t.Fatal("the page has no link")
	}
	return b.get(to[1]).want(http.StatusFound).location()
}

// login logs in and gives the address of the callback.
func (b *browser) login(at, user string) string {
	b.t.Helper()
	back, err := b.server.Authorize(b.t.Context(), at, user)
	if err != nil {
		b.t.Fatal(err)
	}
	return back
}

// stateOf is the state of an address.
func stateOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}

// flaky fails some calls: before they were done, or after.
type flaky struct {
	*memstore.Table
	before, after, panics string
}

func (s *flaky) run(op string, f func() error) error {
	if s.panics == op {
		panic("kanari-panic")
	}
	if s.before == op {
		return apierr.Wrap(apierr.StoreUnavailable, "the table: no usable answer", errLeaky)
	}
	err := f()
	if s.after == op {
		return apierr.Wrap(apierr.StoreUnavailable, "the table: no usable answer", errLeaky)
	}
	return err
}

func (s *flaky) Request(ctx context.Context, hash string) (r authrequest.Request, err error) {
	err = s.run("Request", func() (err error) {
		r, err = s.Table.Request(ctx, hash)
		return err
	})
	return r, err
}

func (s *flaky) ConsumeRequest(ctx context.Context, hash string, now time.Time) error {
	return s.run("ConsumeRequest", func() error { return s.Table.ConsumeRequest(ctx, hash, now) })
}

func (s *flaky) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	return s.run("PutGrant", func() error { return s.Table.PutGrant(ctx, held, g) })
}

func parsed(t testing.TB, data []byte, err error) answer {
	t.Helper()
	a := answer{t: t}
	if err == nil {
		err = json.Unmarshal(data, &a.APIGatewayV2HTTPResponse)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}
