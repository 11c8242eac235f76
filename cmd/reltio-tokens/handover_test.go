package main

import (
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// elsewhere is a refresh token that another program got.
func (a *account) elsewhere() string {
	a.t.Helper()
	token, err := a.reltio.Client("client-1").Token(a.t.Context(), reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret(canary + "-right")})
	if err != nil {
		a.t.Fatal(err)
	}
	return token.RefreshToken.Reveal()
}

// A refresh token is read from standard input, tried, and stored; one that the
// server refuses is not, and its words are printed.
func TestConnectByARefreshToken(t *testing.T) {
	a := onAWS(t)
	a.connect("person", map[string]any{"grant_type": "authorization_code", "tenant_id": "t"})
	c := a.command
	c.in = canary + "-unknown\n"
	c.expect(1, "", `^person: not connected: the refresh token is of no use any more \(invalid_grant, HTTP 400.*\)\n  nothing was stored\n$`, "connect", "person", "--refresh-token", "-")
	c.expect(1, `"ok": false,\n  "server": \{`, "", "connect", "person", "--refresh-token=-", "--json")
	c.in = ""
	c.expect(1, "", `refresh_token: must be`, "connect", "person", "--refresh-token", "-")
	c.in = a.elsewhere() + "\n"
	c.expect(0, `^person: connected\n  user           ann\n  token          until \S+Z\n  refresh token  until \S+Z\n$`, "", "connect", "person", "--refresh-token", "-")
}

// A login is tried after asking, and what the server said is printed.
func TestCheckByALogin(t *testing.T) {
	a := onAWS(t)
	a.connect("user", map[string]any{"grant_type": "password", "username": "ann", "password": canary + "-right"})
	a.connect("person", map[string]any{"grant_type": "authorization_code", "tenant_id": "t"})
	a.connect("malformed", map[string]any{"grant_type": "password"})
	c := a.command
	c.in = "\n"
	c.expect(1, "", `^user: not tried\n$`, "check", "user", "--login")
	c.in = ""
	c.expect(2, "", `check --login asks first: answer y on standard input, or give --yes`, "check", "user", "--login")
	c.in = "y\n"
	c.expect(0, `^user: ok\n  grant type  password\n  host        \S+\n  account     account#[0-9a-f]{64}, of this connection\n  refused     0 logins with these credentials\n`+
		`  login       accepted; its tokens are stored\n  token          until \S+Z\n  refresh token  until \S+Z\n$`, "", "check", "user", "--login")
	c.expect(0, `outcome      cached\n`, "", "issue", "user")
	c.expect(1, "", `InvalidRequest: grant_type: is authorization_code`, "check", "person", "--login", "--yes")
	c.expect(1, `^malformed: not usable\n`, "", "check", "malformed", "--login", "--yes")
	a.reltio.SetPassword("ann", reltioauth.NewSecret(canary+"-another"))
	for i := range 2 {
		c.expect(1, `^user: not usable\n  problem     server: the user name or the password is wrong \(invalid_grant, HTTP 400: .*\)\n(.*\n)+  refused     [12] logins with these credentials\n$`, "", "check", "user", "--login", "-y")
		if got := a.reltio.RefusedLogins("ann", time.Time{}, time.Time{}); got != i+1 {
			t.Errorf("%d refused logins, want %d", got, i+1)
		}
	}
	c.expect(1, "", `^reltio-tokens: CredentialsRejected: not sent, to prevent a lock-out`, "check", "user", "--login", "-y")
	a.reltio.SetPassword("ann", reltioauth.NewSecret(canary+"-right"))
	c.run("resume", "user")
	c.expect(0, `"login": \{\n    "connection": "user",\n    "ok": true`, "", "check", "user", "--login", "-y", "--login-attempts=1", "--json").mustNot(t, canary)
}

// A forced renewal at a host that is down says when it can be asked again.
func TestRotateAtAHostThatIsDown(t *testing.T) {
	a := onAWS(t)
	a.connect("user", map[string]any{"grant_type": "password", "username": "ann", "password": canary + "-right"})
	a.reltio.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 503}})
	a.command.expect(1, "", `^user: failed: ReltioUnavailable: .*HTTP 503\n  it is tried again by itself at \S+Z\n$`, "rotate", "user", "--force")
	a.command.expect(1, "", `\n  it is tried again by itself at \S+Z\n$`, "rotate", "user", "--force")
}

// mustNot fails if a text was printed.
func (r ran) mustNot(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(r.out+r.err, text) {
		t.Errorf("%q was printed", text)
	}
}
