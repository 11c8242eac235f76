// Package figures is what `make bench` does with what it has measured: it
// writes a document for people and a file for the regression gate, and compares
// a new run with that file.
//
//	r := &figures.Report{Machine: machine}
//	r.Sections = append(r.Sections, figures.Section{Title: "…", Figures: []figures.Figure{
//		{ID: "issue-allocations", Name: "allocations of issue", Value: figures.Of(values), Margin: 0.1},
//	}})
//	r.Document()           // Markdown
//	r.Committed()          // JSON
//	worse := figures.Compare(committed, r.All())
//
// It measures nothing, and reads and writes no file.
package figures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Figure is one thing that was measured.
type Figure struct {
	// ID names the figure for the gate. Required.
	ID string `json:"id"`
	// Name says what was measured.
	Name string `json:"name"`
	// Unit of the value; empty for ratios and counts.
	Unit  string `json:"unit,omitempty"`
	Value Spread `json:"value"`
	// Bar is what the value has to keep to; nil: nothing.
	Bar *Bar `json:"-"`
	// Margin is by what share the value may get worse before the gate says
	// so; 0 takes the figure out of the gate.
	Margin float64 `json:"margin,omitempty"`
	// Exact lets the gate take the value as it is: it may get no worse at all.
	Exact bool `json:"exact,omitempty"`
}

// Bar is a bound.
type Bar struct {
	Limit float64
	// AtLeast: the value must reach the limit; else it must not exceed it.
	AtLeast bool
	// Why explains a value that does not hold.
	Why string
}

// Holds reports whether a median keeps to the bar.
func (b Bar) Holds(median float64) bool {
	if b.AtLeast {
		return median >= b.Limit
	}
	return median <= b.Limit
}

// String implements fmt.Stringer.
func (b Bar) String() string {
	if b.AtLeast {
		return "at least " + Text(b.Limit)
	}
	return "at most " + Text(b.Limit)
}

// Text is the value with its unit.
func (f Figure) Text() string { return strings.TrimSpace(f.Value.String() + " " + f.Unit) }

// gated reports whether the gate looks at the figure.
func (f Figure) gated() bool { return f.Margin > 0 || f.Exact }

// Section is one part of the document.
type Section struct {
	Title string
	// Text says how it was measured, in paragraphs.
	Text []string
	// Header and Rows are a table.
	Header []string
	Rows   [][]string
	// After stands below the table.
	After []string
	// Figures go into the table of bars, those that have one, and all of them
	// into the gate's file.
	Figures []Figure
}

// Report is a run.
type Report struct {
	// Machine is where it ran, line by line.
	Machine  []string
	Sections []Section
}

// All are the figures of all sections.
func (r *Report) All() []Figure {
	var all []Figure
	for _, s := range r.Sections {
		all = append(all, s.Figures...)
	}
	return all
}

// file is what is committed.
type file struct {
	Machine []string `json:"machine"`
	Figures []Figure `json:"figures"`
}

// Committed is the file that later runs are compared with: the figures that the
// gate looks at, one on a line.
func (r *Report) Committed() ([]byte, error) {
	f := file{Machine: r.Machine, Figures: []Figure{}}
	for _, figure := range r.All() {
		if figure.gated() {
			f.Figures = append(f.Figures, figure)
		}
	}
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	text = bytes.ReplaceAll(text, []byte(`{"id":`), []byte("\n"+`{"id":`))
	return append(text, '\n'), nil
}

// ReadCommitted reads such a file.
func ReadCommitted(text []byte) ([]Figure, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	return f.Figures, nil
}
