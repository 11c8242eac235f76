package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/peers"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// comparison lets package peers compare, in the virtual time that only a test has.
func comparison(ctx context.Context) (all map[string][]peers.Result, err error) {
	folder, err := os.MkdirTemp("", "reltio-tokens-peers-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "results.json")
	c, err := stack.Go(ctx, "test/peers", "test", "-count", "1")
	if err != nil {
		return nil, err
	}
	c.Env = append(os.Environ(), "PEERS_OUT="+file)
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &all)
	return all, err
}

// peers compares the service with other ways to keep a token.
func (b *bench) peers(ctx context.Context) (figures.Section, error) {
	s := figures.Section{
		Title: "Beside other ways to keep a token",
		Text: []string{
			"In virtual time, so that nothing depends on the machine: the sandbox with the framework's behaviour gets into trouble at the moment at which a token ends. Callers ask every 300 ms, whatever they got: ten of `issue`, one in each process of x/oauth2's reuse source, ten that read and write a shared item (\"recipe\"), one of `reltioauth.TokenSource`. Counted are the seconds until a caller has a valid token again, and the token requests a minute that the server gets meanwhile. Every request counts while a server is down: with all connections together it gets one in 5 s, in 15 s after ten minutes. That is why the service is back up to so much later than a way that asks without pause.",
			"A token that the server ends at its end is asked for one second later, since the server's `expires_in` is in whole seconds.",
		},
		Header: []string{"Trouble", "This service", "x/oauth2, one process", "x/oauth2, ten processes", "Recipe", "reltioauth.TokenSource"},
	}
	all, err := comparison(ctx)
	if err != nil {
		return s, err
	}
	for _, t := range peers.Troubles() {
		row := []string{t.Name}
		for _, r := range all[t.Name] {
			row = append(row, fmt.Sprintf("%.1f s, %.0f/min", r.Without.Seconds(), r.PerMinute))
		}
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}
