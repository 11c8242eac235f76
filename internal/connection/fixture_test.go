package connection_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// canary stands in values that must not come out in an error.
const canary = "c4n4ry"

const day = 24 * time.Hour

func reltio() connection.Hosts { return connection.Hosts{"auth.reltio.com:443"} }

// fields are a secret's fields, as JSON reads them.
type fields map[string]any

// minimal is the least that a grant type needs.
func minimal(t connection.GrantType) fields {
	f := fields{"grant_type": string(t), "client_id": "client", "client_secret": canary + "-client"}
	switch t {
	case connection.Password:
		f["username"], f["password"] = "user", canary+"-password"
	case connection.AuthorizationCode:
		f["tenant_id"] = "tenant"
	case connection.ClientCredentials:
	}
	return f
}

func grantTypes() []connection.GrantType {
	return []connection.GrantType{connection.Password, connection.ClientCredentials, connection.AuthorizationCode}
}

func with(f fields, name string, value any) fields {
	f = maps.Clone(f)
	f[name] = value
	return f
}

func without(f fields, name string) fields {
	f = maps.Clone(f)
	delete(f, name)
	return f
}

func secret(f fields) connection.Source {
	text, _ := json.Marshal(f)
	return sourceOf(string(text))
}

func sourceOf(text string) connection.Source {
	return connection.Source{Value: reltioauth.NewSecret(text), Version: "v1"}
}

// raw is a minimal secret with one more member, letter by letter.
func raw(t connection.GrantType, member string) connection.Source {
	text, _ := json.Marshal(minimal(t))
	return sourceOf(strings.TrimSuffix(string(text), "}") + "," + member + "}")
}

// wantProblems: the error is InvalidConnection and says these, in this order,
// and nothing of what the secret holds.
func wantProblems(t *testing.T, err error, problems ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", problems)
	}
	if got, want := err.Error(), "InvalidConnection: "+strings.Join(problems, "; "); got != want {
		t.Errorf("error %s\nwant  %s", got, want)
	}
	if got := apierr.Of(err).Type; got != apierr.InvalidConnection {
		t.Errorf("type %s, want %s", got, apierr.InvalidConnection)
	}
	if strings.Contains(logtest.Printed(err), canary) {
		t.Error("the error holds a value")
	}
}

// plain is a connection without its secrets, for comparing.
type plain struct {
	Name, Version, AuthURL, Host string
	GrantType                    connection.GrantType
	ClientID, ClientSecret       string
	ClientAuth                   reltioauth.ClientAuth
	Username, Password           string
	TenantID, ExpectedUser       string
	TOTPSecret, APIURL           string
	TokenParams                  map[string]string
	PKCE, TokenInQuery           bool
	RefreshTokenLife             time.Duration
	Scope                        string
	Aliases                      []string
}

func reveal(c *connection.Connection) plain {
	var params map[string]string
	for name, value := range c.TokenParams {
		if params == nil {
			params = map[string]string{}
		}
		params[name] = value.Reveal()
	}
	return plain{
		c.Name, c.Version, c.AuthURL, c.Host(), c.GrantType, c.ClientID, c.ClientSecret.Reveal(), c.ClientAuth,
		c.Username, c.Password.Reveal(), c.TenantID, c.ExpectedUser, c.TOTPSecret.Reveal(), c.APIURL, params,
		c.PKCE, c.TokenInQuery, c.RefreshTokenLife, c.Scope, c.Aliases,
	}
}
