package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

// reltio is the address of the local stack's sandbox, as a connection says it.
func (c command) reltio() string {
	c.t.Helper()
	got := c.expect(0, `"host"`, "", "check", "demo-password", "--json")
	var checked struct{ Host string }
	if err := json.Unmarshal([]byte(got.out), &checked); err != nil {
		c.t.Fatal(err)
	}
	return "http://" + checked.Host
}

// What is asked for comes from standard input, one line each; what flags say is
// not asked for.
func TestAddAsksForWhatIsMissing(t *testing.T) {
	c := onLocalStack(t)
	server := "--auth-url=" + c.reltio()
	c.in = "client_credentials\ndemo-client\ndemo-secret-of-client\n"
	c.expect(0, `^mine: added\n  grant type  client_credentials\n  host        127.0.0.1:\d+\n  shared      its client, with .*, demo-password: .*\n  next        reltio-tokens --local=\S+ issue mine\n$`, "", "add", "mine", server)
	c.expect(0, `outcome      renewed\n`, "", "issue", "mine")

	c.in = "demo-secret-of-client\ndemo-secret-of-user\n"
	c.expect(0, `^user: added\n  grant type  password\n(.*\n)*  next        reltio-tokens --local=\S+ issue user\n$`, "",
		"add", "user", server, "--grant-type=password", "--client-id=demo-client", "--username=demo-user")
	c.expect(0, `outcome      renewed\n`, "", "issue", "user")

	c.in = "demo-client\r\ndemo-secret-of-client\r\ntenant-1" // another system's lines, and no end
	c.expect(0, `  next        reltio-tokens --local=\S+ connect person\n$`, "", "add", "person", server,
		"--grant-type=authorization_code", "--pkce", "--expected-user=ann", "--refresh-token-days=1.5", "--aliases=team-a,team-b")
	c.expect(0, `^person: ok\n`, "", "check", "person")

	c.in = "demo-secret-of-client\nwhatever\n"
	c.expect(0, `  problem     username: its account belongs to connection user\n  shared .*\n  next        reltio-tokens --local=\S+ check second\n`, "",
		"add", "second", server, "--grant-type=password", "--client-id=demo-client", "--username=DEMO-USER")
	c.in = "demo-secret-of-client\nwhatever\nmm2g 4nds pfrt i3ru\n"
	c.expect(0, `^robot: added\n  grant type  password\n`, "", "add", "robot", server, "--grant-type=password", "--client-id=demo-client",
		"--username=robot", "--totp", "--tenant-id=T", "--api-url=https://prod.reltio.com/reltio/api/T", "--token-param=idp_system=a;b=c", "--token-param=b=d")
	c.expect(0, `^robot: ok\n`, "", "check", "robot")
	if strings.Contains(c.seen.String(), "demo-secret") || strings.Contains(c.seen.String(), "mm2g") {
		t.Errorf("a secret was printed:\n%s", c.seen)
	}
}

func TestAddFromAFile(t *testing.T) {
	c := onLocalStack(t)
	secret := `{"grant_type":"client_credentials","client_id":"demo-client","client_secret":"demo-secret-of-client","auth_url":"` + c.reltio() + `"}`
	file := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(file, []byte("\ufeff"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.expect(0, `^mine: added\n`, "", "add", "mine", "--from-file", file)
	c.in = secret
	c.expect(1, "", `^reltio-tokens: mine exists already; --force replaces its secret\n$`, "add", "mine", "--from-file=-")
	c.expect(0, `^mine: its secret was replaced\n(.*\n)*  renewal     renewed: it has a token\n$`, "", "add", "mine", "--from-file=-", "--force")
	c.expect(0, `outcome      cached\n`, "", "issue", "mine")
	c.expect(0, `^mine: its secret was replaced\n(.*\n)*  renewal     not due: it has a valid token\n$`, "", "add", "mine", "--from-file=-", "--force")
	if strings.Contains(c.seen.String(), "demo-secret") {
		t.Errorf("a secret was printed:\n%s", c.seen)
	}
}

// Corrected credentials are tried at once, and what comes of them is said.
func TestAddCorrects(t *testing.T) {
	c := onLocalStack(t)
	secret := func(password string) string {
		return `{"grant_type":"password","client_id":"demo-client","client_secret":"demo-secret-of-client","username":"demo-person","password":"` + password + `","auth_url":"` + c.reltio() + `"}`
	}
	c.in = secret("wrong")
	c.expect(0, `^mine: added\n`, "", "add", "mine", "--from-file=-")
	for range 2 {
		c.run("rotate", "mine", "--force")
	}
	c.expect(1, "", `CredentialsRejected: `, "issue", "mine")
	c.in = secret("wrong again")
	c.expect(1, `^mine: its secret was replaced\n`, `^  renewal     failed: CredentialsRejected: `, "add", "mine", "--from-file=-", "--force")
	c.in = secret("demo-secret-of-person")
	c.expect(0, `\n  renewal     renewed: it has a token\n$`, "", "add", "mine", "--from-file=-", "--force")
	c.expect(0, `outcome      cached\n`, "", "issue", "mine")
	c.expect(0, `\n  renewal     not due: it has a valid token, and a refresh token may replace that; the password is tried at the next login\n$`, "", "add", "mine", "--from-file=-", "--force")
}

// Nothing is written of what cannot be used.
func TestAddRefuses(t *testing.T) {
	c := onLocalStack(t)
	for name, test := range map[string]struct {
		in   string
		args []string
		code int
		want string
	}{
		"no JSON":           {canary, []string{"--from-file=-"}, 1, `^mine: not added\n  problem     secret: must be one JSON object: line 1, column 1: it does not begin with a brace\n$`},
		"a comma":           {"{\n \"client_secret\": \"" + canary + "\",\n}", []string{"--from-file=-"}, 1, `^mine: not added\n  problem     secret: must be one JSON object: line 2, column 27: a comma after the last field\n$`},
		"lines before it":   {"\r\n\r\n{“client_secret”: " + canary, []string{"--from-file=-"}, 1, `line 3, column 2: a curly quote, JSON has straight ones\n$`},
		"nothing":           {"", []string{"--from-file=-"}, 1, `^mine: not added\n  problem     secret: must be one JSON object: it is empty\n$`},
		"several problems":  {`{"grant_type":"password","client_id":"` + canary + `","password":7}`, []string{"--from-file=-"}, 1, `problem     client_secret: is required\n  problem     password: must be a string\n  problem     username: is required\n`},
		"too much":          {strings.Repeat(canary, 20_000), []string{"--from-file=-"}, 1, `larger than 64 KiB`},
		"no such file":      {"", []string{"--from-file=/nowhere/secret"}, 1, `--from-file: open /nowhere/secret`},
		"another host":      {canary + "\n" + canary + "\n", []string{"--grant-type=client_credentials"}, 1, `problem     auth_url: its host is not in AUTH_HOSTS\n`},
		"no answer":         {"", nil, 1, `^reltio-tokens: grant type: standard input has ended\n$`},
		"no second answer":  {canary + "\n", []string{"--grant-type=password"}, 1, `^reltio-tokens: client secret: standard input has ended\n$`},
		"an empty answer":   {"\n" + canary + "\n", []string{"--grant-type=client_credentials"}, 1, `problem     client_id: must be a text that is not empty\n`},
		"another type":      {"implicit\n", nil, 1, `must be client_credentials, password or authorization_code`},
		"an endless answer": {strings.Repeat("x", 70_000), []string{"--grant-type=password"}, 1, `client id: the answer is too long`},
		"a field too many":  {canary + "\n" + canary + "\n", []string{"--grant-type=client_credentials", "--expected-user=" + canary}, 1, `problem     expected_user: is not used by client_credentials\n`},
		"an API with query": {canary + "\n" + canary + "\n", []string{"--grant-type=client_credentials", "--api-url=https://a/?b=" + canary}, 1, `problem     api_url: must not have a query or a fragment\n`},
		"our own parameter": {canary + "\n" + canary + "\n", []string{"--grant-type=client_credentials", "--token-param=totp=" + canary}, 1, `problem     token_params: must not have totp, which this service sends itself\n`},
		"no authenticator":  {strings.Repeat(canary+"\n", 4), []string{"--grant-type=password", "--username=ann", "--totp"}, 1, `problem     totp_secret: must be the authenticator's secret in base32`},
		"authenticator":     {canary + "\n" + canary + "\n" + canary + "\n", []string{"--grant-type=client_credentials", "--totp"}, 1, `problem     totp_secret: is not used by client_credentials\n`},
		"two sources":       {"{}", []string{"--from-file=-", "--totp"}, 2, `--from-file holds the whole secret: give no field beside it`},
		"a name and blank":  {canary + "\n" + canary + "\n", []string{"--grant-type=password", "--client-id=a", "--username=ann "}, 1, `problem     username: must not begin or end with a blank\n`},
	} {
		t.Run(name, func(t *testing.T) {
			c.t, c.in = t, test.in
			got := c.expect(test.code, "", test.want, append([]string{"add", "mine"}, test.args...)...)
			if strings.Contains(got.out+got.err, canary) {
				t.Error("a secret was printed")
			}
			c.expect(1, "", `UnknownConnection`, "check", "mine")
		})
	}
	c.t = t
	c.expect(1, "", `InvalidRequest: connection: must be a name`, "add", "No!")
}

// Each field of a secret has a flag, or is asked for where no other person sees it.
func TestEveryFieldCanBeGiven(t *testing.T) {
	flags := reflect.TypeFor[fields]()
	given := map[string]bool{}
	for i := range flags.NumField() {
		given[flags.Field(i).Tag.Get("json")] = true
	}
	for _, grantType := range []connection.GrantType{connection.Password, connection.ClientCredentials, connection.AuthorizationCode} {
		c := addCommand{TOTP: true, fields: fields{GrantType: string(grantType)}}
		for _, q := range c.questions() {
			given[q.field] = true
		}
	}
	for _, field := range connection.Fields() {
		if !given[field.Name] {
			t.Errorf("%s: there is no flag, and no question", field.Name)
		}
		delete(given, field.Name)
	}
	if len(given) > 0 {
		t.Errorf("no fields of a secret: %v", given)
	}
}

func TestConnect(t *testing.T) {
	c := onLocalStack(t)
	got := c.expect(0, `^connection  demo-authorization-code\nlink        http://127.0.0.1:\d+/authorize\?invitation=[A-Za-z0-9_-]{43}\nexpires     \S+Z \(in 24h00m\); it works once\n$`, "", "connect", "demo-authorization-code")
	if strings.Count(got.out, "invitation=") != 1 {
		t.Errorf("out: %s", got.out)
	}
	got = c.expect(0, `^\{\n`, "", "connect", "demo-authorization-code", "--json", "--replace-user")
	var fields map[string]string
	if err := json.Unmarshal([]byte(got.out), &fields); err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(fields["link"])
	if err != nil || link.Path != "/authorize" || len(link.Query().Get("invitation")) != 43 {
		t.Errorf("link: %v, path %s", err, link.Path)
	}
	if want := map[string]string{"connection": "demo-authorization-code", "link": fields["link"], "expires_at": fields["expires_at"]}; !cmp.Equal(fields, want) {
		t.Errorf("%s", cmp.Diff(want, fields))
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(fields["expires_at"]) {
		t.Errorf("expires at %s", fields["expires_at"])
	}
	c.expect(1, "", `InvalidRequest: grant_type: is password, which needs no person`, "connect", "demo-password")
	c.expect(1, "", `UnknownConnection: `, "connect", "nope")
	c.run("pause", "demo-authorization-code")
	c.expect(1, "", `ConnectionPaused: .*\n  reltio-tokens --local=\S+ unpause demo-authorization-code takes`, "connect", "demo-authorization-code")
}

// Open links are listed without what makes them work, and withdrawn.
func TestInvitations(t *testing.T) {
	c := onLocalStack(t)
	c.expect(0, `^no open invitation\n$`, "", "invitations")
	c.expect(0, `^\[\]\n$`, "", "invitations", "--json")
	link := c.run("connect", "demo-authorization-code").out
	_, text, _ := strings.Cut(link, "invitation=")
	text, _, _ = strings.Cut(text, "\n")
	c.run("connect", "demo-authorization-code", "--replace-user")
	got := c.expect(0, `^CONNECTION +ID +EXPIRES +USER\ndemo-authorization-code +[0-9a-f]{12} +\S+Z \(in (24h00m|23h59m)\) +(the present one, or the first|any, replaces the present one)\ndemo.*\nreltio-tokens --local=\S+ invitations NAME --withdraw withdraws`, "", "invitations")
	if len(text) != 43 || strings.Contains(got.out, text) {
		t.Error("the list has the text of a link")
	}
	got = c.expect(0, `^\[\n  \{\n    "connection": "demo-authorization-code",\n    "id": `, "", "invitations", "demo-authorization-code", "--json")
	var list []operator.OpenInvitation
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v in %s", err, got.out)
	}
	c.expect(2, "", `--withdraw needs the name of a connection`, "invitations", "--withdraw")
	c.expect(1, "", `InvalidRequest: id: no open invitation has it`, "invitations", "--id", "nope")
	c.expect(1, "", `UnknownConnection: `, "invitations", "nope")
	c.expect(0, `^demo-authorization-code: withdrew `+list[0].ID+`; its link does not work any more\n$`, "", "invitations", "demo-authorization-code", "--withdraw", "--id", list[0].ID)
	c.expect(0, `^demo-authorization-code: withdrew `+list[1].ID, "", "invitations", "demo-authorization-code", "--withdraw")
	c.expect(0, `^demo-authorization-code: no open invitation\n$`, "", "invitations", "demo-authorization-code", "--withdraw")
}

// The browser gets the link, and none is a warning: the link is printed anyway.
func TestConnectOpensABrowser(t *testing.T) {
	c := onLocalStack(t)
	c.expect(0, `link +http://`, `^warning: no browser could be opened \(xdg-open cannot be started\): open the link yourself\n$`, "connect", "demo-authorization-code", "--open")
	// The browser writes into a pipe that this test reads, however long it takes.
	folder := t.TempDir()
	if err := syscall.Mkfifo(folder+"/link", 0o600); err != nil {
		t.Fatal(err)
	}
	browser := func(script string) {
		t.Helper()
		if err := os.WriteFile(folder+"/xdg-open", []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	browser(`printf %s "$1" > ` + folder + "/link")
	opened := make(chan string, 1)
	go func() {
		link, err := os.ReadFile(folder + "/link")
		if err != nil {
			t.Error(err)
		}
		opened <- string(link)
	}()
	c.env = []string{"PATH=" + folder} // the last one counts
	got := c.expect(0, `link +http://`, "", "connect", "demo-authorization-code", "--open")
	if link := <-opened; link == "" || !strings.Contains(got.out, link) {
		t.Errorf("%d bytes were opened", len(link))
	}
	// A browser that fails later than the command watches it, on a busy machine, is
	// not reported.
	browser("exit 3")
	for range 10 {
		if got = c.run("connect", "demo-authorization-code", "--open"); got.err != "" {
			break
		}
	}
	if !strings.Contains(got.err, "xdg-open ended with 3") {
		t.Errorf("a browser that fails: %q", got.err)
	}
}

func TestDisconnect(t *testing.T) {
	c := onLocalStack(t)
	server := c.reltio()
	c.run("issue", "demo-password")
	c.in = "n\n"
	c.expect(1, "", `^demo-password: not disconnected\n$`, "disconnect", "demo-password")
	c.in = ""
	c.expect(2, "", `--yes`, "disconnect", "demo-password")
	c.expect(0, `outcome      cached`, "", "issue", "demo-password")
	c.in = "y\n"
	c.expect(0, `^demo-password: disconnected \(was ok\)\n  revoked      the refresh token, and its access token with it\n  shared       its client, with demo-authorization-code, demo-client-credentials\n  secret       kept: whoever asks for a token next logs in anew; --delete-secret ends that\n  callers      may get the token from memory for 30s, then UnknownConnection for up to 60s, then the token of a new login\n$`, "", "disconnect", "demo-password", "--revoke")
	c.in = ""
	c.expect(0, `^demo-password: disconnected \(was unknown\)\n  revoked      nothing: there was no token\n  shared       .*\n  secret       deleted; it can be restored for seven days\n  callers      may get the token from memory for 30s, then UnknownConnection\n$`, "", "disconnect", "demo-password", "--yes", "--delete-secret")
	c.expect(1, "", `UnknownConnection`, "disconnect", "demo-password", "-y")
	c.expect(0, `^CONNECTION[^\n]*\ndemo-authorization-code [^\n]*\ndemo-client-credentials [^\n]*\n2 connections: 1 need a person, 1 without trouble\n$`, "", "status")
	c.expect(0, `secret       kept: reltio-tokens --local=\S+ connect demo-authorization-code begins anew\n  callers      .*, then ReauthorizationRequired until a person connects it\n$`, "", "disconnect", "demo-authorization-code", "-y")
	c.run("issue", "demo-client-credentials")
	c.in = "demo-secret-of-client\n"
	c.expect(0, `: added\n(.*\n)*  shared      its client, with demo-authorization-code, demo-client-credentials: what ends the token of one ends it for all\n`, "",
		"add", "twin", "--auth-url="+server, "--grant-type=client_credentials", "--client-id=demo-client")
	c.run("issue", "twin")
	c.expect(0, `not revoked  InvalidRequest: revoke: not asked for, and demo-authorization-code, twin may hold the same token; what there is ends by itself at \S+Z\n`, "", "disconnect", "demo-client-credentials", "-y")
	c.expect(0, `outcome      cached\n`, "", "issue", "twin")
	c.run("add", "third", "--auth-url="+server, "--grant-type=client_credentials", "--client-id=demo-client")
	c.run("issue", "third")
	c.expect(0, `revoked      the access token\n  shared       .*\n  ended for    third too: each gets another token\n`, "", "disconnect", "twin", "-y", "--revoke")
	if strings.Contains(c.seen.String(), "demo-secret") {
		t.Errorf("a secret of the stack was printed:\n%s", c.seen)
	}
}
