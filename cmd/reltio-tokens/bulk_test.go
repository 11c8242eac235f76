package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file writes a file to import.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file is imported row by row, as often as one likes; the plan says what happens.
func TestImportOfAFile(t *testing.T) {
	c := onLocalStack(t)
	table := file(t, "all.csv", "connection,grant_type,client_id,client_secret,auth_url,aliases,refresh_token_days,pkce,tenant_id\n"+
		"one,client_credentials,demo-client,"+canary+",URL,team-a team-b,,,\n"+
		"two,authorization_code,demo-client,"+canary+",URL,,1.5,true,t\n"+
		"bad,password,demo-client,"+canary+",URL,,,,\n"+
		"one,client_credentials,demo-client,"+canary+",URL,,,,\n")
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	table = file(t, "urls.csv", strings.ReplaceAll(string(text), "URL", c.reltio()))
	rest := `! bad  password: is required; username: is required\n! one  connection: is in the file twice\n4 connections: `
	c.expect(4, `^\+ one  aliases, auth_url, client_id, client_secret, grant_type\n\+ two  .*\n`+rest+`2 new \(\+\), 0 changed \(~\), 0 as they were \(=\), 2 refused \(!\); nothing was written\n$`, "", "import", table, "--dry-run")
	c.expect(1, "", `UnknownConnection`, "check", "one")
	c.expect(4, `^\+ one .*\n\+ two .*\n`+rest+`2 new`, "", "import", table)
	c.expect(4, `^= one\n= two\n`+rest+`0 new`, "", "import", table)
	c.expect(0, `^one: ok\n`, "", "check", "one")

	shown := c.expect(0, `(?s)^\[\n.*"connection": "two",.*"pkce": true,\n    "refresh_token_days": 1.5,`, "", "export")
	c.in = shown.out
	c.expect(0, `(?s)^= demo-authorization-code\n.*= two\n5 connections: 0 new`, "", "import", "-")
	c.in = strings.Replace(shown.out, `"pkce": true`, `"pkce": false`, 1)
	c.expect(0, `\n~ two +pkce\n`, "", "import", "-", "--dry-run")
	csv := c.expect(0, `^connection,grant_type,client_id,(.*\n)+one,client_credentials,demo-client,team-a team-b,`, "", "export", "--csv")
	c.expect(0, `5 as they were`, "", "import", file(t, "again.csv", csv.out))
	c.in = `[{"connection":"bad","grant_type":"password"},{"grant_type":"password"}]`
	c.expect(1, `"change": "!",\n`, "", "import", "-", "--json")
	if strings.Contains(c.seen.String(), canary) || strings.Contains(c.seen.String(), "demo-secret") {
		t.Error("a secret was printed")
	}
}

// A file that cannot be read is said, without a text of it.
func TestImportOfNothing(t *testing.T) {
	c := onLocalStack(t)
	for name, test := range map[string]struct{ name, text, want string }{
		"no array":    {"a.json", `{"password":"` + canary + `"}`, "must be a JSON array of objects"},
		"no heading":  {"a.csv", canary + "\n", "its heading must have the column connection"},
		"no columns":  {"a.csv", "connection,a\nb\n" + canary, "line 2: wrong number of fields"},
		"nothing":     {"a.csv", "", "its heading must have"},
		"not a quote": {"a.csv", "connection\n\"" + canary, "line 2: "},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.expect(2, "", test.want, "import", file(t, test.name, test.text)).mustNot(t, canary)
		})
	}
	c.t = t
	c.expect(2, "", `cannot be opened`, "import", "/nowhere.csv")
}
