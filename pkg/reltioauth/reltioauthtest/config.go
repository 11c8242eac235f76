package reltioauthtest

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Defaults of a Config whose fields are zero.
const (
	DefaultAccessTokenTTL  = time.Hour
	DefaultRefreshTokenTTL = 28 * 24 * time.Hour
	DefaultCodeTTL         = time.Minute
	DefaultStateTokenTTL   = 10 * time.Minute
	DefaultRateLimit       = 10
	DefaultLockAfter       = 5
)

// Config is the server's clients, users and behaviour. The zero value is a server
// without clients and users. A server keeps its own copy; change it with
// [Server.Configure].
type Config struct {
	// Now is the server's clock. Nil means time.Now. While it runs backwards, the
	// server's time stands still. It must not call the server.
	Now func() time.Time
	// Rand is the source of tokens; nil means crypto/rand. A seeded reader makes
	// a simulation repeatable. One request at a time reads from it.
	Rand io.Reader

	// Clients are the registered OAuth clients.
	Clients []Client
	// Users are those who can log in, by password or at the login page.
	Users []User
	// Behaviour applies to every client without its own.
	Behaviour Behaviour

	// RateLimit is how many token requests per rolling second are let
	// through; the others get 429. Zero means 10, negative means no limit.
	RateLimit int
	// RateLimitPerClient gives each client its own rate limit. Otherwise all
	// token requests share one.
	RateLimitPerClient bool
	// RateLimitCountsRefused makes a request with a 429 response count against
	// the following second too.
	RateLimitCountsRefused bool
	// RetryAfter is sent with a 429, in whole seconds rounded up. Zero means
	// that the header is not sent.
	RetryAfter time.Duration
	// RetryAfterDate sends RetryAfter as an HTTP date.
	RetryAfterDate bool

	// LockAfter is how many bad logins in a row lock a user. Zero means 5,
	// negative means that no user is locked.
	LockAfter int
	// CodeTTL is the life of an authorization code. Zero means one minute.
	CodeTTL time.Duration
	// StateTokenTTL is the life of the state token between the two steps of a
	// login with a second factor. Zero means ten minutes.
	StateTokenTTL time.Duration

	// LoginNote, if not empty, is shown on the login page: which user to type, for
	// example.
	LoginNote string

	// KeepRequests is how many of the latest requests are kept for
	// [Server.Requests]. Zero means all, negative none. Counts are always
	// complete: they take eight bytes for each token request. Only New reads it.
	KeepRequests int

	// Fault, if not nil, is called for every request before the server acts,
	// unless an outage covers the request. It is called without a lock and from
	// several goroutines, and may call the server. Outcome, Status and the given
	// tokens are not known yet.
	Fault func(Request) Fault
}

// Client is a registered OAuth client.
type Client struct {
	// ID and Secret are its credentials.
	ID     string
	Secret reltioauth.Secret
	// ClientAuth are the styles in which it may authenticate. Empty means Basic
	// only.
	ClientAuth []reltioauth.ClientAuth
	// GrantTypes are the grant types it may use. Empty means all.
	GrantTypes []string
	// Scopes are those that it is given. A request may ask for fewer. If there
	// are none, the client is given the scopes that it asks for.
	Scopes []string
	// Roles are shown by checkToken for a token without a user.
	Roles []string
	// RedirectURIs are the redirection endpoints that it may name. Empty means
	// any.
	RedirectURIs []string
	// RequirePKCE refuses authorization requests without a code challenge.
	RequirePKCE bool
	// AccessTokenTTL is the life of its access tokens. Zero means an hour.
	AccessTokenTTL time.Duration
	// RefreshTokenTTL is the life of its refresh tokens. Zero means 28 days.
	RefreshTokenTTL time.Duration
	// MultiToken switches Multi Token Support on: each client_credentials request
	// gets a new token, and at most this many are valid at a time. Zero means
	// off.
	MultiToken int
	// Behaviour, if not nil, is used for this client instead of the server's.
	Behaviour *Behaviour
}

// User is a person who can log in. User names are not case sensitive.
type User struct {
	// Username and Password are the credentials.
	Username string
	Password reltioauth.Secret
	// TOTP, if not zero, is the second factor: the response to a password login
	// is a state token, and this text completes the login. The login page does
	// not ask for it, as if the identity provider had.
	TOTP reltioauth.Secret
	// Authenticator, if not nil, takes the place of TOTP: what the user's authenticator
	// shows at a moment (RFC 6238). A code is accepted once.
	Authenticator func(now time.Time) reltioauth.Secret
	// Email, Customer, Tenants and Roles are shown by checkToken.
	Email    string
	Customer string
	Tenants  []string
	Roles    []string
}

// settings is a Config prepared for serving. It is never changed, only replaced.
type settings struct {
	Config
	clients map[string]*Client
	users   map[string]*User
}

// newSettings copies cfg, so that its owner can continue to use it, and fills in
// the defaults.
func newSettings(cfg Config) *settings {
	set := &settings{Config: clone(cfg)}
	orDefault(&set.RateLimit, DefaultRateLimit)
	orDefault(&set.LockAfter, DefaultLockAfter)
	orDefault(&set.CodeTTL, DefaultCodeTTL)
	orDefault(&set.StateTokenTTL, DefaultStateTokenTTL)
	if set.Now == nil {
		set.Now = time.Now //nolint:forbidigo // the documented default
	}
	set.clients = make(map[string]*Client, len(set.Clients))
	for i := range set.Clients {
		client := &set.Clients[i]
		orDefault(&client.AccessTokenTTL, DefaultAccessTokenTTL)
		orDefault(&client.RefreshTokenTTL, DefaultRefreshTokenTTL)
		set.clients[client.ID] = client
	}
	set.users = make(map[string]*User, len(set.Users))
	for i := range set.Users {
		set.users[userKey(set.Users[i].Username)] = &set.Users[i]
	}
	return set
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// clone copies the parts that the caller of Configure may change in place.
func clone(cfg Config) Config {
	cfg.Clients = slices.Clone(cfg.Clients)
	for i, client := range cfg.Clients {
		if client.Behaviour != nil {
			own := *client.Behaviour
			cfg.Clients[i].Behaviour = &own
		}
	}
	cfg.Users = slices.Clone(cfg.Users)
	return cfg
}

// behaviour is the Behaviour for a client, known to the server or not.
func (set *settings) behaviour(clientID string) *Behaviour {
	if client := set.clients[clientID]; client != nil && client.Behaviour != nil {
		return client.Behaviour
	}
	return &set.Behaviour
}

// userKey is the key of a user in the server's maps.
func userKey(username string) string { return strings.ToLower(username) }
