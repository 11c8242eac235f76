package faultinject

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// row is what several cases of one flow have in common.
type row struct {
	operations, faults []string
	outcome            outcome
}

// outcome is what came of a case, as a row of the table says it.
type outcome struct {
	seen, next, verdict string
	requests            int
}

func outcomeOf(r *Result) outcome {
	return outcome{seen: r.Seen, next: r.Next, requests: r.Requests, verdict: cmp.Or(strings.Join(r.Problems, "; "), "kept")}
}

// Summarize writes one row for each flow: how many faults it met, and what its
// callers saw. Every result with a broken invariant is named.
func Summarize(w io.Writer, clean []Clean, results []Result) error {
	var b strings.Builder
	b.WriteString("| Invocation | Operations | Faults | Broken | Callers saw | Token requests |\n|---|---|---|---|---|---|\n")
	var broken []string
	for _, c := range clean {
		own, requests, bad := c.own(results), 0, len(broken)
		var seen []string
		for _, r := range own {
			seen, requests = append(seen, r.Seen), max(requests, r.Requests)
			if len(r.Problems) > 0 {
				broken = append(broken, r.Line())
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %s | %d at most |\n",
			c.Flow.Name, len(c.Operations), len(own), len(broken)-bad, distinct(seen), requests)
	}
	b.WriteString(bullets(broken))
	_, err := io.WriteString(w, b.String())
	return err
}

// distinct lists each text once, in alphabetical order.
func distinct(texts []string) string {
	return cell(strings.Join(slices.Compact(slices.Sorted(slices.Values(texts))), "; "))
}

// bullets lists lines, below a table.
func bullets(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("- " + strings.Join(strings.Fields(line), " ") + "\n")
	}
	return b.String()
}

// Write writes every result, in a table for each flow: identical outcomes are
// one row.
func Write(w io.Writer, clean []Clean, results []Result) error {
	var b strings.Builder
	for _, c := range clean {
		c.write(&b, c.own(results))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// own are the results of the flow that met their operation.
func (c Clean) own(results []Result) []Result {
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Flow != c.Flow || r.Missed })
}

// write writes the flow's section.
func (c Clean) write(b *strings.Builder, results []Result) {
	title := strings.ToUpper(c.Flow.Name[:1]) + c.Flow.Name[1:]
	fmt.Fprintf(b, "\n## %s\n\n", title)
	fmt.Fprintf(b, "Operations of `%s`: %s.\n", c.Flow.Function, strings.Join(texts(c.Operations), ", "))
	fmt.Fprintf(b, "Undisturbed: the caller sees %q; token requests: %d.\n\n", c.Seen, c.Requests)
	b.WriteString("| Operation | Fault | Caller saw | Next invocation | Token requests | Invariants |\n|---|---|---|---|---|---|\n")
	for _, r := range c.rows(results) {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %d | %s |\n", strings.Join(r.operations, ", "), strings.Join(r.faults, ", "),
			cell(r.outcome.seen), cell(r.outcome.next), r.outcome.requests, cell(r.outcome.verdict))
	}
}

// cell is a text that may hold anything, as a table's cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func texts(operations []Operation) []string {
	all := make([]string, 0, len(operations))
	for _, o := range operations {
		all = append(all, o.String())
	}
	return all
}

// rows merges what is alike: for each operation the faults with one outcome,
// then the operations whose faults are the same.
func (c Clean) rows(results []Result) []row {
	var rows []row
	for _, o := range c.Operations {
		for _, r := range merged(o, results) {
			i := slices.IndexFunc(rows, func(known row) bool {
				return known.outcome == r.outcome && slices.Equal(known.faults, r.faults)
			})
			if i < 0 {
				rows = append(rows, r)
				continue
			}
			rows[i].operations = append(rows[i].operations, r.operations...)
		}
	}
	all := texts(c.Operations)
	for i := range rows {
		if len(all) > 1 && slices.Equal(rows[i].operations, all) {
			rows[i].operations = []string{"all"}
		}
	}
	return rows
}

// merged are the rows of one operation.
func merged(o Operation, results []Result) []row {
	var rows []row
	for i := range results {
		r := &results[i]
		if r.Operation != o {
			continue
		}
		is := outcomeOf(r)
		k := slices.IndexFunc(rows, func(known row) bool { return known.outcome == is })
		if k < 0 {
			k = len(rows)
			rows = append(rows, row{operations: []string{o.String()}, outcome: is})
		}
		rows[k].faults = append(rows[k].faults, r.Fault.String())
	}
	for i := range rows {
		rows[i].faults = summary(o, rows[i].faults)
	}
	return rows
}

// summary says "every fault" or "every error" where that is so, and gives the
// errors of a status together.
func summary(o Operation, faults []string) []string {
	if len(faults) == len(Faults(o)) {
		return []string{"every fault"}
	}
	errors := answers(o)
	var rest []string
	given := 0
	for _, f := range faults {
		if slices.ContainsFunc(errors, func(e Fault) bool { return e.String() == f }) {
			given++
			continue
		}
		rest = append(rest, f)
	}
	if given == len(errors) && given > 0 {
		return append(rest, "every error")
	}
	return faults
}

// Line is a result in one line.
func (r Result) Line() string {
	is := outcomeOf(&r)
	return strings.Join([]string{r.Title(), is.seen, is.next, strconv.Itoa(is.requests), is.verdict}, " | ")
}
