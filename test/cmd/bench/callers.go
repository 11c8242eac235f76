package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/peers"
)

// callers measures what callers meet beside an outage, and what a token costs that a Go
// program has already.
func (b *bench) callers(ctx context.Context) (figures.Section, error) {
	s := figures.Section{
		Title: "What callers meet",
		Text: []string{
			fmt.Sprintf("The same sandbox in virtual time. In a crowd %d callers, each a process of its own, ask at once while there is no token yet; the server takes %d ms, and lets ten requests a second through. Who gets an error asks again after 300 ms. An operator corrects a password that was refused twice, and then has the connection renewed, as `reltio-tokens add --force` does, or does nothing.",
				peers.Callers, peers.ServerTakes.Milliseconds()),
			"Not in virtual time are the last rows: `go test -bench 'Warm|ReuseSource' ./pkg/reltioauth/issueclient` asks for a token that the process has.",
		},
		Header: []string{"What", "This service", "x/oauth2", "Recipe"},
	}
	all, err := b.comparison(ctx)
	if err != nil {
		return s, err
	}
	const warm, reuse = "BenchmarkWarm/Get", "BenchmarkReuseSource"
	kept, err := benchmarked(ctx, "pkg/reltioauth/issueclient", 10, []string{warm, reuse})
	if err != nil {
		return s, err
	}
	none := all.Troubles[peers.Troubles()[0].Name]
	service, process, recipe, library := none[0], none[1], none[3], none[4]
	crowd := func(value func(peers.Crowd) string) []string {
		return []string{value(all.Crowds[0]), value(all.Crowds[1]), value(all.Crowds[2])}
	}
	add := func(what string, values ...string) { s.Rows = append(s.Rows, append([]string{what}, values...)) }
	add("a token's end, no trouble: longest call", seconds(service.Longest), seconds(process.Longest), seconds(recipe.Longest))
	add("the same: failed calls", strconv.Itoa(service.Failed)+"; `reltioauth.TokenSource` "+strconv.Itoa(library.Failed), strconv.Itoa(process.Failed), strconv.Itoa(recipe.Failed))
	add("a crowd: the first has a token", crowd(func(c peers.Crowd) string { return seconds(c.First) })...)
	add("a crowd: half of them have one", crowd(func(c peers.Crowd) string { return seconds(c.Median) })...)
	add("a crowd: token requests", crowd(func(c peers.Crowd) string { return strconv.Itoa(c.Requests) })...)
	add("corrected credentials, tried by the operator: a token after", seconds(all.Corrected.Forced), "-", "-")
	add("corrected credentials, nothing done: a token after", seconds(all.Corrected.Unforced), "-", "-")
	add("a token that the process has, ns", figures.Of(kept[warm].nanoseconds).String(), figures.Of(kept[reuse].nanoseconds).String(), "-")
	add("its allocations", figures.Of(kept[warm].allocations).String(), figures.Of(kept[reuse].allocations).String(), "-")
	first := all.Crowds[0]
	s.Figures = []figures.Figure{
		{ID: "callers-handover", Name: "longest call at a token's end, no trouble", Unit: "s", Value: figures.Exactly(service.Longest.Seconds()), Bar: &figures.Bar{Limit: 1.5}},
		{ID: "callers-crowd", Name: "a crowd: wait of the caller in the middle ÷ of the first", Value: figures.Exactly(first.Median.Seconds() / first.First.Seconds()), Bar: &figures.Bar{Limit: 1.3}},
		{ID: "callers-corrected", Name: "corrected credentials, tried by the operator: a token after", Unit: "s", Value: figures.Exactly(all.Corrected.Forced.Seconds()), Bar: &figures.Bar{Limit: 1}},
		{ID: "callers-kept", Name: "a token that a Go program has already", Unit: "ns", Value: figures.Of(kept[warm].nanoseconds), Bar: &figures.Bar{Limit: 150}},
		{ID: "callers-kept-allocations", Name: "its allocations in the program", Value: figures.Of(kept[warm].allocations), Bar: &figures.Bar{Limit: 0}},
	}
	return s, nil
}

// seconds is a duration with the digits that matter.
func seconds(d time.Duration) string { return figures.Text(d.Seconds()) + " s" }
