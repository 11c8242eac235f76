package style_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the repository's.
const root = "../.."

var update = flag.Bool("update", false, "write the lists again, with the numbers of now")

// list reads lines of a number and a key; what follows # is a comment.
func list(t *testing.T, name string) (comment string, numbers map[string]int) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	numbers = map[string]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			comment += line
			continue
		}
		number, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		numbers[strings.TrimSpace(key)] = n
	}
	return comment, numbers
}

// compare fails the test where a number is not that of the list, or writes the
// list. where says for a key what was found.
func compare(t *testing.T, name string, found map[string]int, where func(key string) string) {
	t.Helper()
	comment, listed := list(t, name)
	if *update {
		text := comment
		for _, key := range slices.Sorted(maps.Keys(found)) {
			text += fmt.Sprintf("%4d %s\n", found[key], key)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	keys := maps.Clone(found)
	maps.Copy(keys, listed)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch got, want := found[key], listed[key]; {
		case got > want:
			t.Errorf("%s: %d, at most %d: %s", key, got, want, where(key))
		case got < want:
			t.Errorf("%s: %d by now; write that instead of %d into %s (go test -C test ./style -update)", key, got, want, filepath.Join("test", "style", name))
		}
	}
}
