package docs_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	stdflag "flag"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
)

var update = stdflag.Bool("update", false, "write what the commands print into the documents")

// longest is what the blocks of a section may take.
const longest = 2 * time.Minute

// end is what the shell prints after each command.
const end = "=== end of the command ==="

// Every console block without a mark is run, and prints what the document says.
func TestConsoleBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test needs bash and curl")
	}
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing", tool)
		}
	}
	binary := build(t, "reltio-tokens")
	for _, name := range documents(t) {
		text := read(t, name)
		before, sections := split(text)
		var differ []difference
		for _, section := range sections {
			t.Run(name+"/"+section[0].section, func(t *testing.T) {
				s := startShell(t, binary)
				printed := s.run(t, append(slices.Clone(before), section...))
				at := 0
				for _, b := range before {
					at += len(b.commands())
				}
				for _, b := range section {
					for _, c := range b.commands() {
						if got := printed[at]; !matches(c.output, got) {
							differ = append(differ, difference{c, got})
						}
						at++
					}
				}
			})
		}
		for _, d := range slices.Backward(differ) {
			if !*update || slices.Contains(d.output, "…") {
				t.Errorf("%s:%d: $ %s\n prints\n%s\n the document has\n%s", name, d.line, d.text, strings.Join(d.got, "\n"), strings.Join(d.output, "\n"))
			} else {
				text = replaceOutput(text, d.command, d.got)
			}
		}
		if *update && len(differ) > 0 {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// difference is a command that prints something else than the document has.
type difference struct {
	command
	got []string
}

// split returns the blocks to run: those before the first section, if the document
// has sections with blocks too, and those of each section.
func split(text string) (before []block, sections [][]block) {
	for _, b := range blocks(text) {
		switch last := len(sections) - 1; {
		case b.language != "console" || slices.Contains(marks, b.mark):
		case b.section == "":
			before = append(before, b)
		case last >= 0 && sections[last][0].section == b.section:
			sections[last] = append(sections[last], b)
		default:
			sections = append(sections, []block{b})
		}
	}
	if len(sections) == 0 && len(before) > 0 {
		return nil, [][]block{before}
	}
	return before, sections
}

// replaceOutput writes what a command printed where the document has its output.
// It is called from the last command to the first, so that lines keep their
// numbers.
func replaceOutput(text string, c command, got []string) string {
	lines := strings.Split(text, "\n")
	first := c.line + strings.Count(c.text, "\n") // c.line counts from 1
	return strings.Join(slices.Concat(lines[:first], got, lines[first+len(c.output):]), "\n")
}

// shell is a shell with a local stack of its own.
type shell struct {
	stack  *local.Stack
	binary string
	// shown is what the stack has said of itself.
	shown string
}

func startShell(t *testing.T, binary string) *shell {
	t.Helper()
	stack := localtest.Start(t, local.Config{})
	var shown bytes.Buffer
	if err := stack.Demo(t.Context(), &shown); err != nil {
		t.Fatal(err)
	}
	return &shell{stack: stack, binary: binary, shown: shown.String()}
}

// local matches the beginning of a command line of the operator's command.
var localCommand = regexp.MustCompile(`(?:go run \./cmd/|bin/)?reltio-tokens --local\b`)

// here is a command line, for the addresses of this stack.
func (s *shell) here(text string) string {
	text = localCommand.ReplaceAllString(text, "reltio-tokens --local="+s.stack.LambdaURL)
	for from, to := range s.addresses() {
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// there is what a command printed, with the usual addresses.
func (s *shell) there(text string) string {
	text = strings.ReplaceAll(text, "--local="+s.stack.LambdaURL, "--local")
	for to, from := range s.addresses() {
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

func (s *shell) addresses() map[string]string {
	return map[string]string{
		"127.0.0.1:3000": strings.TrimPrefix(s.stack.CallbackURL, "http://"),
		"127.0.0.1:3001": strings.TrimPrefix(s.stack.LambdaURL, "http://"),
		"127.0.0.1:3002": strings.TrimPrefix(s.stack.ReltioURL, "http://"),
	}
}

// run runs the blocks in one shell, in an empty folder, and returns the lines that
// each command prints.
func (s *shell) run(t *testing.T, all []block) [][]string {
	t.Helper()
	folder := t.TempDir()
	script := "exec 2>&1\n"
	if err := os.WriteFile(filepath.Join(folder, "shown"), []byte(s.shown), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range all {
		for _, c := range b.commands() {
			n++
			text := s.here(c.text)
			switch text {
			case "make run":
				text = "cat shown"
			case "go build -o bin/reltio-tokens ./cmd/reltio-tokens": // has been built
				text = ":"
			}
			if strings.Contains(text, "aws ") && !hasAWS() {
				t.Skip("the AWS CLI is missing")
			}
			script += text + "\n" + "printf '\\n%s\\n' '" + end + "'\n"
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc")
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(script)
	cmd.Env = []string{"PATH=" + filepath.Dir(s.binary) + ":" + os.Getenv("PATH"), "HOME=" + folder, "NO_COLOR=1"}
	cmd.WaitDelay = time.Second // what the shell started has its output
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("bash: %v", err)
	}
	parts := strings.Split(s.there(string(out)), "\n"+end+"\n")
	if len(parts) != n+1 {
		t.Fatalf("%d commands ended, want %d:\n%s", len(parts)-1, n, out)
	}
	printed := make([][]string, n)
	for i, part := range parts[:n] {
		printed[i] = strings.Split(strings.TrimRight(part, "\n"), "\n")
		if part == "" || part == "\n" {
			printed[i] = nil
		}
	}
	return printed
}

func hasAWS() bool {
	_, err := exec.LookPath("aws")
	return err == nil
}

// changing are the parts of a line that are others each time.
var changing = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`"access_token":"[^"]*"`), `"access_token":"T"`},
	{regexp.MustCompile(`^[A-Za-z0-9_-]{27}$`), "T"},
	{regexp.MustCompile(`sha256:[0-9a-f]{32}`), "F"},
	{regexp.MustCompile(`invitation=[A-Za-z0-9_-]*`), "I"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?( UTC|Z)?`), "D"},
	{regexp.MustCompile(`"expires_in":\d+`), `"expires_in":N`},
	{regexp.MustCompile(`\b\d+ s\b`), "N s"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s|m|h)(\d+(m|s))*`), "N"},
	{regexp.MustCompile(`retry after \d+`), "retry after N"},
	{regexp.MustCompile(` +`), " "},
}

func settled(line string) string {
	for _, c := range changing {
		line = c.pattern.ReplaceAllString(line, c.as)
	}
	return strings.TrimSpace(line)
}

// matches reports whether a command printed what the document has. A line … in
// the document stands for any lines.
func matches(want, got []string) bool {
	for len(want) > 0 && strings.TrimSpace(want[len(want)-1]) == "" {
		want = want[:len(want)-1]
	}
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "…" {
		for i := range len(got) + 1 {
			if matches(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && settled(want[0]) == settled(got[0]) && matches(want[1:], got[1:])
}

func TestMatches(t *testing.T) {
	lines := func(text string) []string {
		if text == "" {
			return nil
		}
		return strings.Split(text, "\n")
	}
	for i, c := range []struct {
		want, got string
		match     bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a\nb", "a", false},
		{"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…", "a", true},
		{"a\n…\nd", "a\nb", false},
		{"life  59m59s left", "life 59m58s left", true},
		{`{"access_token":"x","expires_in":1}`, `{"access_token":"y","expires_in":2}`, true},
		{`{"outcome":"cached"}`, `{"outcome":"renewed"}`, false},
	} {
		if got := matches(lines(c.want), lines(c.got)); got != c.match {
			t.Errorf("%d: %v, want %v", i, got, c.match)
		}
	}
}
