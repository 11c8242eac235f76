package clients

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// A figure is what a client did in a case, in short.
type figure struct {
	what  string
	group string
	name  string // of the case
	tell  func([]did) string
}

// figures are those of docs/integrations/figures.md.
var figures = []figure{
	{"26 s of tokens of 8 s: invocations for so many tokens", "tokens", "26 s of tokens of 8 s", func(all []did) string {
		tokens := map[string]bool{}
		for _, d := range all {
			tokens[d.Got] = true
		}
		return fmt.Sprintf("%d for %d", all[len(all)-1].Invocations, len(tokens))
	}},
	{"`issue` says nothing, no token is kept, a `timeout` of 2 s: an error after", "silence", "no token: one timeout", first},
	{"the same, after half a response", "silence", "half an answer: one timeout", first},
	{"the same, and the kept token was rejected", "silence", "a rejected token: one timeout", second},
	{"`issue` says nothing, a token in its last minute is kept: the token after", "silence", "a token in its last minute: 5 s, once in 30 s", second},
	{"the same, the next 30 s", "silence", "a token in its last minute: 5 s, once in 30 s", third},
	{"`issue` says nothing, a longer life is wanted: the kept token after", "silence", "a token with less life than is wanted: 5 s, once in 30 s", second},
}

func first(all []did) string  { return took(all[0]) }
func second(all []did) string { return took(all[1]) }
func third(all []did) string  { return took(all[2]) }

// took is how long a call took, in half seconds.
func took(d did) string {
	if half := math.Round(d.Took*2) / 2; half > 0 {
		return fmt.Sprintf("%.1f s", half)
	}
	return "at once"
}

// figuresOf is the table of figures.
func figuresOf(t testing.TB, cases []scenario, columns []client, results []result) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, f := range figures {
		fmt.Fprintf(&b, "| %s |", f.what)
		for i := range columns {
			fmt.Fprintf(&b, " %s |", f.cell(t, cases, &results[i]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (f *figure) cell(t testing.TB, cases []scenario, r *result) string {
	t.Helper()
	for n := range cases {
		if cases[n].Group == f.group && cases[n].Name == f.name {
			return f.tell(r.did[n])
		}
	}
	t.Errorf("there is no case %q", f.name)
	return ""
}
