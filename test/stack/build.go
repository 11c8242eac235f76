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

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// laboratory is the folder of the module that this package belongs to.
const laboratory = "test"

// Go is the go command, run in the module of a package: the laboratory's if the
// path begins with its folder, else the product's. So what is built here is built
// from the versions that are deployed. The package is the last argument.
func Go(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	folder, err := engines.Repository()
	if err != nil {
		return nil, err
	}
	if below, ok := strings.CutPrefix(path, laboratory+"/"); ok {
		folder, path = filepath.Join(folder, laboratory), below
	}
	c := exec.CommandContext(ctx, "go", append(args, "./"+path)...) //nolint:gosec // the words are this repository's
	c.Dir = folder
	return c, nil
}

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

// Compile builds the main package at a path below the repository with the flags
// of the Makefile, except this machine's system; more are added to them. It needs
// Go and the sources: this program runs somewhere in the repository.
func Compile(ctx context.Context, arch, path, binary string, more ...string) error {
	if err := readSources(); err != nil {
		return err
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"}, more...)
	c, err := Go(ctx, path, append(args, "-o", binary)...)
	if err != nil {
		return err
	}
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch, "GOARM64=v8.0", "GOAMD64=v1", "GOFLAGS=-mod=readonly")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", path, err, text)
	}
	return nil
}

// readSources reads the folders of what is built. go test remembers which files
// a test has looked at: so its result is forgotten when a binary would be another,
// though the test imports nothing of it.
func readSources() error {
	root, err := engines.Repository()
	if err != nil {
		return fmt.Errorf("looking for the sources: %w", err)
	}
	for _, folder := range []string{"cmd", "functions", "internal", "pkg"} {
		start := filepath.Join(root, folder)
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
