package style_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// licences are those that a program under the Apache licence may include in its
// binary, with a sentence that only they have. The first that fits counts.
func licences() [][2]string {
	return [][2]string{
		{"Apache-2.0", "Apache License Version 2.0"},
		{"MPL-2.0", "Mozilla Public License"},
		{"BSD-3-Clause", "Neither the name of"},
		{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	}
}

// licence is the licence in a module's folder, or "".
func licence(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		if e.IsDir() || (!strings.HasPrefix(upper, "LICEN") && !strings.HasPrefix(upper, "COPYING")) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, l := range licences() {
			if strings.Contains(words, l[1]) {
				return l[0]
			}
		}
	}
	return ""
}

// Every module in a binary has a licence that allows that.
func TestLicences(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}",
		"./functions/...", "./cmd/...", "./pkg/...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if module, folder, found := strings.Cut(strings.TrimSpace(line), " "); found {
			folders[module] = folder
		}
	}
	if len(folders) < 10 {
		t.Fatalf("only %d modules in:\n%s", len(folders), out)
	}
	allowed := []string{"Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "MIT"}
	for _, module := range slices.Sorted(maps.Keys(folders)) {
		if l := licence(t, folders[module]); !slices.Contains(allowed, l) {
			t.Errorf("%s: licence %q; a binary may include %s", module, l, strings.Join(allowed, ", "))
		} else {
			t.Logf("%s: %s", module, l)
		}
	}
}
