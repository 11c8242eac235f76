package figures

import (
	"fmt"
	"slices"
)

// Verdict is a figure of a new run beside the committed one.
type Verdict struct {
	Now, Before Figure
	// Limit is the largest value that passes.
	Limit float64
	// Known is false for a figure that is not committed.
	Known bool
}

// Passes reports whether the figure has not got worse.
func (v Verdict) Passes() bool { return v.Known && v.Now.Value.Median <= v.Limit }

// String implements fmt.Stringer: columns with tabs between them.
func (v Verdict) String() string {
	word := "ok"
	switch {
	case !v.Known:
		word = "NOT COMMITTED"
	case !v.Passes():
		word = "WORSE"
	}
	return fmt.Sprintf("%s\t%s\tcommitted %s\tat most %s\t%s",
		word, v.Now.Text(), Text(v.Before.Value.Median), Text(v.Limit), v.Now.Name)
}

// Pass reports whether all pass.
func Pass(verdicts []Verdict) bool {
	return !slices.ContainsFunc(verdicts, func(v Verdict) bool { return !v.Passes() })
}

// Best takes of two runs the better value of each figure. The runs are of the
// same figures in the same order, or there was no former one.
func Best(former, now []Verdict) []Verdict {
	if len(former) != len(now) {
		return now
	}
	best := slices.Clone(now)
	for i, v := range former {
		if v.Now.Value.Median < now[i].Now.Value.Median {
			best[i] = v
		}
	}
	return best
}

// Compare judges the figures of a new run that the gate looks at. More is
// worse, for all of them. The margin is the committed one, or the new one if it
// is less: a change may tighten the gate, and only a new file loosen it.
func Compare(committed, now []Figure) []Verdict {
	before := map[string]Figure{}
	for _, f := range committed {
		before[f.ID] = f
	}
	var verdicts []Verdict
	for _, f := range now {
		if !f.gated() {
			continue
		}
		b, known := before[f.ID]
		margin := min(f.Margin, b.Margin)
		if f.Exact {
			margin = 0
		}
		verdicts = append(verdicts, Verdict{Now: f, Before: b, Known: known, Limit: b.Value.Median * (1 + margin)})
	}
	return verdicts
}
