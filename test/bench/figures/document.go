package figures

import (
	"fmt"
	"strings"
)

// intro opens the document.
const intro = `# Performance

Written by ` + "`make bench`" + ` from one run; change the program in ` + "`test/cmd/bench`" + `, not this file. The
binaries are built with the flags of the deployment and run as Lambda runs them
(` + "`test/lambdahost`" + `), against Dynoxide for DynamoDB, moto for Secrets Manager and the sandbox
of Reltio's authorization server, all on one machine. What the network and AWS add is not in
here, so a time is worth something only beside another time of the same run: the ratios are what
counts. Samples that are compared were taken alternately (A, B, A, B …), a ratio is made pair by
pair, and each value is a median with its quartiles. What people do instead was measured once:
[alternatives.md](alternatives.md).

`

// Document is the run in Markdown.
func (r *Report) Document() []byte {
	var b strings.Builder
	b.WriteString(intro)
	b.WriteString("The machine of this run: " + strings.Join(r.Machine, ", ") + ".\n")
	r.bars(&b)
	for _, s := range r.Sections {
		s.write(&b)
	}
	return []byte(b.String())
}

// bars is the table of what had to be kept to.
func (r *Report) bars(b *strings.Builder) {
	b.WriteString("\n## Bars\n\n")
	var rows [][]string
	var reasons []string
	for _, f := range r.All() {
		if f.Bar == nil {
			continue
		}
		holds := "yes"
		if !f.Bar.Holds(f.Value.Median) {
			holds = "**no**"
			reasons = append(reasons, fmt.Sprintf("%s: %s, where the bar is %s. %s", f.Name, f.Text(), *f.Bar, f.Bar.Why))
		}
		rows = append(rows, []string{f.Name, f.Bar.String(), f.Text(), holds})
	}
	table(b, []string{"Figure", "Bar", "Measured", "Holds"}, rows)
	for _, reason := range reasons {
		b.WriteString("\n" + strings.TrimSpace(reason) + "\n")
	}
}

func (s Section) write(b *strings.Builder) {
	b.WriteString("\n## " + s.Title + "\n")
	for _, paragraph := range s.Text {
		b.WriteString("\n" + paragraph + "\n")
	}
	if len(s.Rows) > 0 {
		b.WriteString("\n")
		table(b, s.Header, s.Rows)
	}
	for _, paragraph := range s.After {
		b.WriteString("\n" + paragraph + "\n")
	}
}

func table(b *strings.Builder, header []string, rows [][]string) {
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
}
