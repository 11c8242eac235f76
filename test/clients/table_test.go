package clients

import (
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
	results := make([]map[int]string, len(columns))
	t.Run("clients", func(t *testing.T) {
		for i := range columns {
			t.Run(columns[i].name, func(t *testing.T) {
				t.Parallel()
				results[i] = columns[i].run(t, cases)
			})
		}
	})
	for i, c := range columns {
		if results[i] == nil {
			t.Skipf("%s was left out: the table is not compared", c.name)
		}
	}
	if !t.Failed() {
		compareTable(t, table(cases, columns, results))
	}
}

// run runs every case, and returns what differs.
func (c *client) run(t *testing.T, cases []scenario) map[int]string {
	differences := map[int]string{}
	if c.command == nil {
		for n := range cases {
			t.Run(cases[n].Name, func(t *testing.T) {
				on := newStub(cases)
				differences[n] = cases[n].differences(n, runGo(t, &cases[n], n, on), on.asked(connectionOf(n)))
			})
		}
	} else {
		differences = runAll(t, c, cases)
	}
	for n, d := range differences {
		if d != "" {
			t.Errorf("%s: %s: %s", cases[n].Group, cases[n].Name, d)
		}
	}
	return differences
}

// table is the page of the cases.
func table(cases []scenario, columns []client, results []map[int]string) string {
	var b strings.Builder
	b.WriteString("# Every case of the contract, in every client\n\n" +
		"What each client does in the cases of [the contract](contract.md), which are\n" +
		"[data](../../clients/contract/cases.json): the tests run them, and write this page with\n" +
		"`UPDATE=1 go test -C test ./clients`. ✓ is what the case expects; – cannot happen there.\n")
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
			fmt.Fprintf(&b, " %s |", cell(n, results[i]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(n int, results map[int]string) string {
	if _, ran := results[n]; !ran {
		return "–"
	}
	return "✓"
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
