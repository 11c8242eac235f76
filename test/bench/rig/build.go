package rig

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Unwarmed is issue without its warming call.
const Unwarmed = "issue-unwarmed"

// packages are what Build builds, below the repository.
func packages() map[string]string {
	return map[string]string{
		"issue": "functions/issue", "rotate": "functions/rotate", "callback": "functions/callback",
		Unwarmed: "functions/issue",
		"empty":  "test/bench/functions/empty", "getitem": "test/bench/functions/getitem",
		"oauth2": "test/bench/functions/oauth2",
	}
}

// Build builds all functions for this machine, with the flags of the
// deployment, into <folder>/<name>/bootstrap.
func Build(ctx context.Context, folder string) error {
	for name, path := range packages() {
		binary := filepath.Join(folder, name, "bootstrap")
		var extra []string
		if name == Unwarmed {
			overlay, err := unwarm(folder)
			if err != nil {
				return err
			}
			extra = []string{"-overlay", overlay}
		}
		if err := stack.Compile(ctx, runtime.GOARCH, path, binary, extra...); err != nil {
			return err
		}
	}
	return nil
}

// unwarm writes an overlay for Go in which issue's main makes no warming call,
// and is otherwise as it stands in the sources.
func unwarm(folder string) (overlay string, err error) {
	const call, without = "\twarm(ctx, table)\n", "\t_ = warm\n"
	root, err := engines.Repository()
	if err != nil {
		return "", fmt.Errorf("finding issue's sources: %w", err)
	}
	name := filepath.Join(root, "functions", "issue", "main.go")
	source, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return "", err
	}
	if strings.Count(string(source), call) != 1 {
		return "", errors.New("issue's main has no warming call to leave out")
	}
	changed := filepath.Join(folder, "unwarmed.go")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {name: changed}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(folder, "overlay.json")
	return overlay, errors.Join(
		os.WriteFile(changed, []byte(strings.Replace(string(source), call, without, 1)), 0o600), //nolint:gosec // in our own folder
		os.WriteFile(overlay, text, 0o600),
	)
}

// Size is how large a function is, in bytes.
type Size struct{ Binary, Zip int64 }

// SizeOf builds a function for an architecture and packs it.
func SizeOf(ctx context.Context, name, arch string) (Size, error) {
	dir, err := folder()
	if err != nil {
		return Size{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "bootstrap")
	if err := stack.Compile(ctx, arch, packages()[name], binary); err != nil {
		return Size{}, err
	}
	size, err := pack(binary)
	if err != nil {
		return Size{}, fmt.Errorf("packing %s: %w", name, err)
	}
	return size, nil
}

// pack measures a file, and what it is as the only one in a zip.
func pack(name string) (Size, error) {
	in, err := os.Open(filepath.Clean(name))
	if err != nil {
		return Size{}, err
	}
	defer func() { _ = in.Close() }()
	var packed counter
	z := zip.NewWriter(&packed)
	w, err := z.Create("bootstrap")
	if err != nil {
		return Size{}, err
	}
	n, err := io.Copy(w, in)
	if err := errors.Join(err, z.Close()); err != nil {
		return Size{}, err
	}
	return Size{Binary: n, Zip: int64(packed)}, nil
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
