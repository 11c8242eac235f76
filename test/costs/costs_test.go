package costs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/test/costs"
)

const root = "../.."

// The document says what prices and uses make.
func TestTheDocumentIsWhatIsReckoned(t *testing.T) {
	got, want, err := costs.Written(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run `go run -C test ./cmd/costs` (-want +got):\n%s", diff)
	}
}

func TestPricesThatAreNoPrices(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":         `{`,
		"none":             `{"date":"2026-11-29","usd":{}}`,
		"one is missing":   `{"usd":{"lambda_request":1}}`,
		"one is below 0":   `{"usd":{"lambda_request":-1}}`,
		"one is no number": `{"usd":{"lambda_request":"1"}}`,
	} {
		if _, err := costs.ReadPrices([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Every price costs what it is: a document for prices of one dollar each.
func TestTheArithmetic(t *testing.T) {
	p := costs.Prices{Date: time.DateOnly, USD: map[string]float64{"secret_month": 1, "secret_call": 0.001}}
	for _, test := range []struct {
		name string
		uses []costs.Use
		want float64
	}{
		{"a million calls", costs.Call(), 0},
		{"a connection with a refresh token", costs.Connection(true), 2 + 2*0.931},
		{"a connection without", costs.Connection(false), 1 + 0.931},
	} {
		if got := p.Sum(test.uses); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	text := costs.Document(p, costs.Counts{AlarmMetrics: 26, CustomMetrics: 31})
	for _, want := range []string{"| 25,000 | 96,550 | 48,275 |", "| alarms | on 26 metrics |"} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
}

func TestAlarmsAreCounted(t *testing.T) {
	text := "      MetricName: A\n        - Id: b\n          MetricStat:\n            Metric:\n              MetricName: B\n"
	if got := costs.Count(text).AlarmMetrics; got != 2 {
		t.Errorf("%d, want 2", got)
	}
}
