package stack

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const module = "github.com/reltio-tokens/reltio-tokens"

// Build builds the functions for this machine, as they are deployed, into
// <folder>/<function>/bootstrap. It needs what Compile needs.
func Build(ctx context.Context, folder string) error {
	for _, name := range Functions() {
		binary := filepath.Join(folder, name, "bootstrap")
		if err := Compile(ctx, runtime.GOARCH, "functions/"+name, binary); err != nil {
			return err
		}
	}
	return nil
}

// Compile builds the main package at a path below the module with the flags of
// the Makefile, but for this machine's system; more are added to them. It needs
// Go and the sources: this program runs somewhere in the repository.
func Compile(ctx context.Context, arch, path, binary string, more ...string) error {
	if err := readSources(ctx); err != nil {
		return err
	}
	args := append([]string{"build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"}, more...)
	c := exec.CommandContext(ctx, "go", append(args, "-o", binary, module+"/"+path)...) //nolint:gosec // the words are this repository's
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch, "GOARM64=v8.0", "GOAMD64=v1", "GOFLAGS=-mod=readonly")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", path, err, text)
	}
	return nil
}

// readSources reads the folders of what is built. go test remembers which files
// a test has looked at: so its result is forgotten when a binary would be another,
// though the test imports nothing of it.
func readSources(ctx context.Context) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return fmt.Errorf("looking for the sources: %w", err)
	}
	for _, folder := range []string{"cmd", "functions", "internal", "pkg"} {
		start := filepath.Join(strings.TrimSpace(string(root)), folder)
		err := filepath.WalkDir(start, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
