package docs_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

var (
	span   = regexp.MustCompile("`([^`\n]+)`")
	target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	flag   = regexp.MustCompile(`(?:^|[ \[(])(--[a-z][a-z-]*)`)
)

// typed are the command lines that a document shows: those of its console blocks,
// and the code spans of its text.
func typed(text string) []string {
	var all []string
	for _, b := range blocks(text) {
		for _, c := range b.commands() {
			all = append(all, c.text)
		}
	}
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// simple are the simple commands of a shell line.
func simple(line string) []string {
	return regexp.MustCompile(`\|\|?|&&|;|\$\(|\bdo\b`).Split(strings.ReplaceAll(line, "\\\n", " "), -1)
}

// targets are the targets that a command line of make names.
func targets(line string) []string {
	var all []string
	for _, c := range simple(line) {
		words := strings.Fields(c)
		if len(words) == 0 || words[0] != "make" {
			continue
		}
		for _, word := range words[1:] {
			if !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(word) {
				break // ARGS='…' may have more words
			}
			all = append(all, word)
		}
	}
	return all
}

func TestDocumentsNameTargetsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		known[m[1]] = true
	}
	for _, name := range documents(t) {
		for _, line := range typed(read(t, name)) {
			for _, target := range targets(line) {
				if !known[target] {
					t.Errorf("%s: `%s`: make has no target %s", name, line, target)
				}
			}
		}
	}
}

// flagsOf are the flags that a command line gives to reltio-tokens.
func flagsOf(line string) []string {
	var all []string
	for _, c := range simple(line) {
		_, arguments, found := strings.Cut(" "+c, "reltio-tokens ")
		if !found || !regexp.MustCompile(`^\s*(?:(?:go run )?\S*/)?reltio-tokens `).MatchString(c+" ") {
			continue
		}
		for _, m := range flag.FindAllStringSubmatch(arguments, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

func TestDocumentsNameFlagsThatExist(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test builds the operator's command")
	}
	binary := build(t, "reltio-tokens")
	help := func(arguments ...string) string {
		out, err := exec.CommandContext(t.Context(), binary, append(arguments, "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v", arguments, err)
		}
		return string(out)
	}
	text := help()
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)(?: .*)?$`).FindAllStringSubmatch(text, -1) {
		text += help(m[1])
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`--(?:\[no-\])?[a-z][a-z-]*`).FindAllString(text, -1) {
		known[m] = true
	}
	if len(known) < 20 {
		t.Fatalf("only %d flags in:\n%s", len(known), text)
	}
	for _, name := range documents(t) {
		for _, line := range typed(read(t, name)) {
			for _, flag := range flagsOf(line) {
				if !known[flag] {
					t.Errorf("%s: `%s`: reltio-tokens has no flag %s", name, line, flag)
				}
			}
		}
	}
}

// keys are the JSON keys of a type.
func keys(types ...reflect.Type) map[string]bool {
	all := map[string]bool{}
	for _, t := range types {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			all[name] = true
		}
	}
	return all
}

// secretText matches a connection's secret on one line.
var secretText = regexp.MustCompile(`\{"grant_type":\s*"[^\n}]*\}`)

// unknownOfSecret are the keys of a connection's secret that none has.
func unknownOfSecret(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`"([A-Za-z_]+)":`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(connection.Fields(), func(f connection.Field) bool { return f.Name == m[1] }) {
			all = append(all, m[1])
		}
	}
	return all
}

// underscored matches a code span that is a field, an attribute, a status or the like.
var underscored = regexp.MustCompile("`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")

// sources are the words with an underscore in everything that is no document.
func sources(t *testing.T) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	word := regexp.MustCompile(`[a-z][a-z0-9]*(?:_[a-z0-9]+)+`)
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSuffix(name, "\n")
		if _, err := os.Stat(filepath.Join(root, name)); err != nil || strings.HasSuffix(name, ".md") {
			continue // removed, and not yet from the index
		}
		for _, w := range word.FindAllString(read(t, name), -1) {
			words[w] = true
		}
	}
	return words
}

// message matches a JSON object that begins as the messages of issue and rotate do.
var message = regexp.MustCompile(`\{"connection":\s*"[^\n}]*\}`)

// unknown are the keys of a message that no message has.
func unknown(text string) []string {
	requests := keys(reflect.TypeFor[issueapi.Request](), reflect.TypeFor[rotateapi.Request]())
	requests["owner"], requests["epoch"] = true, true // of the lease
	responses := keys(reflect.TypeFor[issueapi.Response]())
	// What the extension takes.
	requests["fingerprint"] = true
	known := requests
	if strings.Contains(text, `"access_token"`) {
		known = responses
	}
	var all []string
	for _, m := range regexp.MustCompile(`"([A-Za-z_]+)":`).FindAllStringSubmatch(text, -1) {
		if !known[m[1]] {
			all = append(all, m[1])
		}
	}
	return all
}

func TestDocumentsNameFieldsThatExist(t *testing.T) {
	known := sources(t)
	for _, name := range documents(t) {
		for _, text := range message.FindAllString(read(t, name), -1) {
			for _, key := range unknown(text) {
				t.Errorf("%s: %s: there is no field %s", name, text, key)
			}
		}
		for _, text := range secretText.FindAllString(read(t, name), -1) {
			for _, key := range unknownOfSecret(text) {
				t.Errorf("%s: %s: a secret has no field %s", name, text, key)
			}
		}
		for _, m := range underscored.FindAllStringSubmatch(read(t, name), -1) {
			if !known[m[1]] {
				t.Errorf("%s: %s: there is nothing of this name", name, m[0])
			}
		}
	}
}

// The page of reference has each field of a secret, and no other in its table.
func TestDocumentsHaveEveryFieldOfASecret(t *testing.T) {
	page := read(t, "docs/reference.md")
	for _, field := range connection.Fields() {
		if !strings.Contains(page, `"`+field.Name+`":`) && !strings.Contains(page, "`"+field.Name+"`") {
			t.Errorf("docs/reference.md does not name %s", field.Name)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(page, -1) {
		for _, m := range span.FindAllStringSubmatch(row[1], -1) {
			if !slices.ContainsFunc(connection.Fields(), func(f connection.Field) bool { return f.Name == m[1] }) {
				t.Errorf("docs/reference.md: a secret has no field %s", m[1])
			}
		}
	}
}

// What these tests look for is found.
func TestWrongNamesAreFound(t *testing.T) {
	for line, want := range map[string]string{
		"make lint tset ARGS='-x y'":                    "lint tset",
		"git pull && make test verify":                  "test verify",
		"cmake nothing":                                 "",
		"make run-binaries ARGS=-h":                     "run-binaries",
		"TOKEN=$(make token)":                           "",
		"export A=1; make deploy ENV=prod":              "deploy",
		"make":                                          "",
		"aws lambda invoke --function-name make target": "",
	} {
		if got := strings.Join(targets(line), " "); got != want {
			t.Errorf("%q: targets %q, want %q", line, got, want)
		}
	}
	for line, want := range map[string]string{
		"reltio-tokens status --chekc":                                    "--chekc",
		"go run ./cmd/reltio-tokens --local=http://x status | jq --raw":   "--local",
		"aws cloudformation deploy --stack-name reltio-tokens --template": "",
		"x=$(bin/reltio-tokens issue a --show-token)":                     "--show-token",
		"reltio-tokens add a --from-file -; aws s3 ls --recursive":        "--from-file",
	} {
		if got := strings.Join(flagsOf(line), " "); got != want {
			t.Errorf("%q: flags %q, want %q", line, got, want)
		}
	}
	if got := unknownOfSecret(`{"grant_type":"password","user_name":"u"}`); strings.Join(got, " ") != "user_name" {
		t.Errorf("a secret: unknown %q, want user_name", got)
	}
	for text, want := range map[string]string{
		`{"connection":"a","min_ttl":3}`:                    "min_ttl",
		`{"connection":"a","access_token":"…","expires":3}`: "expires",
		`{"connection":"a","rejected_fingerprint":"…"}`:     "",
	} {
		if got := strings.Join(unknown(text), " "); got != want {
			t.Errorf("%s: unknown %q, want %q", text, got, want)
		}
	}
}

// build makes a command of the repository and returns its path.
func build(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "build", "-o", path, "./cmd/"+name)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/%s: %v\n%s", name, err, out)
	}
	return path
}

// The messages of a console block are JSON, unless they are cut.
func TestMessagesAreJSON(t *testing.T) {
	for _, name := range documents(t) {
		for _, text := range message.FindAllString(read(t, name), -1) {
			if !strings.Contains(text, "…") && !strings.Contains(text, "$") && !strings.Contains(text, `"lease":`) && !json.Valid([]byte(text)) {
				t.Errorf("%s: %s is no JSON", name, text)
			}
		}
	}
}
