package style_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// words are the words of words.txt with what to say instead, and the spellings
// that are not counted.
func words(t *testing.T) (instead map[string]string, kept []string) {
	t.Helper()
	text, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	instead = map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "= "); ok {
			kept = append(kept, rest)
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, say, ok := strings.Cut(line, "  ")
		if !ok {
			t.Fatalf("words.txt: %q has no replacement", line)
		}
		instead[word] = strings.TrimSpace(say)
	}
	return instead, kept
}

// scanner finds refused words in prose.
type scanner struct {
	pattern, skipped *regexp.Regexp
}

func newScanner(t *testing.T) (s scanner, instead map[string]string) {
	t.Helper()
	instead, kept := words(t)
	alternatives := func(texts []string) string {
		for i, text := range texts {
			texts[i] = regexp.QuoteMeta(text)
		}
		slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) })
		return strings.Join(texts, "|")
	}
	s.pattern = regexp.MustCompile(`(?i)\b(?:` + alternatives(slices.Collect(maps.Keys(instead))) + `)\b`)
	// What is quoted is another program's word, or code.
	s.skipped = regexp.MustCompile("`[^`\n]*`|\"[^\"\n]*\"|" + alternatives(kept))
	return s, instead
}

// refused are the refused words of a text, in small letters.
func (s scanner) refused(text string) []string {
	text = strings.Join(strings.Fields(s.skipped.ReplaceAllString(text, "-")), " ")
	found := s.pattern.FindAllString(text, -1)
	for i, word := range found {
		found[i] = strings.ToLower(word)
	}
	return found
}

func TestRefusedWordsAreFound(t *testing.T) {
	s, _ := newScanner(t)
	for text, want := range map[string]string{
		"a dead token, but\n for the living": "dead,but for,living",
		"Nobody vends":                       "nobody,vends",
		"`dead`, \"alive\" and budget#host":  "",
		"the dead-letter queue":              "",
		"an answer to a reply":               "answer,reply",
		"deadline, reborn, turns it into":    "",
	} {
		if got := strings.Join(s.refused(text), ","); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Comments of a package and each document say the words of the glossary.
func TestCommentsAndDocumentsSayOurWords(t *testing.T) {
	s, instead := newScanner(t)
	found, places := map[string]int{}, map[string][]string{}
	add := func(key, place, text string) {
		for _, word := range s.refused(text) {
			found[key+" "+word]++
			places[key+" "+word] = append(places[key+" "+word], place)
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "out" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".md"):
			text, err := os.ReadFile(path)
			add(name, name, prose(string(text)))
			return err
		case strings.HasSuffix(name, ".go"):
			return comments(path, func(line int, text string) {
				add(filepath.Dir(name), fmt.Sprintf("%s:%d", name, line), text)
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "allowed.txt", found, func(key string) string {
		_, word, _ := strings.Cut(key, " ")
		return fmt.Sprintf("%s; say: %s", strings.Join(places[key], ", "), instead[word])
	})
}

// prose is a document without its code.
func prose(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "```") {
		if i%2 == 0 {
			b.WriteString(part)
		}
	}
	return b.String()
}

// comments calls f with each comment of a file, without its first word: that is the
// name of what a doc comment is for.
func comments(path string, f func(line int, text string)) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, group := range file.Comments {
		_, rest, _ := strings.Cut(text(group), " ")
		f(set.Position(group.Pos()).Line, rest)
	}
	return nil
}

// text is a comment with its directives, of which nolint gives a reason.
func text(group *ast.CommentGroup) string {
	var b strings.Builder
	for _, c := range group.List {
		b.WriteString(strings.TrimSpace(strings.TrimPrefix(c.Text, "//")) + "\n")
	}
	return b.String()
}
