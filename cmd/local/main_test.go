package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

func TestFlags(t *testing.T) {
	usual := local.Config{CallbackPort: 3000, LambdaPort: 3001, ReltioPort: 3002, TokenLife: time.Hour}
	for line, want := range map[string]local.Config{
		"": usual,
		"-callback-port 1 -lambda-port 2 -reltio-port -1 -token-life 2m": {CallbackPort: 1, LambdaPort: 2, ReltioPort: -1, TokenLife: 2 * time.Minute},
	} {
		got, err := local.Flags("local", about, strings.Fields(line), new(bytes.Buffer))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: error %v, -want +got:\n%s", line, err, diff)
		}
	}
	log := new(bytes.Buffer)
	if got, err := local.Flags("local", about, []string{"-v"}, log); err != nil || got.Log != log {
		t.Errorf("-v: error %v, log %v; want the one that was given", err, got.Log)
	}
}

func TestAFaultInTheCommandLine(t *testing.T) {
	for _, line := range []string{"-lambda-port x", "-token-life 2", "-nothing"} {
		log := new(bytes.Buffer)
		err := run(strings.Fields(line), new(bytes.Buffer), log)
		if err == nil || errors.Is(err, flag.ErrHelp) || !strings.Contains(log.String(), "-lambda-port") {
			t.Errorf("%q: error %v, explained by %q", line, err, log)
		}
	}
	log := new(bytes.Buffer)
	if err := run([]string{"--help"}, new(bytes.Buffer), log); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: error %v", err)
	}
	for _, want := range []string{"whole stack", "-callback-port", "-lambda-port", "-reltio-port", "-token-life", "-v"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("--help lacks %q:\n%s", want, log)
		}
	}
}
