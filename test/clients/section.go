package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// WriteSection writes what stands between two marks of docs/integrations/figures.md,
// if UPDATE asks; otherwise the page only has to have the marks. top is the folder
// of the repository.
func WriteSection(t testing.TB, top, name, text string) {
	t.Helper()
	file := filepath.Join(top, "docs", "integrations", "figures.md")
	data, err := os.ReadFile(file) //nolint:gosec // a page of the repository
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n\n", "\n<!-- end of "+name+" -->"
	before, rest, hasBegin := strings.Cut(string(data), begin)
	_, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("docs/integrations/figures.md has no section %s", name)
	}
	if os.Getenv("UPDATE") == "" {
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+text+end+after), 0o644); err != nil { //nolint:gosec // a page of the repository, which everyone may read
		t.Fatal(err)
	}
}
