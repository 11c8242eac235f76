package tenant_test

import (
	"os"
	"strings"
	"testing"
)

// The page shows the files of this folder, letter by letter.
func TestThePageShowsThisCode(t *testing.T) {
	page, err := os.ReadFile("../go.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tenant.go", "tenant_test.go"} {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "\n```go\n"+string(code)+"```\n") {
			t.Errorf("../go.md does not show %s as it is", name)
		}
	}
	if got := strings.Count(string(page), "```go\n"); got != 2 {
		t.Errorf("../go.md has %d pieces of Go, want the two that are compiled", got)
	}
}
