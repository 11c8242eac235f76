package local_test

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
		got, err := local.Flags("local", "about", strings.Fields(line), new(bytes.Buffer))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: error %v, -want +got:\n%s", line, err, diff)
		}
	}
	log := new(bytes.Buffer)
	if got, err := local.Flags("local", "about", []string{"-v"}, log); err != nil || got.Log != log {
		t.Errorf("-v: error %v, log %v; want the one that was given", err, got.Log)
	}
}

func TestAFaultInTheCommandLine(t *testing.T) {
	for line, help := range map[string]bool{"-lambda-port x": false, "-token-life 2": false, "-nothing": false, "--help": true} {
		log := new(bytes.Buffer)
		_, err := local.Flags("local", "the whole stack", strings.Fields(line), log)
		if err == nil || errors.Is(err, flag.ErrHelp) != help {
			t.Errorf("%q: error %v", line, err)
		}
		for _, want := range []string{"whole stack", "-callback-port", "-lambda-port", "-reltio-port", "-token-life", "-v"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q: it lacks %q:\n%s", line, want, log)
			}
		}
	}
}
