// Package costs computes what the service costs at AWS, for docs/operations.md:
// from docs/prices.json, which has a date, and from what a call, a connection and a
// stack use. `go run -C test ./cmd/costs` writes the tables; the test fails if
// prices, uses and tables differ.
package costs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Prices are the file's.
type Prices struct {
	Date   string             `json:"date"`
	Region string             `json:"region"`
	Source string             `json:"source"`
	USD    map[string]float64 `json:"usd"`
}

// ReadPrices decodes the file. It fails if a price that is used is missing.
func ReadPrices(data []byte) (Prices, error) {
	var p Prices
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("prices: %w", err)
	}
	for _, u := range slices.Concat(Call(), Connection(true), Stack(1, 1)) {
		if p.USD[u.Price] <= 0 {
			return p, fmt.Errorf("prices: there is none of %q", u.Price)
		}
	}
	return p, nil
}

// Use is an amount of something that has a price.
type Use struct {
	// What it is, and how its amount is reckoned.
	What, How string
	Price     string
	Amount    float64
}

// What is counted on. A token lives for an hour, and is renewed 47 minutes after it
// was issued.
const (
	million  = 1_000_000
	perMonth = 730 * 60 / 47 // renewals of a connection
	ticks    = 730 * 60
	gb       = 1e9
)

// Call is what a million calls of issue use, if each reads the table.
func Call() []Use {
	return []Use{
		{"requests", "1,000,000", "lambda_request", million},
		{"time", "5 ms of 256 MB each", "lambda_gb_second", million * 0.005 * 0.25},
		{"reads", "half a unit each", "dynamodb_read_unit", million * 0.5},
		{"log lines", "450 bytes each", "log_gb", million * 450 / gb},
	}
}

// Connection is what a connection uses in a month, with or without a refresh token.
func Connection(refreshToken bool) []Use {
	secrets := 1.0
	if refreshToken {
		secrets = 2
	}
	return []Use{
		{"secrets", "the connection's, and the grant's where there is a refresh token", "secret_month", secrets},
		{"calls of Secrets Manager", fmt.Sprintf("%d renewals, a read of each secret", perMonth), "secret_call", perMonth * secrets},
		{"uses of the key for them", "one for each", "kms_request", perMonth * secrets},
		{"writes of the table", "10 units for each renewal", "dynamodb_write_unit", perMonth * 10},
		{"reads of the table", "4 units for each renewal", "dynamodb_read_unit", perMonth * 4},
		{"time of rotate", "1 s of 512 MB for each renewal", "lambda_gb_second", perMonth * 0.5},
		{"log lines", "1.2 KB for each renewal", "log_gb", perMonth * 1200 / gb},
	}
}

// Stack is what a stack uses in a month, whatever its connections; metrics that
// alarms look at are counted once for each alarm.
func Stack(alarmMetrics, customMetrics int) []Use {
	return []Use{
		{"ticks", "one a minute", "schedule_event", ticks},
		{"invocations of rotate", "one for each tick", "lambda_request", ticks},
		{"time of sweeps", "0.2 s of 512 MB each", "lambda_gb_second", ticks * 0.2 * 0.5},
		{"traces of sweeps", "one for each tick: X-Ray takes the first request of every second", "trace", ticks},
		{"log lines of sweeps", "1.5 KB each", "log_gb", ticks * 1500 / gb},
		{"key", "one; 1 USD more for each of its first two yearly rotations", "kms_key_month", 1},
		{"alarms", fmt.Sprintf("on %d metrics", alarmMetrics), "alarm_metric_month", float64(alarmMetrics)},
		{"metrics of its own", fmt.Sprintf("about %d", customMetrics), "custom_metric_month", float64(customMetrics)},
		{"dashboard", "one", "dashboard_month", 1},
	}
}

// Sum is what the uses cost.
func (p Prices) Sum(uses []Use) float64 {
	total := 0.0
	for _, u := range uses {
		total += u.Amount * p.USD[u.Price]
	}
	return total
}

// Counts are what the template says about itself.
type Counts struct{ AlarmMetrics, CustomMetrics int }

// Document is the part of the document that is written, from marker to marker.
func Document(p Prices, c Counts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Prices of %s in %s: %s ([prices.json](prices.json)). What is used is reckoned in `test/costs`, which writes\n"+
		"these tables: `go run -C test ./cmd/costs`.\n", p.Date, p.Region, p.Source)
	stack := Stack(c.AlarmMetrics, c.CustomMetrics)
	p.table(&b, "A million calls of `issue`, if each reads the table (memory saves most reads)", Call(), 2)
	p.table(&b, "A connection and month, hourly tokens, with a refresh token", Connection(true), 4)
	p.table(&b, "A stack and month, without any connection", stack, 2)
	b.WriteString("\n**All together, a month**, without calls of `issue`:\n\n| connections | with refresh tokens | `client_credentials` |\n|---|---|---|\n")
	for _, n := range []int{10, 1_000, 25_000} {
		of := func(refreshToken bool) float64 { return p.Sum(stack) + float64(n)*p.Sum(Connection(refreshToken)) }
		fmt.Fprintf(&b, "| %s | %s | %s |\n", grouped(n), usd(of(true), 0), usd(of(false), 0))
	}
	return b.String()
}

func (p Prices) table(b *strings.Builder, title string, uses []Use, digits int) {
	fmt.Fprintf(b, "\n**%s:**\n\n| | | USD |\n|---|---|---|\n", title)
	for _, u := range uses {
		fmt.Fprintf(b, "| %s | %s | %s |\n", u.What, u.How, usd(p.Sum([]Use{u}), digits))
	}
	fmt.Fprintf(b, "| | | **%s** |\n", usd(p.Sum(uses), digits))
}

// usd is an amount of money.
func usd(amount float64, digits int) string {
	if digits == 0 {
		return grouped(int(amount + 0.5))
	}
	return fmt.Sprintf("%.*f", digits, amount)
}

// grouped is a number with commas between its thousands.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
