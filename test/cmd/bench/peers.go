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

// comparison lets package peers compare, in the virtual time that only a test has. It
// gives the same each time, and is made once.
func (b *bench) comparison(ctx context.Context) (report peers.Report, err error) {
	if b.compared != nil {
		return *b.compared, nil
	}
	folder, err := os.MkdirTemp("", "reltio-tokens-peers-")
	if err != nil {
		return report, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "results.json")
	c, err := stack.Go(ctx, "test/peers", "test", "-count", "1")
	if err != nil {
		return report, err
	}
	c.Env = append(os.Environ(), "PEERS_OUT="+file)
	if out, err := c.CombinedOutput(); err != nil {
		return report, fmt.Errorf("go test: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return report, err
	}
	b.compared = &report
	return report, nil
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
	all, err := b.comparison(ctx)
	if err != nil {
		return s, err
	}
	s.Figures = compare(all)
	for _, t := range peers.Troubles() {
		row := []string{t.Name}
		for _, r := range all.Troubles[t.Name] {
			row = append(row, fmt.Sprintf("%.1f s, %.0f/min", r.Without.Seconds(), r.PerMinute))
		}
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}

// compare gives the gate what the service came to. Virtual time gives the same figures
// each time; the margin lets a change of the code move its requests a little.
func compare(all peers.Report) []figures.Figure {
	const margin = 0.1
	var found []figures.Figure
	for i, t := range peers.Troubles() {
		service := all.Troubles[t.Name][0]
		without := figures.Figure{
			ID: fmt.Sprintf("gate-peers-without-%d", i), Name: "until a token is there, from a token's end; trouble: " + t.Name, Unit: "s",
			Value: figures.Exactly(service.Without.Seconds()), Margin: margin,
		}
		if t.Goal.Without > 0 {
			without.Bar = &figures.Bar{Limit: t.Goal.Without.Seconds()}
		} else {
			without.Bar = &figures.Bar{Limit: (t.Lasts + t.Goal.After).Seconds()}
		}
		found = append(found, without, figures.Figure{
			ID: fmt.Sprintf("gate-peers-requests-%d", i), Name: "token requests a minute; trouble: " + t.Name,
			Value: figures.Exactly(service.PerMinute), Margin: margin, Bar: &figures.Bar{Limit: t.Goal.PerMinute},
		})
	}
	return found
}

// gatePeers is the comparison for the gate.
func (b *bench) gatePeers(ctx context.Context) ([]figures.Figure, error) {
	all, err := b.comparison(ctx)
	if err != nil {
		return nil, err
	}
	return compare(all), nil
}
