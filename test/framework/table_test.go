package framework

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// envTable names the file that the table is written to, if it is set.
const envTable = "RELTIO_TOKENS_FRAMEWORK_TABLE"

// row is one of the table: what the framework does. Each test that runs the
// service says what that did with it.
type row struct{ id, question, framework string }

func rows() []row {
	return []row{
		{"same", "Same token while one is valid", "For every login, per user, client and scope; `expires_in` truncated, 0 in the last second"},
		{"refresh", "Refresh", "Same refresh token, its clock goes on; the old access token is dead"},
		{"rotating", "Refresh, the other setting", "New refresh token with a new clock; both old tokens are dead"},
		{"user", "Wrong, locked, disabled, expired user", "400 `invalid_grant`; at a refresh too"},
		{"login store", "User store down, login", "401 `unauthorized` with the exception's text"},
		{"refresh store", "User store down, refresh", "The same, or 500 `server_error`"},
		{"client store", "Client store down", "401 `unauthorized` with the exception's text"},
		{"secret", "Wrong client secret", "401 `unauthorized`; by form `invalid_client`; without an entry point no OAuth code"},
		{"grant type", "Client without the grant type", "401 `invalid_client`"},
		{"refresh ended", "Refresh token past its end", "401 `invalid_token`"},
		{"refresh told", "The same, `refresh_token_days` set", "A login before its end gives it again"},
		{"code", "Code used, or after a failed try", "400 `invalid_grant`"},
		{"dead", "Token dead before its end, reported", "checkToken: 400 `invalid_token`"},
		{"denied", "checkToken not permitted", "403"},
		{"form", "Clients authenticated by form", "At the token endpoint alone"},
		{"user name", "checkToken: user", "`user_name`"},
		{"pkce", "PKCE", "Ignored"},
		{"xml", "Errors as XML", "For `Accept: application/xml` alone"},
		{"lost", "Restart with all tokens lost", "checkToken 400, refresh 400 `invalid_grant`"},
		{"parallel", "Parallel refreshes and logins", "Several may succeed"},
	}
}

// done is what the service did, by row.
var done = struct {
	sync.Mutex
	what map[string][]string
}{what: map[string][]string{}}

// did says what the service did about a row, unless the test has failed.
func did(t *testing.T, id, format string, args ...any) {
	t.Helper()
	if t.Failed() {
		return
	}
	done.Lock()
	defer done.Unlock()
	if what := fmt.Sprintf(format, args...); !slices.Contains(done.what[id], what) {
		done.what[id] = append(done.what[id], what)
	}
}

// writeTable writes the table, if UPDATE asks for it.
func writeTable() error {
	path := os.Getenv(envTable)
	if path == "" {
		return nil
	}
	var text strings.Builder
	text.WriteString("# The service and Spring Security OAuth2\n\n" +
		"What the framework behind Reltio's server does, and what the service did with it: seen by\n" +
		"`make framework`, which runs the functions' binaries against the framework (2.5.2.RELEASE).\n" +
		"`UPDATE=1 make framework` writes this file.\n\n" +
		"| | The framework | The service |\n|---|---|---|\n")
	for _, r := range rows() {
		slices.Sort(done.what[r.id])
		fmt.Fprintf(&text, "| %s | %s | %s |\n", r.question, r.framework, cmp.Or(strings.Join(done.what[r.id], "; "), "**not seen**"))
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}
