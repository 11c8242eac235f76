package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Everything that is published has one version.
func TestPublishedVersionsAreOne(t *testing.T) {
	version := strings.TrimSpace(read(t, "clients/VERSION"))
	for name, pattern := range map[string]string{
		"template.yaml":             `SemanticVersion: (\S+)`,
		"docs/integrations/java.md": `<version>(\S+)</version>`,
		"clients/python/VERSION":    `(\S+)`,
	} {
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, name))
		if len(m) < 2 || m[1] != version {
			t.Errorf("%s has the version %q, clients/VERSION %s", name, m, version)
		}
	}
}

// A release has every function, built with the flags of `make build`, and goreleaser
// gets the version from the same file as the packages.
func TestPublishedBinariesAreThoseOfTheMakefile(t *testing.T) {
	config, makefile := read(t, ".goreleaser.yaml"), read(t, "Makefile")
	functions, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil || len(functions) == 0 {
		t.Fatalf("no functions: %v", err)
	}
	for _, function := range functions {
		if function.IsDir() && (!strings.Contains(config, "main: ./functions/"+function.Name()+"\n") || !strings.Contains(config, "ids: ["+function.Name()+"]\n")) {
			t.Errorf("a release does not have %s", function.Name())
		}
	}
	for inMakefile, inConfig := range map[string]string{
		"CGO_ENABLED=0":             "CGO_ENABLED=0",
		"GOFLAGS=-mod=readonly":     "GOFLAGS=-mod=readonly",
		"GOARM64=v8.0":              "goarm64: [v8.0]",
		"GOAMD64=v1":                "goamd64: [v1]",
		"-tags lambda.norpc":        "tags: [lambda.norpc]",
		"-trimpath -buildvcs=false": "flags: [-trimpath, -buildvcs=false]",
		"-ldflags '-s -w'":          "ldflags: [-s -w]",
	} {
		if !strings.Contains(makefile, inMakefile) || !strings.Contains(config, inConfig) {
			t.Errorf("the Makefile and .goreleaser.yaml do not both have %q and %q", inMakefile, inConfig)
		}
	}
	if !strings.Contains(read(t, "scripts/release"), "RELEASE_VERSION=$(cat clients/VERSION)") || !strings.Contains(config, ".Env.RELEASE_VERSION") {
		t.Error("a snapshot has another version than the packages")
	}
}
