package main

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
)

// elsewhere are figures that tests and benchmarks of the packages give, each with its
// command: they were measured once, and the tests hold them.
func (*bench) elsewhere(context.Context) (figures.Section, error) {
	return figures.Section{
		Title: "Bad connections and large fleets",
		Text: []string{
			"Measured once, beside other work, and not again by `make bench`; each has the command that gives it. The first two are pairs: the SDK alone, and with `internal/aws/client`. `go test -run '^$' -bench 'StalledRead|DeadConnection' -benchtime 1x ./internal/aws/client`; `TestReadsOutliveBadConnections` and `TestWaitingInvocationsShareNoConnection` hold them. The fleets are in virtual time with calls of 40 ms, `go test -v -run TestAFleet ./cmd/reltio-tokens/doctor`, which holds them; before, connections were looked at one after the other.",
		},
		Header: []string{"What", "Before", "Now"},
		Rows: [][]string{
			{"a read whose connection swallows the request", "no response after 20.3 s", "response after 2.5 s"},
			{"an invocation over a kept connection that is reset", "error", "result, 21 ms with its own connection"},
			{"`doctor` with 600 connections, one secret unreadable", "60 s, 102 not looked at and called failed", "0.96 s, one failed"},
			{"`doctor` with 25,000 connections, one secret unreadable", "-", "40 s, one failed"},
		},
	}, nil
}
