package figures_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
)

func TestASpreadIsTheMedianAndTheQuartiles(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   figures.Spread
	}{
		"none": {nil, figures.Spread{}},
		"one":  {[]float64{7}, figures.Spread{Median: 7, Low: 7, High: 7, Size: 1}},
		"five": {[]float64{5, 1, 4, 2, 3}, figures.Spread{Median: 3, Low: 2, High: 4, Size: 5}},
		"four": {[]float64{4, 3, 2, 1}, figures.Spread{Median: 2.5, Low: 1.75, High: 3.25, Size: 4}},
	} {
		if got := figures.Of(c.values); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestRatiosAreMadePairByPair(t *testing.T) {
	// The machine was twice as slow in the second round, for both.
	got := figures.Ratio([]float64{3, 6, 9}, []float64{2, 4, 0})
	if want := figures.Exactly(1.5); got.Median != want.Median || got.Size != 2 {
		t.Errorf("%+v, want a median of 1.5 of two pairs", got)
	}
}

func TestTextShowsThreeDigits(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 3: "3", 1.2345: "1.23", 12.345: "12.3", 1234.5: "1234", 0.1234: "0.12", 0.0004: "0.00"} {
		if got := figures.Text(value); got != want {
			t.Errorf("%v is %s, want %s", value, got, want)
		}
	}
}

// run is a report with one figure of each kind.
func run(ratio, count float64) *figures.Report {
	return &figures.Report{Machine: []string{"2 processors"}, Sections: []figures.Section{{
		Title: "Calls", Text: []string{"How."}, Header: []string{"A", "B"}, Rows: [][]string{{"1", "2"}},
		Figures: []figures.Figure{
			{ID: "ratio", Name: "a call ÷ nothing", Value: figures.Exactly(ratio), Margin: 0.2, Bar: &figures.Bar{Limit: 1.5, Why: "It is raining."}},
			{ID: "count", Name: "requests", Value: figures.Exactly(count), Exact: true},
			{ID: "loose", Name: "what no gate looks at", Value: figures.Exactly(ratio * 10)},
		},
	}}}
}

func TestTheDocumentSaysWhichBarsHold(t *testing.T) {
	for name, c := range map[string]struct {
		ratio   float64
		want    string
		explain bool
	}{
		"holds":         {1.5, "| a call ÷ nothing | at most 1.50 | 1.50 | yes |", false},
		"does not hold": {1.51, "| a call ÷ nothing | at most 1.50 | 1.51 | **no** |", true},
	} {
		document := string(run(c.ratio, 1).Document())
		if !strings.Contains(document, c.want) {
			t.Errorf("%s: no line %q in\n%s", name, c.want, document)
		}
		if got := strings.Contains(document, "It is raining."); got != c.explain {
			t.Errorf("%s: explained is %v, want %v", name, got, c.explain)
		}
	}
	if bar := (figures.Bar{Limit: 0.95, AtLeast: true}); bar.Holds(0.94) || !bar.Holds(0.95) {
		t.Error("a bar from below is judged the wrong way round")
	}
}

func TestTheGateComparesWithWhatIsCommitted(t *testing.T) {
	text, err := run(1, 9).Committed()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := figures.ReadCommitted(text)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("loose")) {
		t.Errorf("a figure without a margin is committed:\n%s", text)
	}
	for name, c := range map[string]struct {
		now  *figures.Report
		want []string
	}{
		"the same":                {run(1, 9), nil},
		"better":                  {run(0.5, 8), nil},
		"worse within its margin": {run(1.19, 9), nil},
		"worse":                   {run(1.21, 9), []string{"ratio"}},
		"one request more":        {run(1, 10), []string{"count"}},
	} {
		var worse []string
		verdicts := figures.Compare(committed, c.now.All())
		for _, v := range verdicts {
			if !v.Passes() {
				worse = append(worse, v.Now.ID)
			}
		}
		if diff := cmp.Diff(c.want, worse); diff != "" || len(verdicts) != 2 {
			t.Errorf("%s: %d verdicts, worse (-want +got):\n%s", name, len(verdicts), diff)
		}
		if got, want := figures.Pass(verdicts), len(c.want) == 0; got != want {
			t.Errorf("%s: the gate passes: %v, want %v", name, got, want)
		}
	}
}

func TestAFigureThatIsNotCommittedDoesNotPass(t *testing.T) {
	if verdicts := figures.Compare(nil, run(1, 1).All()); figures.Pass(verdicts) || len(verdicts) != 2 {
		t.Errorf("%v", verdicts)
	}
}

func TestTheBestOfSeveralRunsCounts(t *testing.T) {
	committed := run(1, 9).All()
	first := figures.Compare(committed, run(1.5, 9).All())
	second := figures.Compare(committed, run(1.1, 10).All())
	if !figures.Pass(figures.Best(first, second)) {
		t.Error("each figure was good enough once, and the gate does not pass")
	}
	if figures.Pass(figures.Best(nil, first)) {
		t.Error("the first run was bad, and the gate passes")
	}
}
