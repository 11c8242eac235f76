// Package connection is one named way into Reltio: what its secret says, and so
// whose grant it is.
//
// An operator writes a secret; Parse reads it strictly, field by field, and
// reports all its mistakes at once. A connection that parses can be used: its
// host is allowed, and its grant type has all the fields that it needs and no
// others.
//
//	source, err := secrets.Connection(ctx, name)   // ErrNotFound: no such connection
//	c, err := connection.Parse(name, source, hosts) // apierr.InvalidConnection
//	client := c.Client()
//
// Parsing is pure; only Secrets blocks.
package connection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// GrantType is the way a connection gets its tokens, in the words of RFC 6749.
type GrantType string

// The grant types.
const (
	// Password logs in as a user (RFC 6749 section 4.3).
	Password GrantType = "password"
	// ClientCredentials logs in as a client (RFC 6749 section 4.4).
	ClientCredentials GrantType = "client_credentials"
	// AuthorizationCode needs a person with a browser (RFC 6749 section 4.1).
	AuthorizationCode GrantType = "authorization_code"
)

// Connection is a parsed secret. It holds credentials, none of which can be
// printed.
type Connection struct {
	Name string
	// Version is the secret's version that was parsed.
	Version      string
	GrantType    GrantType
	AuthURL      string
	ClientID     string
	ClientSecret reltioauth.Secret
	ClientAuth   reltioauth.ClientAuth
	// Username and Password are set for the password grant alone.
	Username string
	Password reltioauth.Secret
	// TOTPSecret is the key of the user's authenticator (RFC 6238) in base32
	// without padding: capital letters and the digits 2 to 7. Optional, for the
	// password grant alone.
	TOTPSecret reltioauth.Secret
	// TenantID is required for the authorization-code grant, and for the others
	// what callers are told beside APIURL.
	TenantID string
	// PKCE and ExpectedUser are for the authorization-code grant.
	PKCE         bool
	ExpectedUser string
	// RefreshTokenLife is how long a refresh token is valid from its login.
	RefreshTokenLife time.Duration
	// Scope is sent with logins, not with refreshes.
	Scope string
	// TokenParams are more parameters that are sent with logins, not with
	// refreshes, by name; the service sends none of these names itself.
	TokenParams map[string]reltioauth.Secret
	// APIURL is where callers use the token; nothing is sent there.
	APIURL string
	// Aliases that may have the connection's tokens; none: all callers may.
	Aliases []string
	// TokenInQuery is for servers whose revoke and checkToken read only the
	// query.
	TokenInQuery bool
	host         string
}

// Kind is the JSON type of a field's value.
type Kind string

// The kinds.
const (
	Text   Kind = "text"
	Flag   Kind = "boolean"
	Number Kind = "number"
	Texts  Kind = "list of texts"
	Object Kind = "object of texts"
)

// Field is what others than the parser have to know of a field of a secret.
type Field struct {
	Name string
	Kind Kind
	// Hidden: the value is secret, or may be, and is shown to no person.
	Hidden bool
	// Only are the grant types that use the field; none: all do.
	Only []GrantType
}

// Fields are all fields of a secret. Export, import, the flags of the add command and
// the tests of the documents follow this list.
func Fields() []Field {
	code, password := []GrantType{AuthorizationCode}, []GrantType{Password}
	refreshing := []GrantType{Password, AuthorizationCode}
	return []Field{
		{Name: "grant_type", Kind: Text},
		{Name: "client_id", Kind: Text},
		{Name: "client_secret", Kind: Text, Hidden: true},
		{Name: "username", Kind: Text, Only: password},
		{Name: "password", Kind: Text, Hidden: true, Only: password},
		{Name: "totp_secret", Kind: Text, Hidden: true, Only: password},
		{Name: "tenant_id", Kind: Text},
		{Name: "auth_url", Kind: Text},
		{Name: "api_url", Kind: Text},
		{Name: "client_auth", Kind: Text},
		{Name: "scope", Kind: Text},
		{Name: "token_params", Kind: Object, Hidden: true},
		{Name: "aliases", Kind: Texts},
		{Name: "refresh_token_days", Kind: Number, Only: refreshing},
		{Name: "pkce", Kind: Flag, Only: code},
		{Name: "expected_user", Kind: Text, Only: code},
		{Name: "token_in_query", Kind: Flag},
	}
}

// UsedBy reports whether the grant type uses the field.
func (f Field) UsedBy(t GrantType) bool { return len(f.Only) == 0 || slices.Contains(f.Only, t) }

// Host is the authorization server's "host:port" in lower case: the key of a
// rate limit.
func (c *Connection) Host() string { return c.host }

// IdentityHash says whose grant it is: a grant of another identity does not
// belong to this connection. It is the SHA-256 over host, client, grant type,
// user name and tenant.
func (c *Connection) IdentityHash() string {
	return Hash(c.host, c.ClientID, string(c.GrantType), c.Username, c.TenantID)
}

// AccountHash names what Reltio locks after refused logins: the SHA-256 over
// host and user name in lower case. A client without a user has an account for
// each connection, because it cannot be locked; Reltio never sees it.
func (c *Connection) AccountHash() string {
	if c.GrantType != Password {
		return Hash(c.host, "", c.ClientID, c.Name)
	}
	return Hash(c.host, strings.ToLower(c.Username))
}

// HasUser reports whether a login risks a user's account.
func (c *Connection) HasUser() bool { return c.GrantType == Password }

// Refreshes reports whether the grant type can have a refresh token.
func (c *Connection) Refreshes() bool { return c.GrantType != ClientCredentials }

// LogsInAlone reports whether a login needs no person.
func (c *Connection) LogsInAlone() bool { return c.GrantType != AuthorizationCode }

// CredentialsHash names the credentials of a login without holding them: the
// SHA-256 over client, client secret, user name and password.
func (c *Connection) CredentialsHash() string {
	return Hash(c.ClientID, c.ClientSecret.Reveal(), c.Username, c.Password.Reveal())
}

// ClientKey names the client at its host, for the lists of throttled and served
// clients.
func (c *Connection) ClientKey() string { return Hash(c.host, c.ClientID) }

// Client is the client of the connection's authorization server. The caller
// sets Connect and Now.
func (c *Connection) Client() reltioauth.Client {
	return reltioauth.Client{
		AuthURL:      c.AuthURL,
		ClientID:     c.ClientID,
		ClientSecret: c.ClientSecret,
		ClientAuth:   c.ClientAuth,
		TokenInQuery: c.TokenInQuery,
	}
}

// Login is the grant that gets a first token without a person; nil for the
// authorization-code grant.
func (c *Connection) Login() reltioauth.Grant {
	switch c.GrantType {
	case Password:
		return reltioauth.PasswordGrant{Username: c.Username, Password: c.Password, Scope: c.Scope, Params: c.LoginParams()}
	case ClientCredentials:
		return reltioauth.ClientCredentialsGrant{Scope: c.Scope, Params: c.LoginParams()}
	default:
		return nil
	}
}

// LoginParams are the parameters that every login has beside those of its grant type.
// A field that is sent with logins is added here, and to ownParams.
func (c *Connection) LoginParams() map[string]reltioauth.Secret { return c.TokenParams }

// Hash is the SHA-256 over several values: the lower-case hexadecimal hash of
// their JSON array.
func Hash(values ...string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A slice of strings always encodes.
	_ = e.Encode(values)
	sum := sha256.Sum256([]byte(strings.TrimSuffix(b.String(), "\n")))
	return hex.EncodeToString(sum[:])
}

// ValidName reports whether a connection can have the name.
func ValidName(s string) bool { return issueapi.ValidConnection(s) }

// NameRule is the error text for a name that is not valid.
const NameRule = issueapi.ConnectionRule

// ErrNotFound says that there is no secret for the connection, or that it is
// scheduled for deletion.
var ErrNotFound = errors.New("connection: not found")

// Source is a connection's secret as it is stored.
type Source struct {
	// Value is JSON, as an operator wrote it.
	Value reltioauth.Secret
	// Version is the secret's current version.
	Version string
}

// Secrets reads connections. All methods are safe for concurrent use. A missing
// secret, and one scheduled for deletion, is ErrNotFound; any other failure is
// an apierr.Error of type StoreUnavailable.
type Secrets interface {
	// Connection returns the current secret.
	Connection(ctx context.Context, name string) (Source, error)
	// ConnectionVersion returns the current version without reading the secret.
	// It is cheap, for grants that wait for new credentials.
	ConnectionVersion(ctx context.Context, name string) (string, error)
}
