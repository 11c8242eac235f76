package main

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Names can be patterns, and what is well can be left out.
func TestStatusFilters(t *testing.T) {
	c := onLocalStack(t)
	c.expect(0, `(?s)^CONNECTION[^\n]*\ndemo-authorization-code .*\ndemo-client-credentials .*\n2 connections: 1 need a person, 1 without trouble\n$`, "", "status", "demo-[ac]*")
	c.expect(0, `^CONNECTION[^\n]*\ndemo-authorization-code [^\n]*\n3 connections: 1 need a person, 2 without trouble\n$`, "", "status", "--trouble")
	c.expect(0, `^CONNECTION[^\n]*\ndemo-password [^\n]*\n$`, "", "status", "*password")
	c.expect(1, "", `UnknownConnection: no connection has a name like nope\*`, "status", "nope*")
	c.expect(2, "", `is no pattern`, "status", "[")
	c.expect(2, "", `give one of them`, "status", "--watch", "--check")
	c.expect(0, `^demo-authorization-code\ndemo-client-credentials\ndemo-password\n$`, "", "list")
	c.expect(0, `^\[\n  "demo-authorization-code",\n`, "", "list", "--json")
}

// Every command has its result as JSON, and nothing else on standard output.
func TestJSONEverywhere(t *testing.T) {
	c := onLocalStack(t)
	secret := `{"grant_type":"client_credentials","client_id":"demo-client","client_secret":"demo-secret","auth_url":"` + c.reltio() + `"}`
	for _, test := range []struct {
		key  string // one that must be there
		args []string
	}{
		{"access_token", []string{"issue", "demo-password"}},
		{"outcome", []string{"rotate", "demo-password", "--force"}},
		{"before", []string{"pause", "demo-password"}},
		{"before", []string{"unpause", "demo-password"}},
		{"before", []string{"resume", "demo-password"}},
		{"login", []string{"check", "demo-password", "--login", "--yes"}},
		{"link", []string{"connect", "demo-authorization-code"}},
		{"user", []string{"whoami", "demo-password"}},
		{"revoked", []string{"disconnect", "demo-password", "--yes"}},
		{"shares_client_with", []string{"add", "another", "--from-file=-"}},
		{"findings", []string{"doctor"}},
		{"connections", []string{"status"}},
		{"commit", []string{"version"}},
	} {
		c.in = secret
		got := c.run(append(test.args, "--json")...)
		var value map[string]any
		if err := json.Unmarshal([]byte(got.out), &value); err != nil {
			t.Errorf("%q: %v in %s%s", test.args, err, got.out, got.err)
			continue
		}
		if _, ok := value[test.key]; !ok {
			t.Errorf("%q: no key %s in %s", test.args, test.key, got.out)
		}
		if token := value["access_token"]; token != nil && token != "" {
			t.Error("the token was printed unasked")
		}
	}
	var token map[string]any
	if err := json.Unmarshal([]byte(c.run("issue", "demo-client-credentials", "--json", "--show-token").out), &token); err != nil || token["access_token"] == "" {
		t.Errorf("the token was asked for: %v", err)
	}
	c.expect(0, `^\[\n`, "", "resume", "--all", "--json")
}

// The health is shown again and again, until the command is interrupted.
func TestWatch(t *testing.T) {
	c := onLocalStack(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	process := exec.CommandContext(ctx, binary, c.flags[0], "status", "--watch")
	process.Env = []string{"HOME=/nowhere"}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for chunk := make([]byte, 4096); strings.Count(seen.String(), "3 connections: ") < 2; {
		n, err := out.Read(chunk)
		seen.Write(chunk[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, seen.String())
		}
	}
	if err := process.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

// A text to send goes with the link.
func TestALetter(t *testing.T) {
	c := onLocalStack(t)
	c.expect(0, `(?s)^connection  demo-authorization-code\nlink        (\S+)\n.*\nTo: ann@example.com\nSubject: Please connect demo-authorization-code to Reltio\n.*\nhttp://\S+/authorize\?invitation=\S{43}\n.*until \d+ \w+ 20\d\d, \d\d:\d\d UTC\.`, "",
		"connect", "demo-authorization-code", "--for", "ann@example.com")
	c.expect(2, "", `--for prints a text with a link`, "connect", "demo-authorization-code", "--for=ann", "--json")
	c.expect(2, "", `--for must be`, "connect", "demo-authorization-code", "--for", "a\nb")
}

// The stack of the environment gives way to what the command line says.
func TestTheStackOfTheEnvironment(t *testing.T) {
	a := stacked(t)
	c := a.command
	a.connect("machine", map[string]any{"grant_type": "client_credentials"})
	c.env = append(c.env, "RELTIO_TOKENS_STACK=mine")
	c.expect(0, `machine +client_credentials`, "", "status")
	c.expect(1, "", `there is no such stack`, "status", "--stack=none")
	c.expect(1, "", `nothing listens there`, "status", "--local=http://127.0.0.1:1")
	c.expect(0, `machine +client_credentials`, "", "status", "--table="+a.table.Name, "--secret-prefix="+a.secretStore.Prefix, "--auth-hosts="+a.host())
}
