package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// written are documents that programs write. What they name is not checked, and
// a link to one that is not there yet is no mistake.
var written = []string{"docs/faults.md", "docs/framework.md", "docs/performance.md"}

// named matches a path in backquotes: from a folder of the repository's root down.
var named = regexp.MustCompile("`((?:[.]ci|[.]github|clients|cmd|docs|events|functions|internal|pkg|scripts|test|tools)/[A-Za-z0-9_./-]*)`")

// linked matches the target of a link in Markdown, without its anchor.
var linked = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// Every path that a document names exists, and so does the target of every link.
func TestDocumentsNameWhatExists(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"*.md", ".github/*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	for _, document := range documents {
		name := strings.TrimPrefix(document, root+"/")
		if slices.Contains(written, name) {
			continue
		}
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			exists(t, name, m[1])
		}
		for _, m := range linked.FindAllStringSubmatch(string(text), -1) {
			exists(t, name, filepath.Join(filepath.Dir(name), m[1]))
		}
	}
}

// exists fails the test if a document names a path that is not there.
func exists(t *testing.T, document, path string) {
	t.Helper()
	if slices.Contains(written, path) {
		return
	}
	if _, err := os.Stat(filepath.Join(root, path)); err != nil {
		t.Errorf("%s names %s, which does not exist", document, path)
	}
}
