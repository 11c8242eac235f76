package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/internal/lambdahost"
)

// alias is the one that the template publishes.
const alias = "live"

// deploy deploys the functions as the template does.
func (s *Stack) deploy(context.Context) error {
	for _, f := range []lambdahost.Function{
		{Name: issue, MemoryMB: 256, Timeout: 25 * time.Second, Env: s.environment(issue, map[string]string{
			config.RotateFunction: s.Host.ARN(rotate) + ":" + alias,
		}, DynamoDB, Lambda)},
		{
			Name: rotate, MemoryMB: 512, Timeout: 90 * time.Second,
			// The next tick is the retry.
			Async: lambdahost.Async{MaximumRetryAttempts: -1, MaximumEventAge: time.Minute},
			Env:   s.environment(rotate, s.trusted(), DynamoDB, SecretsManager, EventBridge),
		},
		{
			Name: callback, MemoryMB: 256, Timeout: 29 * time.Second,
			Env: s.environment(callback, s.trusted(), DynamoDB, SecretsManager, EventBridge),
		},
	} {
		f.Command = []string{filepath.Join(s.config.Binaries, f.Name, "bootstrap")}
		f.Aliases, f.LogFormat, f.Log = []string{alias}, "JSON", s.config.Log
		if s.config.Change != nil {
			s.config.Change(&f)
		}
		if err := s.Host.Deploy(f); err != nil {
			return err
		}
	}
	return nil
}

// trusted are the variables of those that may read secrets.
func (s *Stack) trusted() map[string]string {
	_, host, _ := strings.Cut(s.authURL, "://")
	return map[string]string{
		config.SecretPrefix:    s.Secrets.Prefix,
		config.AuthHosts:       host,
		config.CallbackBaseURL: s.CallbackURL,
	}
}

// environment is a function's: its own variables, and where it reaches what it
// calls.
func (s *Stack) environment(function string, own map[string]string, services ...Service) map[string]string {
	own[config.TableName] = s.Table.Name
	for _, service := range services {
		endpoint := s.Endpoints[service]
		if service == Lambda {
			endpoint = s.LambdaURL
		}
		name := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(string(service), " ", "_"))
		own[name] = s.via(function, service, endpoint)
	}
	return own
}

func (s *Stack) via(function string, service Service, endpoint string) string {
	if s.config.Via == nil {
		return endpoint
	}
	return s.config.Via(function, service, endpoint)
}

const module = "github.com/reltio-tokens/reltio-tokens"

// Build builds the functions for this machine, as they are deployed, into
// <folder>/<function>/bootstrap. It needs Go and the sources: this program runs
// somewhere in the repository.
func Build(ctx context.Context, folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := readSources(ctx); err != nil {
		return err
	}
	for _, name := range Functions() {
		binary := filepath.Join(folder, name, "bootstrap")
		build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-buildvcs=false", //nolint:gosec // the words are this package's
			"-ldflags", "-s -w", "-o", binary, module+"/functions/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		text, err := build.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			return fmt.Errorf("building %s: %w\n%s", name, err, text)
		case err != nil:
			return fmt.Errorf("building %s: %w", name, err)
		}
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
