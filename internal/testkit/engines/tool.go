package engines

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Each script is asked at most once.
var scripts = map[string]func() (map[string]string, error){
	"browser":  sync.OnceValues(func() (map[string]string, error) { return fetched("browser") }),
	"clients":  sync.OnceValues(func() (map[string]string, error) { return fetched("clients") }),
	"packages": sync.OnceValues(func() (map[string]string, error) { return fetched("packages") }),
	"engines":  sync.OnceValues(func() (map[string]string, error) { return fetched("engines") }),
}

// Tool returns the path of a program, a file or a folder that a script of this
// repository fetches or builds: browser, clients, engines or packages. name is the variable's name
// in the script's env, without RELTIO_TOKENS_. A test without it is skipped, or
// fails if engines are required; with -short it is always skipped.
func Tool(t testing.TB, script, name string) (path string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test needs " + name + " of scripts/" + script)
	}
	ask, known := scripts[script]
	if !known {
		t.Fatalf("there is no scripts/%s that fetches something", script)
	}
	found, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	if path = found["RELTIO_TOKENS_"+name]; path == "" {
		lacking(t, name+" is missing: run scripts/"+script)
	}
	return path
}

// fetched returns what a script has fetched, by the names of variables.
func fetched(script string) (map[string]string, error) {
	root, err := Repository()
	if err != nil {
		return nil, err
	}
	text, err := exec.Command(filepath.Join(root, "scripts", script), "env").Output()
	if err != nil {
		return nil, fmt.Errorf("scripts/%s env: %w", script, err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[name] = path
	}
	return found, nil
}
