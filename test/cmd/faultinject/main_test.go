package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/faultinject"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// envArgs lets the test binary be the command, with these arguments.
const envArgs = "FAULTS_ARGS"

func TestMain(m *testing.M) {
	if args, is := os.LookupEnv(envArgs); is {
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
		return
	}
	os.Exit(m.Run())
}

// command runs the command in a folder of its own, which must stay empty.
func command(t *testing.T, args string) (code int, out, log string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Dir = append(os.Environ(), envArgs+"="+args, "GORACE=atexit_sleep_ms=0"), t.TempDir()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("%s: it has left %v, %v", args, left, err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

func TestMistakesInTheCommandLine(t *testing.T) {
	for args, want := range map[string]string{
		"-nothing":                     "flag provided but not defined: -nothing",
		"-at-once many":                "-at-once",
		"-at-once 0 -soak 1m":          "faults: wrong flags: -at-once must be 1 at least",
		"-at-once -1":                  "faults: wrong flags: -at-once must be 1 at least",
		"-soak -1s":                    "faults: wrong flags: -soak must not be negative",
		"-only (":                      "faults: -only: error parsing regexp",
		"-only login -table faults.md": "faults: wrong flags: -summary and -table are for all cases, -only for some",
		"-soak 1m -summary faults.md":  "faults: wrong flags: -summary and -table are for all cases, -soak for some",
		"-table faults.md -v soak":     `faults: wrong flags: "soak" is no flag`,
	} {
		code, out, log := command(t, args)
		if code != 1 || out != "" || !strings.Contains(log, want) {
			t.Errorf("%s: exit code %d, %q\n%s", args, code, out, log)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"-h", "--help"} {
		code, out, log := command(t, args)
		if code != 0 || out != "" || strings.HasPrefix(log, "faults:") {
			t.Errorf("%s: exit code %d, %q\n%s", args, code, out, log)
		}
		for _, want := range []string{"-at-once", "-binaries", "-only", "-seed", "-soak", "-summary", "-table", "-v", "-with"} {
			if !strings.Contains(log, "  "+want) {
				t.Errorf("%s lacks %s:\n%s", args, want, log)
			}
		}
	}
}

func TestAPatternOfNoCase(t *testing.T) {
	clean := []faultinject.Clean{{
		Flow: &faultinject.Flow{Name: "a login"}, Operations: []faultinject.Operation{{Service: stack.DynamoDB, Name: "GetItem grant#", Nth: 1}},
	}}
	if cases, err := choose(clean, regexp.MustCompile("grant# . killed")); err != nil || len(cases) != 2 {
		t.Errorf("%d cases, %v; want killed before and after", len(cases), err)
	}
	if cases, err := choose(clean, regexp.MustCompile("a logout")); !errors.Is(err, errNoCase) || len(cases) > 0 {
		t.Errorf("%d cases, %v; want none, and an error", len(cases), err)
	}
}

func TestSaveWritesNamedFilesAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faults.md")
	if err := errors.Join(save("", []byte("lost")), save(file, []byte("kept"))); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "kept" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestFlags(t *testing.T) {
	s, err := flags(strings.Fields("-at-once 3 -only ^password -soak 2m -seed 7"), new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if s.bench.AtOnce != 3 || s.soak != 2*time.Minute || s.random != 7 || !s.only.MatchString("password, login | GetItem grant# | cut") {
		t.Errorf("settings %+v", s)
	}
	if s, err = flags(nil, new(bytes.Buffer)); err != nil || s.bench.AtOnce < 1 || s.bench.Now == nil || !s.only.MatchString("any case") {
		t.Errorf("without flags: %+v, %v", s, err)
	}
	if _, err := flags([]string{"-h"}, new(bytes.Buffer)); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
}
