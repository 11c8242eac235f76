package framework

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// rule is one row of the contract: what a server does that is made so.
type rule struct {
	state string
	// with changes the server's settings before it starts; nil leaves them.
	with  func(*settings)
	check func(t *testing.T, s server)
}

// implementations are the two servers.
func implementations() map[string]func(*testing.T, settings) server {
	return map[string]func(*testing.T, settings) server{
		"framework": func(t *testing.T, s settings) server { return startSpring(t, s) },
		"sandbox":   startSandbox,
	}
}

// contract are all rules, by what they are about.
func contract() map[string][]rule {
	return map[string][]rule{
		"token":      tokenRules(),
		"refresh":    refreshRules(),
		"client":     clientRules(),
		"user":       userRules(),
		"request":    requestRules(),
		"code":       codeRules(),
		"sso":        ssoRules(),
		"checkToken": checkRules(),
		"revoke":     revokeRules(),
	}
}

// TestContract runs every rule on both servers.
func TestContract(t *testing.T) {
	t.Parallel()
	for name, start := range implementations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for about, rules := range contract() {
				for _, r := range rules {
					t.Run(about+": "+r.state, func(t *testing.T) {
						quick(t)
						r.check(t, start(t, newSettings(r.with)))
					})
				}
			}
		})
	}
}

// wantToken fails the test unless the response has a token, and returns it.
func wantToken(t *testing.T, r response) string {
	t.Helper()
	text := r.member("access_token")
	if r.status != http.StatusOK || text == "" {
		t.Fatalf("no token: HTTP %d, %s %s", r.status, r.member("error"), r.member("error_description"))
	}
	return text
}

// refusal is how a request is refused.
type refusal struct {
	status            int
	code, description string
	// authenticate is how the header WWW-Authenticate begins; empty means that
	// there is none.
	authenticate string
}

func (want refusal) of(t *testing.T, r response) {
	t.Helper()
	got := refusal{r.status, r.member("error"), r.member("error_description"), r.header.Get("WWW-Authenticate")}
	if got.status != want.status || got.code != want.code || got.description != want.description ||
		!strings.HasPrefix(got.authenticate, want.authenticate) || (want.authenticate == "") != (got.authenticate == "") {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if cache := r.header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control is %q", cache)
	}
}

// The refusals that more than one rule names.
func invalidGrant(description string) refusal {
	return refusal{http.StatusBadRequest, "invalid_grant", description, ""}
}

func inactiveToken(description string) refusal {
	return refusal{http.StatusBadRequest, "invalid_token", description, ""}
}

// badClient is what a client hears whose Basic header is refused.
func badClient(description string) refusal {
	return refusal{
		http.StatusUnauthorized, "unauthorized", description,
		`Basic realm="oauth2/client", error="unauthorized", error_description="` + description + `"`,
	}
}

// badGrant is what a client hears that is known, about what it may not do.
func badGrant(description string) refusal {
	return refusal{
		http.StatusUnauthorized, "invalid_client", description,
		`Bearer error="invalid_client", error_description="` + description + `"`,
	}
}

// shortTokens makes access tokens end after so many seconds.
func shortTokens(seconds int) func(*settings) {
	return func(s *settings) {
		for id := range s.Clients {
			s.changeClient(id, func(c *client) { c.AccessSeconds = seconds })
		}
	}
}

// wait waits for the server's clock, which is the machine's.
func wait(d time.Duration) { time.Sleep(d) }
