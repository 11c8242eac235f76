package framework

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// server is an authorization server under test, of one test alone.
type server interface {
	// url is where it listens: scheme and host.
	url() string
	// change changes its settings while it runs: clients, users, and whether
	// the stores are down. The others are those of the start.
	change(t *testing.T, change func(*settings))
	// forget loses all tokens, as a server that keeps them in memory does at a
	// restart.
	forget(t *testing.T)
	// kill ends an access token before its time. Its refresh token stays.
	kill(t *testing.T, token string)
}

// settings are those of an authorization server. The tags are those of the
// framework's control. The zero value is what the framework does by default,
// with no client and no user.
type settings struct {
	// RotateRefreshTokens makes a refresh return a new refresh token.
	RotateRefreshTokens bool `json:"rotateRefreshTokens"`
	// CheckToken permits checkToken to every client.
	CheckToken bool `json:"checkToken"`
	// FormAuthentication lets clients authenticate themselves in the form of
	// the token endpoint.
	FormAuthentication bool `json:"formAuthentication"`
	// BootEntryPoint is a server whose owner configured no entry point:
	// a refused client is told so by Boot's page, not in OAuth's words.
	BootEntryPoint bool `json:"bootEntryPoint"`

	Clients map[string]client `json:"clients"`
	Users   map[string]user   `json:"users"`
	// UserStoreDown and ClientStoreDown are what the stores' exceptions say
	// while they are down; empty while they are up.
	UserStoreDown   string `json:"userStoreDown"`
	ClientStoreDown string `json:"clientStoreDown"`
	// UserStoreThrowsOther makes the user store's exception one that is none
	// of Spring Security's.
	UserStoreThrowsOther bool `json:"userStoreThrowsOther"`
}

// client is a registered client. Its secret is "secret of " and its id.
type client struct {
	Secret         string   `json:"secret"`
	Grants         []string `json:"grants"`
	Scopes         []string `json:"scopes"`
	Redirects      []string `json:"redirects"`
	AccessSeconds  int      `json:"accessSeconds"`
	RefreshSeconds int      `json:"refreshSeconds"`
}

// user is a person who can log in, with a password of "password of " and the name.
type user struct {
	Password string `json:"password"`
	Locked   bool   `json:"locked"`
	Disabled bool   `json:"disabled"`
	Expired  bool   `json:"expired"`
}

// The grant types.
const (
	clientCredentials = "client_credentials"
	password          = "password"
	authorizationCode = "authorization_code"
	refreshToken      = "refresh_token"
)

// Redirection endpoint of the contract's client.
const redirect = "http://127.0.0.1:1/callback"

// newSettings are a server's settings with the clients "app" and "other", which may do
// everything, and the users "ann" and "bob"; change, if not nil, changes them.
func newSettings(change func(*settings)) settings {
	s := settings{Clients: map[string]client{}, Users: map[string]user{}, CheckToken: true}
	for _, id := range []string{"app", "other"} {
		s.Clients[id] = newClient(id)
	}
	for _, name := range []string{"ann", "bob"} {
		s.Users[name] = newUser(name)
	}
	if change != nil {
		change(&s)
	}
	return s
}

func newClient(id string) client {
	return client{
		Secret: secretOf(id), Grants: []string{clientCredentials, password, authorizationCode, refreshToken},
		Scopes: []string{"a", "b"}, Redirects: []string{redirect}, AccessSeconds: 3600, RefreshSeconds: 24 * 3600,
	}
}

func newUser(name string) user { return user{Password: passwordOf(name)} }

func secretOf(client string) string { return "secret of " + client }
func passwordOf(user string) string { return "password of " + user }

// changeClient changes one of the clients; changeUser one of the users.
func (s *settings) changeClient(id string, change func(*client)) {
	c := s.Clients[id]
	change(&c)
	s.Clients[id] = c
}

func (s *settings) changeUser(name string, change func(*user)) {
	u := s.Users[name]
	change(&u)
	s.Users[name] = u
}

// request is one of the contract's.
type request struct {
	method string // POST if empty
	path   string
	form   url.Values
	query  url.Values
	client string // in the Basic header, with its secret; none if empty
	secret string // instead of the client's own
	accept string
}

// response is what it was answered. It is never printed whole: there are tokens
// in it.
type response struct {
	status int
	header http.Header
	text   string
	body   map[string]any // nil if the text is no JSON object
}

func (r response) member(name string) string {
	text, _ := r.body[name].(string)
	return text
}

func (r response) number(name string) float64 {
	n, isNumber := r.body[name].(float64)
	if !isNumber {
		return -1
	}
	return n
}

// responseTimeout is how long a server may take for a response.
const responseTimeout = 20 * time.Second

// send sends a request to a server.
func send(t *testing.T, s server, q request) response {
	t.Helper()
	method, body := q.method, io.Reader(strings.NewReader(q.form.Encode()))
	if method == "" {
		method = http.MethodPost
	}
	ctx, cancel := context.WithTimeout(t.Context(), responseTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.url()+q.path+"?"+q.query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if q.accept != "" {
		r.Header.Set("Accept", q.accept)
	}
	if q.client != "" {
		secret := q.secret
		if secret == "" {
			secret = secretOf(q.client)
		}
		r.SetBasicAuth(q.client, secret)
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := response{status: got.StatusCode, header: got.Header, text: string(text)}
	if json.Unmarshal(text, &p.body) != nil {
		p.body = nil
	}
	return p
}

// The requests of the contract, by "app".
func token(grant string, pairs ...string) request {
	return request{path: "/oauth/token", client: "app", form: values(append(pairs, "grant_type", grant)...)}
}

func login(user string, pairs ...string) request {
	return token(password, append(pairs, "username", user, "password", passwordOf(user))...)
}

func refresh(old response) request {
	return token(refreshToken, "refresh_token", old.member("refresh_token"))
}

func check(token string) request {
	return request{path: "/oauth/checkToken", client: "app", form: values("token", token)}
}

func revoke(token string) request {
	return request{path: "/oauth/revoke", client: "app", form: values("token", token)}
}

// by is the request of another client.
func (q request) by(client string) request {
	q.client = client
	return q
}

// values are of a form, or of a query: names and values alternate.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}
