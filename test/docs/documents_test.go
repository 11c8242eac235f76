// Package docs_test holds the documents to the program: they name only make
// targets, flags, files and message fields that exist, and what their console
// blocks show is what happens when the commands are run.
//
//	go test -C test ./docs            # all of it
//	go test -C test -short ./docs     # without running the blocks
//	go test -C test ./docs -update    # write what the commands print into the documents
//
// A console block is run on a local stack, unless a comment on the line before it
// says what is needed that a test has not got:
//
//	<!-- needs AWS -->
//
// Directly under the title of a document the comment is for all of its blocks
// that have none. The marks are listed in marks. Each section (##) has a fresh stack, on which
// the blocks before the first section are run first. A line … stands for any
// number of lines.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's.
const root = "../.."

// marks are the comments before a console block that is not run.
var marks = []string{
	"<!-- needs AWS -->",
	"<!-- needs GitHub -->",
	"<!-- needs a release -->",
	"<!-- needs the extension -->",
	"<!-- needs the engines -->",
	"<!-- takes minutes -->",
	"<!-- shows other connections -->",
}

// documents are the names of all documents of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.md", ".github/*.md", ".github/*/*.md", "docs/*.md", "docs/*/*.md", "clients/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			names = append(names, strings.TrimPrefix(path, root+"/"))
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d documents found", len(names))
	}
	return names
}

// read is the text of a document.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a fenced block of a document.
type block struct {
	// line is the number of its first line, section the heading above it.
	line    int
	section string
	// language is what stands after the fence, mark the comment before it.
	language, mark string
	lines          []string
}

// wholeMark matches the mark of a whole document.
var wholeMark = regexp.MustCompile(`^# .*\n\n(<!-- .* -->)\n`)

var fence = regexp.MustCompile("^ *```([a-z]*)$")

// blocks are the fenced blocks of a text.
func blocks(text string) []block {
	var all []block
	var current *block
	section, before, whole := "", "", ""
	if m := wholeMark.FindStringSubmatch(text); m != nil {
		whole = m[1]
	}
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && current == nil:
			current = &block{line: i + 2, section: section, language: m[1], mark: whole}
			if strings.HasPrefix(before, "<!-- ") {
				current.mark = before
			}
		case m != nil:
			all, current = append(all, *current), nil
		case current != nil:
			current.lines = append(current.lines, line)
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		}
		before = strings.TrimSpace(line)
	}
	return all
}

// command is a command of a console block, and what it prints.
type command struct {
	line   int
	text   string
	output []string
}

// commands are the commands of a console block.
func (b block) commands() []command {
	var all []command
	continued := false
	for i, line := range b.lines {
		line = strings.TrimPrefix(line, "   ") // in a list
		text, is := strings.CutPrefix(line, "$ ")
		last := len(all) - 1
		switch {
		case is:
			all = append(all, command{line: b.line + i, text: text})
		case last < 0:
		case continued:
			all[last].text += "\n" + line
		default:
			all[last].output = append(all[last].output, line)
		}
		continued = (is || continued) && strings.HasSuffix(line, `\`)
	}
	return all
}

// Every console block is run, or says what it needs.
func TestMarksAreKnown(t *testing.T) {
	for _, name := range documents(t) {
		for _, b := range blocks(read(t, name)) {
			if b.mark != "" && !slices.Contains(marks, b.mark) {
				t.Errorf("%s:%d: %s is no mark of a console block; these are: %s", name, b.line, b.mark, strings.Join(marks, ", "))
			}
			if b.language == "sh" || b.language == "bash" || b.language == "shell" {
				t.Errorf("%s:%d: write ```console, and $ before each command", name, b.line)
			}
		}
	}
}
