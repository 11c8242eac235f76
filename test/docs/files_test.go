package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// written are documents that programs write: what they name is not checked, and a
// link to one that is not there yet is no mistake.
func written() []string {
	return []string{"docs/faults.md", "docs/framework.md", "docs/performance.md"}
}

var (
	// path matches a path of the repository in a command or a code span: from a folder
	// of its root down.
	path = regexp.MustCompile(`(?:^|[\s='"(])(?:\./)?((?:[.]ci|[.]github|clients|cmd|docs|events|functions|internal|pkg|scripts|test|tools)/[^\s'")]*)`)
	// plainPath is a path that stands for one file: no pattern, and no place for a name.
	plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)
	// linked matches the target of a link in Markdown, without its anchor.
	linked = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

// files are the files of the repository that a document names, by the lines that name
// them; those of links relative to folder.
func files(text, folder string) map[string]string {
	all := map[string]string{}
	for _, line := range typed(text) {
		from := ""
		if strings.Contains(line, "go run -C test ") {
			from = "test"
		}
		for _, m := range path.FindAllStringSubmatch(line, -1) {
			name := strings.TrimRight(strings.TrimSuffix(m[1], "/..."), ".,:;")
			if plainPath.MatchString(name) {
				all[filepath.Join(from, name)] = line
			}
		}
	}
	for _, m := range linked.FindAllStringSubmatch(text, -1) {
		all[filepath.Join(folder, m[1])] = m[0]
	}
	return all
}

// Every path that a document names exists, and so does the target of every link.
func TestDocumentsNameFilesThatExist(t *testing.T) {
	for _, document := range documents(t) {
		if slices.Contains(written(), document) {
			continue
		}
		for name, line := range files(read(t, document), filepath.Dir(document)) {
			if _, err := os.Stat(filepath.Join(root, name)); err != nil && !slices.Contains(written(), name) {
				t.Errorf("%s: %s: there is no %s", document, line, name)
			}
		}
	}
}

// CODEOWNERS names paths too.
func TestOwnedPathsExist(t *testing.T) {
	for line := range strings.Lines(read(t, ".github/CODEOWNERS")) {
		pattern, _, _ := strings.Cut(strings.TrimSpace(strings.TrimLeft(line, "# ")), " ")
		if !strings.HasPrefix(pattern, "/") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, pattern)); err != nil {
			t.Errorf("CODEOWNERS: there is no %s", pattern)
		}
	}
}

func TestWrongFilesAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"see `scripts/nothing`.":                         "scripts/nothing",
		"`scripts/verify sam` and `docs/*.md`":           "scripts/verify",
		"```console\n$ cat ./docs/none.md\n```":          "docs/none.md",
		"```console\n$ go test ./internal/... -v\n```":   "internal",
		"```console\n$ cp a --to=events/x.json\n```":     "events/x.json",
		"[a page](none.md#part) and [one](https://a/b)":  "docs/none.md",
		"`arn:aws:iam::1:role/test/x` and `latest/docs`": "",
	} {
		var got []string
		for name := range files(text, "docs") {
			got = append(got, name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: files %q, want %q", text, got, want)
		}
	}
}
