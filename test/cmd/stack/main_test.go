package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	for line, want := range map[string][3]string{
		"": {"127.0.0.1:3000", "127.0.0.1:3001", "127.0.0.1:3002"},
		"-callback-port 1 -lambda-port -1 -reltio-port 0": {"127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:3002"},
	} {
		c, err := flags(strings.Fields(line), new(bytes.Buffer))
		if got := [3]string{c.HTTPAddress, c.LambdaAddress, c.ReltioAddress}; got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", line, got, err, want)
		}
		if c.Now == nil || c.Log != nil || len(c.Sandbox.Clients) == 0 {
			t.Errorf("%q: no clock, no clients, or a log that nobody asked for", line)
		}
	}
	log := new(bytes.Buffer)
	if c, err := flags([]string{"-v"}, log); err != nil || c.Log != log {
		t.Errorf("-v: error %v, log %v; want the one that was given", err, c.Log)
	}
}

func TestHelp(t *testing.T) {
	log := new(bytes.Buffer)
	if err := run([]string{"--help"}, new(bytes.Buffer), log); !errors.Is(err, flag.ErrHelp) || !strings.Contains(log.String(), "three binaries") {
		t.Errorf("error %v, explained by %q", err, log)
	}
}
