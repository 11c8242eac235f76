package stack_test

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// What is tested and measured is what is deployed.
func TestTheFlagsAreTheMakefiles(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test builds a program")
	}
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, rule, found := strings.Cut(string(text), "\nlambda_build = ")
	rule, _, ended := strings.Cut(rule, "\n\n")
	if !found || !ended {
		t.Fatal("the Makefile does not say lambda_build")
	}
	binary := filepath.Join(t.TempDir(), "empty")
	if err := stack.Compile(t.Context(), runtime.GOARCH, "test/bench/functions/empty", binary); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	level, of, _ := strings.Cut("GOAMD64=v1", "=")
	if runtime.GOARCH == "arm64" {
		level, of, _ = strings.Cut("GOARM64=v8.0", "=")
	}
	for setting, want := range map[string]struct{ value, text string }{
		"-tags":       {"lambda.norpc", "-tags lambda.norpc"},
		"-trimpath":   {"true", "-trimpath"},
		"CGO_ENABLED": {"0", "CGO_ENABLED=0"},
		"vcs":         {"", "-buildvcs=false"},
		level:         {of, level + "=" + of},
	} {
		if settings[setting] != want.value || !strings.Contains(rule, want.text) {
			t.Errorf("%s is %q, want %q; the Makefile should say %s in %q", setting, settings[setting], want.value, want.text, rule)
		}
	}
}
