package integrations

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// try runs a program that uses a module: it finds the module's folder in its
// first argument. It returns what was printed.
func try(t testing.TB, language language, issue http.Handler, program string, arguments ...string) []byte {
	t.Helper()
	f := language(t)
	flag := map[string]string{"python3.13": "-c", "nodejs22.x": "-e"}[f.Runtime]
	env := []string{
		"AWS_ENDPOINT_URL_LAMBDA=" + serve(t, issue), "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key",
	}
	return run(t, "", env, f.Command[0], append([]string{flag, program, f.Dir}, arguments...)...)
}

// A log of the token shows its fingerprint at most.
func TestPrintingATokenShowsNoText(t *testing.T) {
	for name, program := range map[string]string{
		"python": `
import sys
sys.path.insert(0, sys.argv[1])
from reltio_tokens import Tokens
t = Tokens("acme-prod").get()
print(t, repr(t), [t])
open(sys.argv[2], "w").write(t.text)`,
		"node": `(async () => {
const { Tokens } = await import(process.argv[1] + "/reltio-tokens.mjs");
const t = await new Tokens("acme-prod").get();
console.log(t, JSON.stringify(t), String(t), require("util").inspect(t, { showHidden: true, depth: 9 }));
require("fs").writeFileSync(process.argv[2], t.text);
})()`,
	} {
		t.Run(name, func(t *testing.T) {
			issue := &reltioauthtest.IssueServer{}
			text := filepath.Join(t.TempDir(), "token")
			said := try(t, keepers[name], issue, program, text)
			token, err := os.ReadFile(text)
			if err != nil {
				t.Fatal(err)
			}
			if !issue.Valid(reltioauth.NewSecret(string(token))) {
				t.Error("it got no token")
			}
			if !bytes.Contains(said, []byte("sha256:")) || bytes.Contains(said, token) {
				t.Errorf("it printed %s", bytes.ReplaceAll(said, token, []byte("the token")))
			}
		})
	}
}

// In its last minute a token is used while the next one cannot be had, and issue
// is not asked for that again and again; when it has ended it is not used.
func TestTheLastMinuteInAnOutage(t *testing.T) {
	for name, program := range map[string]string{
		"python": `
import json, sys, time
sys.path.insert(0, sys.argv[1])
from reltio_tokens import Tokens
tokens, now, got = Tokens("acme-prod", patience=0), time.time(), []
for later in 0, 3500, 3545, 3546, 3580, 3600, 3601:
    time.time = lambda: now + later
    try:
        got.append(tokens.get().fingerprint[:6])
    except Exception as e:
        got.append(type(e).__name__)
print(json.dumps(got))`,
		"node": `(async () => {
const { Tokens } = await import(process.argv[1] + "/reltio-tokens.mjs");
const tokens = new Tokens("acme-prod", { patience: 0 });
const now = Date.now(), got = [];
for (const later of [0, 3500, 3545, 3546, 3580, 3600, 3601]) {
  Date.now = () => now + 1000 * later;
  try {
    got.push((await tokens.get()).fingerprint.slice(0, 6));
  } catch (e) {
    got.push(e.name);
  }
}
console.log(JSON.stringify(got));
})()`,
	} {
		t.Run(name, func(t *testing.T) {
			issue := &reltioauthtest.IssueServer{}
			outage := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if issue.Asked(connection) > 0 {
					issue.Fail(connection, "ReltioUnavailable", "")
				}
				issue.ServeHTTP(w, r)
			})
			var got []string
			if err := json.Unmarshal(try(t, keepers[name], outage, program), &got); err != nil {
				t.Fatal(err)
			}
			const token, trouble = "sha256", "ReltioUnavailable"
			if diff := cmp.Diff([]string{token, token, token, token, token, trouble, trouble}, got); diff != "" {
				t.Errorf("what callers got (-want +got):\n%s", diff)
			}
			// At first, at 3545, at 3580, and after the end; each failure stands for a second or two.
			if got := issue.Asked(connection); got < 4 || got > 5 {
				t.Errorf("issue was asked %d times, want 4 or 5", got)
			}
		})
	}
}

// A job that needs a long life asks for it.
func TestALongJobAsksForALongLife(t *testing.T) {
	for name, program := range map[string]string{
		"python": `
import sys
sys.path.insert(0, sys.argv[1])
from reltio_tokens import Tokens
Tokens("acme-prod", min_life=1200).get()`,
		"node": `(async () => {
const { Tokens } = await import(process.argv[1] + "/reltio-tokens.mjs");
await new Tokens("acme-prod", { minLife: 1200 }).get();
})()`,
	} {
		t.Run(name, func(t *testing.T) {
			issue := &reltioauthtest.IssueServer{}
			var asked struct {
				Life int `json:"min_ttl_seconds"`
			}
			try(t, keepers[name], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var payload bytes.Buffer
				if err := json.NewDecoder(io.TeeReader(r.Body, &payload)).Decode(&asked); err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(&payload)
				issue.ServeHTTP(w, r)
			}), program)
			if asked.Life != 1200 {
				t.Errorf("it asked for %d s, want 1200", asked.Life)
			}
		})
	}
}
