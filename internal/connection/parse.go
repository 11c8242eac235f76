package connection

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// DefaultRefreshTokenDays is how long Reltio documents refresh tokens to live.
const DefaultRefreshTokenDays = 28

// maxRefreshTokenDays is the longest life of a refresh token that is believed.
const maxRefreshTokenDays = 365

// maxText bounds every text of a secret, in bytes.
const maxText = 4096

// Parse reads the secret of the connection. All its mistakes are in one
// apierr.Error of type InvalidConnection, which holds field names and never a
// value.
func Parse(name string, source Source, hosts Hosts) (*Connection, error) {
	o, err := object(source.Value.Reveal())
	if err != nil {
		return nil, apierr.New(apierr.InvalidConnection, "secret: "+err.Error())
	}
	p := parser{o}
	c := &Connection{Name: name, Version: source.Version, GrantType: p.grantType()}
	c.ClientID = p.requiredName("client_id")
	c.ClientSecret = reltioauth.NewSecret(p.required("client_secret"))
	c.ClientAuth = p.clientAuth(c.ClientID)
	c.AuthURL, c.host = p.authURL(hosts)
	c.TenantID = p.tenantID(c.GrantType)
	c.APIURL = p.apiURL()
	c.Scope = p.optional("scope")
	c.TokenParams = p.tokenParams()
	c.Aliases = p.aliases()
	c.TokenInQuery = o.Bool("token_in_query")
	p.specific(c)
	if problems := o.Problems(); len(problems) > 0 {
		return nil, apierr.Fields(apierr.InvalidConnection, problems)
	}
	return c, nil
}

// parser takes fields out of a secret and remembers their mistakes.
type parser struct{ o *strictjson.Object }

func (p parser) grantType() GrantType {
	t := GrantType(p.required("grant_type"))
	if !t.known() && t != "" {
		p.o.Problem("grant_type", "must be password, client_credentials or authorization_code")
	}
	return t
}

// known reports whether it is one of the grant types.
func (t GrantType) known() bool {
	return slices.Contains([]GrantType{Password, ClientCredentials, AuthorizationCode}, t)
}

// specific reads the fields that only some grant types use, and refuses them
// for the others.
func (p parser) specific(c *Connection) {
	for _, field := range Fields() {
		switch {
		case field.UsedBy(c.GrantType) || !p.o.Has(field.Name):
		case !c.GrantType.known():
			p.o.Known(field.Name) // the grant type is wrong and reported already
		default:
			p.o.Known(field.Name)
			p.o.Problem(field.Name, "is not used by "+string(c.GrantType))
		}
	}
	switch c.GrantType {
	case Password:
		c.Username = p.requiredName("username")
		c.Password = reltioauth.NewSecret(p.requiredAny("password"))
		c.TOTPSecret = p.totpSecret()
	case AuthorizationCode:
		c.PKCE = p.o.Bool("pkce")
		c.ExpectedUser = p.optionalName("expected_user")
	case ClientCredentials:
	}
	if c.GrantType.known() && c.Refreshes() {
		c.RefreshTokenLife = p.refreshTokenLife()
	}
}

func (p parser) required(field string) string {
	text := p.requiredAny(field)
	p.plain(field, text)
	return text
}

// requiredAny is required for a text that may hold any character.
func (p parser) requiredAny(field string) string {
	if !p.o.Has(field) {
		p.o.Problem(field, "is required")
		return ""
	}
	text := p.o.String(field)
	p.bounded(field, text)
	return text
}

// requiredName and optionalName are for texts that name something, and must
// have no invisible characters.
func (p parser) requiredName(field string) string {
	text := p.required(field)
	p.visible(field, text)
	return text
}

func (p parser) optionalName(field string) string {
	text := p.optional(field)
	p.visible(field, text)
	return text
}

// tenantID is required where a person's login needs it.
func (p parser) tenantID(t GrantType) string {
	if t == AuthorizationCode {
		return p.requiredName("tenant_id")
	}
	return p.optionalName("tenant_id")
}

func (p parser) optional(field string) string {
	if !p.o.Has(field) {
		return ""
	}
	text := p.o.String(field)
	p.bounded(field, text)
	p.plain(field, text)
	return text
}

func (p parser) bounded(field, text string) {
	if text == "" {
		p.o.Problem(field, "must be a text that is not empty")
	}
	if len(text) > maxText {
		p.o.Problem(field, fmt.Sprintf("must have at most %d bytes", maxText))
	}
}

func (p parser) plain(field, text string) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		p.o.Problem(field, "must not have control characters")
	}
}

func (p parser) clientAuth(clientID string) reltioauth.ClientAuth {
	switch style := p.optional("client_auth"); style {
	case "", "basic":
		if strings.Contains(clientID, ":") {
			p.o.Problem("client_id", "must not have a colon with client_auth basic")
		}
		return reltioauth.ClientAuthBasic
	case "post":
		return reltioauth.ClientAuthPost
	default:
		p.o.Problem("client_auth", "must be basic or post")
		return reltioauth.ClientAuthBasic
	}
}

func (p parser) authURL(hosts Hosts) (authURL, host string) {
	text := reltioauth.DefaultAuthURL
	if p.o.Has("auth_url") {
		text = p.optional("auth_url")
	}
	u, host, err := normalURL(text)
	switch {
	case err != nil:
		p.o.Problem("auth_url", err.Error())
	case !hosts.Allow(host):
		p.o.Problem("auth_url", "its host is not in AUTH_HOSTS")
	}
	return u, host
}

func (p parser) refreshTokenLife() time.Duration {
	const day = 24 * time.Hour
	if !p.o.Has("refresh_token_days") {
		return DefaultRefreshTokenDays * day
	}
	days := p.o.Number("refresh_token_days")
	life := math.Round(days * float64(day/time.Millisecond)) // of milliseconds, as grants count
	if life <= 0 || days > maxRefreshTokenDays {
		p.o.Problem("refresh_token_days", fmt.Sprintf("must be a number above 0 and at most %d", maxRefreshTokenDays))
		return 0
	}
	return time.Duration(life) * time.Millisecond
}

// alias is what Lambda lets an alias be called; a name of digits alone would be
// a version.
var (
	// alias is the form of an alias that Lambda allows; a name of digits alone
	// would be a version.
	alias  = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	digits = regexp.MustCompile(`^[0-9]+$`)
)

// maxAliases bounds the list of aliases.
const maxAliases = 100

func (p parser) aliases() []string {
	if !p.o.Has("aliases") {
		return nil
	}
	list := p.o.Strings("aliases")
	if len(list) == 0 || len(list) > maxAliases {
		p.o.Problem("aliases", fmt.Sprintf("must name 1 to %d aliases of the issue function", maxAliases))
	}
	for _, name := range list {
		if !alias.MatchString(name) || digits.MatchString(name) {
			p.o.Problem("aliases", "must be names of aliases of the issue function")
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
