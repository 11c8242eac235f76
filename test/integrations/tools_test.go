package integrations

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

const (
	root    = "../.."
	recipes = root + "/docs/integrations"
)

// folder holds what is built; TestMain removes it.
var folder string

func TestMain(m *testing.M) {
	if os.Getenv(goVariable) != "" {
		integrationInGo()
		return
	}
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "recipetest-"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		return m.Run()
	}())
}

// built is everything that is deployed, for this machine.
var built = sync.OnceValue(func() error {
	if err := stack.Build(context.Background(), folder); err != nil {
		return err
	}
	return stack.Compile(context.Background(), runtime.GOARCH, "cmd/extension", extension())
})

// extension is the extension's binary.
func extension() string { return filepath.Join(folder, "extensions", "reltio-tokens") }

// recipe copies files of the recipes into a folder of their own.
func recipe(t testing.TB, files ...string) string {
	t.Helper()
	target := t.TempDir()
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(recipes, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(target, filepath.Base(name)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return target
}

// page is the text of a page.
func page(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(recipes, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What stands on a page is what is tested.
func TestThePagesShowTheFiles(t *testing.T) {
	for name, shown := range map[string]struct {
		language string
		files    []string
	}{
		"python.md":         {"python", []string{"python/app.py"}},
		"node.md":           {"js", []string{"node/app.mjs"}},
		"step-functions.md": {"json", []string{"states/import.asl.json"}},
		"events.md":         {"yaml", []string{"events/people.yaml"}},
	} {
		text := page(t, name)
		fence := "```" + shown.language + "\n"
		for _, file := range shown.files {
			if !strings.Contains(text, "\n"+fence+page(t, file)+"```\n") {
				t.Errorf("%s does not show %s as it is", name, file)
			}
		}
		if got := strings.Count(text, fence); got != len(shown.files) {
			t.Errorf("%s has %d pieces of %s, want the %d that are tested", name, got, shown.language, len(shown.files))
		}
	}
}

// Everything that is said of the recipes is linked and there.
func TestTheIndexLinksEveryPage(t *testing.T) {
	pages, err := filepath.Glob(recipes + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	index := page(t, "README.md")
	for _, path := range pages {
		if name := filepath.Base(path); name != "README.md" && !strings.Contains(index, "]("+name) {
			t.Errorf("README.md does not link %s", name)
		}
	}
}

// run runs a program and returns what it wrote.
func run(t testing.TB, input string, env []string, name string, arguments ...string) []byte {
	t.Helper()
	var output, trouble bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, arguments...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &output, &trouble
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, trouble.String())
	}
	return output.Bytes()
}
