package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	log := new(bytes.Buffer)
	if err := run([]string{"--help"}, new(bytes.Buffer), log); !errors.Is(err, flag.ErrHelp) || !strings.Contains(log.String(), "whole stack") {
		t.Errorf("error %v, explained by %q", err, log)
	}
}
