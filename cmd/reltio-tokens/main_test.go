package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
)

// binary is the command, built as it is for an operator.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "reltio-tokens-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(folder, "reltio-tokens")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the command: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// ran is what became of one run of the command.
type ran struct {
	out, err string
	code     int
}

// command is how the command is run: the flags before its arguments, and its
// environment, of which nothing comes from outside.
type command struct {
	t     *testing.T
	flags []string
	env   []string
	// in is its standard input.
	in string
	// seen is everything that it ever printed.
	seen *strings.Builder
}

// run runs the binary.
func (c command) run(args ...string) ran {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	process := exec.CommandContext(ctx, binary, slices.Concat(c.flags, args)...)
	process.Env = append([]string{"PATH=/nowhere", "HOME=/nowhere", "AWS_EC2_METADATA_DISABLED=true"}, c.env...)
	var out, err bytes.Buffer
	process.Stdin, process.Stdout, process.Stderr = strings.NewReader(c.in), &out, &err
	code := 0
	if failure := process.Run(); failure != nil {
		var exit *exec.ExitError
		if !errors.As(failure, &exit) {
			c.t.Fatal(failure)
		}
		code = exit.ExitCode()
	}
	if c.seen != nil {
		fmt.Fprintf(c.seen, "$ %s\n%s%s", strings.Join(args, " "), out.String(), err.String())
	}
	return ran{out.String(), err.String(), code}
}

// expect runs the binary and compares its exit code, and what it printed with
// patterns: "" stands for nothing at all.
func (c command) expect(code int, out, err string, args ...string) ran {
	c.t.Helper()
	got := c.run(args...)
	matches := func(pattern, text string) bool {
		if pattern == "" {
			return text == ""
		}
		return regexp.MustCompile(pattern).MatchString(text)
	}
	if got.code != code || !matches(out, got.out) || !matches(err, got.err) {
		c.t.Errorf("%q ended with %d\nout: %s\nerr: %s\nwant %d, %q, %q", args, got.code, got.out, got.err, code, out, err)
	}
	return got
}

// onLocalStack starts the local stack and a command that talks to it.
func onLocalStack(t *testing.T) command {
	t.Helper()
	stack := localtest.Start(t, local.Config{})
	return command{t: t, flags: []string{"--local=" + stack.LambdaURL}, seen: &strings.Builder{}}
}

func TestOnTheLocalStack(t *testing.T) {
	c := onLocalStack(t)
	c.expect(0, `demo-password +password +at_end/unknown +new +- +- +when asked for +-\n`, "", "status")
	c.expect(0, `^connection   demo-password\nfingerprint  sha256:[0-9a-f]{32}\nlife         59m5\ds left, until \S+Z\nversion      1\noutcome      renewed\nwarnings     none\n$`, "", "issue", "demo-password")
	c.expect(0, `until \S+Z \(less than 2h0m0s\)\n`, "", "issue", "demo-password", "--min-ttl", "2h")
	c.expect(0, `^connection   demo-password\nuser         \S+\n(.*\n)+scopes       .+\nends         \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\nfingerprint  sha256:[0-9a-f]{32}\n$`, "", "whoami", "demo-password")
	c.expect(0, `^{\n  "connection": "demo-password",\n  "active": true,`, "", "whoami", "--json", "demo-password")
	c.expect(0, `^demo-password: ok\n  grant type  password\n  host        127.0.0.1:\d+\n  account     account#[0-9a-f]{64}, of this connection\n  refused     0 logins with these credentials\n$`, "", "check", "demo-password")
	c.expect(0, `^demo-password: paused \(was ok\); its token is handed out for another 59m\n$`, "", "pause", "demo-password")
	c.expect(0, `^demo-password: is paused already\n$`, "", "pause", "demo-password")
	c.expect(1, "", `^demo-password: unchanged: ConnectionPaused: an operator paused this connection\n  reltio-tokens --local=\S+ unpause demo-password`, "rotate", "--force", "demo-password")
	c.expect(0, `outcome      cached\n`, "", "issue", "demo-password")
	c.expect(0, `demo-password +password +\S+ +paused +59m +\d{4}-\d\d-\d\d \d\d:\d\dZ +- +-\n$`, "", "status", "demo-password")
	c.expect(1, "", `ConnectionPaused: .*unpause it first\n`, "resume", "demo-password")
	c.expect(0, `^demo-password: in service again, due now\n$`, "", "unpause", "demo-password")
	c.expect(0, `^demo-password: is not paused \(ok\)\n$`, "", "unpause", "demo-password")
	c.expect(0, `^demo-password: (renewed|unchanged: .*)\n  password  not tried: the connection lives by its refresh token, until \S+Z; reltio-tokens --local=\S+ check demo-password --login tries it\n$`, "", "rotate", "--force", "demo-password")
	c.expect(0, `^demo-password: is healthy; `, "", "resume", "demo-password")
	c.expect(0, `^demo-client-credentials: was not used yet; `, "", "resume", "demo-client-credentials")
	c.expect(0, `^no connection waits or fails\n$`, "", "resume", "--all")
	c.expect(3, `demo-authorization-code`, "", "status", "--check") // nobody has connected it yet
	c.expect(0, `demo-password`, "", "status", "--check", "demo-password", "demo-client-credentials")
	for _, command := range []string{"status", "issue", "rotate", "check", "resume", "pause", "unpause"} {
		c.expect(1, "", `UnknownConnection: no connection has`, command, "nope")
		c.expect(1, "", `InvalidRequest: connection: must be a name like acme-prod`, command, "No!")
	}
	if strings.Contains(c.seen.String(), "demo-secret") {
		t.Errorf("a secret of the stack was printed:\n%s", c.seen)
	}
}

func TestTheTokenIsShownWhenAskedForAlone(t *testing.T) {
	c := onLocalStack(t)
	got := c.expect(0, `^\S+\n$`, "", "issue", "--show-token", "demo-client-credentials")
	token := strings.TrimSpace(got.out)
	c.seen.Reset()
	for _, args := range [][]string{
		{"issue", "demo-client-credentials"},
		{"status"},
		{"status", "--json"},
		{"rotate", "--force", "demo-client-credentials"},
		{"check", "demo-client-credentials", "--json"},
		{"pause", "demo-client-credentials"},
		{"resume", "--all"},
	} {
		c.run(args...)
	}
	if strings.Contains(c.seen.String(), token) {
		t.Error("the token was printed by somebody else")
	}
}

// What programs read has always the same keys.
func TestJSON(t *testing.T) {
	c := onLocalStack(t)
	c.run("issue", "demo-password")
	keys := func(text string, path ...string) []string {
		t.Helper()
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		for _, step := range path {
			value = value.(map[string]any)[step]
			if list, ok := value.([]any); ok {
				value = list[0]
			}
		}
		var names []string
		for name := range value.(map[string]any) {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	state := []string{
		"client", "connection", "expires_at", "expires_in", "failing_since", "fingerprint", "grant_type", "last_error", "login_mode", "needs_somebody",
		"next_due_at", "not_looked_at", "parked_since", "refresh_expires_at", "refresh_mode", "refusal", "secret_error", "secret_missing_since",
		"secret_versions_a_day", "status", "unread", "unsent_events", "version",
	}
	for _, name := range []string{"demo-password", "demo-client-credentials"} { // used and new
		got := c.expect(0, `^\{\n`, "", "status", "--json", name)
		if diff := cmp.Diff([]string{"at", "connections"}, keys(got.out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(state, keys(got.out, "connections")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	got := c.expect(0, `^\{\n`, "", "check", "--json", "demo-password")
	if diff := cmp.Diff([]string{"account", "connection", "grant_type", "host", "ok", "parked_since", "problems", "server"}, keys(got.out)); diff != "" {
		t.Errorf("check (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"held_by", "id", "refused_logins"}, keys(got.out, "account")); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
}

func TestHelp(t *testing.T) {
	c := command{t: t}
	for _, args := range [][]string{
		{}, {"list"}, {"version"}, {"completion"}, {"doctor"}, {"whoami"}, {"status"}, {"issue"}, {"rotate"}, {"check"}, {"resume"}, {"pause"}, {"unpause"}, {"add"}, {"connect"}, {"disconnect"},
	} {
		c.expect(0, `^Usage: reltio-tokens `, "", append(args, "--help")...)
	}
	got := c.run("--help")
	for _, want := range []string{
		"status", "issue", "rotate", "check", "resume", "pause", "unpause", "add", "connect", "disconnect", "Exit codes:",
		"--callback-url", "$CALLBACK_BASE_URL",
		"--table", "$TABLE_NAME", "--secret-prefix", "$SECRET_PREFIX", "--auth-hosts", "$AUTH_HOSTS", "--issue-function",
		"--rotate-function", "$ROTATE_FUNCTION", "--region", "--endpoint-url", "--local", "--timeout",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the help says nothing of %s", want)
		}
	}
}

// A wrong command line ends with 2, before any call is made.
func TestUsage(t *testing.T) {
	c := command{t: t, env: []string{"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}}
	stores := []string{"--table=t", "--secret-prefix=p"}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no command":         {nil, "expected one of"},
		"no such command":    {[]string{"dance"}, "unexpected argument dance"},
		"no such flag":       {[]string{"status", "--loud"}, "unknown flag --loud"},
		"no name":            {[]string{"issue"}, "<name>"},
		"a name too many":    {[]string{"pause", "a", "b"}, "unexpected argument b"},
		"resume nobody":      {[]string{"resume"}, "--all"},
		"resume both":        {[]string{"resume", "a", "--all"}, "--all"},
		"a token as flag":    {[]string{"connect", "a", "--refresh-token=b"}, "--refresh-token is read from standard input"},
		"a token and a link": {[]string{"connect", "a", "--refresh-token=-", "--open"}, "give one of them"},
		"a date alone":       {[]string{"connect", "a", "--logged-in-at=2026-11-23T17:00:00Z"}, "--logged-in-at belongs to --refresh-token"},
		"no date":            {[]string{"connect", "a", "--refresh-token=-", "--logged-in-at=now"}, "--logged-in-at"},
		"three attempts":     {[]string{"check", "a", "--login-attempts=3"}, "--login-attempts must be 1 or 2"},
		"half a second":      {[]string{"issue", "a", "--min-ttl=500ms"}, "--min-ttl"},
		"more than a day":    {[]string{"issue", "a", "--min-ttl=25h"}, "--min-ttl"},
		"no time":            {[]string{"status", "--timeout=0s"}, "--timeout"},
		"no table":           {[]string{"status", "--secret-prefix=p"}, `--table \(TABLE_NAME\)`},
		"no prefix":          {[]string{"status", "--table=t"}, `--secret-prefix \(SECRET_PREFIX\)`},
		"no hosts":           {append(slices.Clone(stores), "status", "--auth-hosts=https://a/b"), "--auth-hosts"},
		"add everything":     {[]string{"add", "a", "--from-file=-", "--client-id=b"}, "--from-file holds the whole secret"},
		"add of no type":     {[]string{"add", "a", "--grant-type=implicit"}, "--grant-type must be"},
		"a secret as flag":   {[]string{"add", "a", "--client-secret=b"}, "unknown flag --client-secret"},
		"a tag on no AWS":    {[]string{"--local", "add", "a", "--tag=b=c"}, "--tag is for AWS"},
		"a tag of AWS":       {append(slices.Clone(stores), "add", "a", "--tag=aws:b=c"), "must not begin with aws:"},
		"a tag of none":      {append(slices.Clone(stores), "import", "a", "--tag==c"), "--tag must be KEY=VALUE"},
		"half a tag":         {append(slices.Clone(stores), "add", "a", "--tag=b"), "--tag"},
		"a password as one":  {[]string{"add", "a", "--password=b"}, "unknown flag --password"},
		"add nowhere":        {[]string{"add", "a", "--table=t"}, `--secret-prefix \(SECRET_PREFIX\)`},
		"nowhere to come":    {append(slices.Clone(stores), "connect", "a"), `--callback-url \(CALLBACK_BASE_URL\)`},
		"come in the clear":  {append(slices.Clone(stores), "connect", "a", "--callback-url=http://example.com"), "--callback-url must be an https URL"},
		"come with a query":  {append(slices.Clone(stores), "connect", "a", "--callback-url=https://example.com/?a"), "--callback-url must be an https URL"},
		"local is no URL":    {[]string{"--local=3001", "status"}, "http://127.0.0.1:3001"},
		"a name is no flag":  {[]string{"--local", "http://127.0.0.1:1", "status"}, "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.expect(2, "", `(?s)^reltio-tokens: .*`+test.want+`.*\nTry: reltio-tokens --help\n$`, test.args...)
		})
	}
	t.Run("no region", func(t *testing.T) {
		command{t: t}.expect(2, "", `no AWS region: set --region or AWS_REGION`, append(stores, "status")...)
	})
}

// What went wrong is said together with what to do.
func TestHints(t *testing.T) {
	c := onLocalStack(t)
	c.expect(1, "", `\n  there is no such function: look at --issue-function`, "issue", "demo-password", "--issue-function=other")
	nowhere := command{t: t, flags: []string{"--local=http://127.0.0.1:1"}}
	for _, args := range [][]string{{"status"}, {"issue", "a"}, {"rotate", "a"}} {
		nowhere.expect(1, "", `\n  nothing listens there: start the local stack with "make run"`, args...)
	}
	c.flags[0] += "/" // a path is left out
	c.expect(0, `demo-password`, "", "status")
	aws := command{t: t, flags: []string{"--region=eu-central-1", "--table=t", "--secret-prefix=p"}}
	aws.expect(1, "", `there are no AWS credentials.*\n  log in \(aws sso login\), set AWS_PROFILE, or use --local\n$`, "status")
	aws.expect(1, "", `there are no AWS credentials`, "issue", "a")
}
