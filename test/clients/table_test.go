package clients

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func decode(body []byte) (payload map[string]any, err error) {
	err = json.Unmarshal(body, &payload)
	return payload, err
}

// Every client does the same in every case.
func TestEveryClientKeepsTheContract(t *testing.T) {
	cases := scenarios(t)
	columns := clients()
	results := make([]result, len(columns))
	t.Run("clients", func(t *testing.T) {
		for i := range columns {
			t.Run(columns[i].name, func(t *testing.T) {
				t.Parallel()
				results[i] = columns[i].run(t, cases)
			})
		}
	})
	for i, c := range columns {
		if results[i].did == nil {
			t.Skipf("%s was left out: the table is not compared", c.name)
		}
	}
	if !t.Failed() {
		compareTable(t, table(cases, columns, results))
		WriteSection(t, root, "cases", figuresOf(t, cases, columns, results))
	}
}

// result is what a client did in each case, by its number, and what differs.
type result struct {
	did         map[int][]did
	differences map[int]string
}

// run runs every case.
func (c *client) run(t *testing.T, cases []scenario) result {
	r := result{did: map[int][]did{}, differences: map[int]string{}}
	if c.command == nil {
		for n := range cases {
			if c.has != nil && !c.has(&cases[n]) {
				continue
			}
			t.Run(cases[n].Name, func(t *testing.T) {
				on := newStub(cases)
				expected, _ := c.expected(cases[n])
				r.did[n] = c.inProcess(t, &cases[n], n, on)
				r.differences[n] = expected.differences(n, r.did[n], on.asked(connectionOf(n)))
			})
		}
	} else {
		runAll(t, c, cases, r)
	}
	for n, d := range r.differences {
		if d != "" {
			t.Errorf("%s: %s: %s", cases[n].Group, cases[n].Name, d)
		}
	}
	return r
}

// expected is what is expected of the client in a case, and how that differs from
// what is expected of all.
func (c *client) expected(s scenario) (scenario, string) {
	if c.own == nil {
		return s, ""
	}
	return c.own(s)
}

// table is the page of the cases.
func table(cases []scenario, columns []client, results []result) string {
	var b strings.Builder
	b.WriteString("# Every case of the contract, in every client\n\n" +
		"What each client does in the cases of [the contract](contract.md), which are\n" +
		"[data](../../clients/contract/cases.json): the tests run them, and write this page with\n" +
		"`UPDATE=1 go test -C test ./clients`. ✓ is what the case expects; – cannot happen there;\n" +
		"other cells say what the client's own contract says.\n")
	group := ""
	for n := range cases {
		if cases[n].Group != group {
			group = cases[n].Group
			fmt.Fprintf(&b, "\n## %s%s\n\n| Case |", strings.ToUpper(group[:1]), group[1:])
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", c.name)
			}
			b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
		}
		fmt.Fprintf(&b, "| %s |", cases[n].Name)
		for i := range columns {
			fmt.Fprintf(&b, " %s |", cell(&columns[i], cases[n], n, results[i].differences))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(c *client, s scenario, n int, results map[int]string) string {
	if _, ran := results[n]; !ran {
		return "–"
	}
	_, note := c.expected(s)
	return cmp.Or(note, "✓")
}

// compareTable compares the page with what was found, or writes it if UPDATE asks.
func compareTable(t *testing.T, want string) {
	t.Helper()
	page := filepath.Join(root, "docs", "integrations", "cases.md")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(page)
	if err != nil || string(got) != want {
		t.Errorf("docs/integrations/cases.md is not what the tests found: UPDATE=1 go test -C test ./clients (%v)", err)
	}
}
