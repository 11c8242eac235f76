package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// runbooks are the documents whose commands people paste into a shell.
var runbooks = []string{"docs/operations.md", "docs/first-day-on-aws.md", "docs/security.md"}

// command is one line of a document that begins with a prompt.
type command struct{ where, text string }

// commands are those of all runbooks.
func commands(t testing.TB) (all []command) {
	t.Helper()
	for _, name := range runbooks {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
				all = append(all, command{name, text})
			}
		}
	}
	return all
}

// ofOneStack matches what only one stack has: the name of a function, a log group,
// an alias of a key or the beginning of an alarm's name, spelled out.
var ofOneStack = regexp.MustCompile(`(/aws/lambda/|function-name |alias/|-prefix |alarm-name )"?reltio-tokens`)

// An operator who works on development and pastes a command must not stop
// production: every command takes the stack's name from $stack.
func TestCommandsNameNoStack(t *testing.T) {
	for _, name := range runbooks {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if m := ofOneStack.FindString(line); m != "" {
				t.Errorf("%s: %s: want $stack there", name, strings.TrimSpace(line))
			}
		}
	}
	for _, text := range []string{
		"aws lambda update-alias --function-name reltio-tokens-rotate", `aws logs tail "/aws/lambda/reltio-tokens-dev-rotate"`,
		"aws kms describe-key --key-id alias/reltio-tokens", "aws cloudwatch describe-alarms --alarm-name-prefix reltio-tokens-",
	} {
		if !ofOneStack.MatchString(text) {
			t.Errorf("%s was not found", text)
		}
	}
}

// Every command is one that a shell can read, and calls aws, make, or the
// operator's command.
func TestCommandsCanBeRead(t *testing.T) {
	all := commands(t)
	if len(all) < 40 {
		t.Fatalf("%d commands were found", len(all))
	}
	for _, c := range all {
		if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", c.text).CombinedOutput(); err != nil {
			t.Errorf("%s: %s\n%s", c.where, c.text, out)
		}
	}
}
