package faultinject

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

const outageStory = `
## Every code

Above an operation meets a class of codes. Here each kind of operation meets every code that AWS documents
for its action (its own page, and "Common Error Types"), in the service's shape: JSON 1.0 with ` + "`__type`" + ` for
DynamoDB, JSON 1.1 for Secrets Manager and EventBridge, ` + "`X-Amzn-ErrorType`" + ` for Lambda; and the network's
own: the connection reset in place of the response, no response at all, and kept connections that were reset or have
gone silent. %d outages, %s. %s.

| How long | What is tried |
|---|---|
| once | every code, before the effect and, of a write, after it; the SDK's next attempt succeeds |
| for 3 s | every code before the effect; after it the first code of each class. Who calls, calls again each second |
| for a minute | the first code of each class but conflicts, which are over with the next request; no response. Where there is a token, forced renewals at the beginning and the end; else, and all the while, calls every 4 s |
| for good | the same for 80 s, past the end of the token that was there; a callback has only the minute, since the person starts again either way |

Kept connections are broken once more while the environment is frozen (SIGSTOP, as Lambda freezes it between two invocations), for 10 s and
for 2 min: they are reset before it continues, reset when the next request comes over them, as by a server that
does not know them any more, or silent. A freeze of an hour is not tried: a connection that was idle for more than 90 s
by the wall clock is not used again, so that it cannot be told from one of 2 min. The proxy measures how much later a request comes
again: a silent connection may cost a call the first attempt's time limit (2 s, Secrets Manager 3 s), a
reset one nothing but the pause before the next attempt (` + "`issue`" + ` 25 ms, growing; the others a second at most). A synchronous
invocation of ` + "`rotate`" + ` has a connection of its own, and an asynchronous one is made once: its caller has a token.

An operation is tried in the first invocation of this list in which its function does it. Short outages follow one
another on one stack, ten at most; a long one has a stack of its own. If two stores refuse one refresh token for
longer than the 4.5 s in which it is kept, it is lost: "while Secrets Manager refuses" is therefore tried only once.

A secret that is missing for longer than a minute counts as missing (it is read twice): callers then get
` + "`UnknownConnection`" + `, or, if it is the refresh token's, a person is asked to log in. After the secret is back nothing
else is needed: the connection is found within a minute, the refresh token by the next forced or hourly renewal.

Each outage checks that callers got the valid token all the while (I7); that no person was asked for and no operator had to
resume (I3, I5); that the first call afterwards succeeded, after a long outage without force ("by itself"), as a caller, a tick or
the person finds it; then a forced renewal too; that the last token request used the stored refresh token and succeeded (I5); that
the status is ` + "`ok`" + `; that a log named the code of a long refusal; that no secret was written (I11). A connection that
no person has authorized yet waits for a person from the beginning: there an outage must not hinder that the person is told.
`

// SummarizeOutages writes how the outages were made, the codes, and one row for
// each walk. Every result with a broken invariant is named.
func SummarizeOutages(w io.Writer, courses []Course, results []OutageResult) error {
	met := met(results)
	verdict, missed := "after each all was well", "None missed its operation"
	if n := len(results) - len(met); n > 0 {
		missed = fmt.Sprintf("%d more did not meet their operation", n)
	}
	rows, broken := perWalk(courses, met)
	if len(broken) > 0 {
		verdict = fmt.Sprintf("after %d all was not well", len(broken))
	}
	var b strings.Builder
	fmt.Fprintf(&b, outageStory, len(met), verdict, missed)
	b.WriteString("\n| Action | Codes |\n|---|---|\n")
	for _, a := range Actions() {
		var all []string
		for _, c := range Codes(a) {
			all = append(all, c.String())
		}
		fmt.Fprintf(&b, "| %s | %s |\n", a, strings.Join(all, ", "))
	}
	b.WriteString("\n| Invocation | Outages | Broken | Callers saw |\n|---|---|---|---|\n" + rows + bullets(broken))
	_, err := io.WriteString(w, b.String())
	return err
}

// perWalk is a row for each walk, and the lines of what is broken.
func perWalk(courses []Course, results []OutageResult) (rows string, broken []string) {
	for _, c := range courses {
		var seen []string
		n, bad := 0, len(broken)
		for _, r := range results {
			if r.Walk != c.Walk {
				continue
			}
			n++
			seen = append(seen, strings.Split(r.Seen, then)...)
			if len(r.Problems) > 0 {
				broken = append(broken, r.Line())
			}
		}
		if n > 0 {
			rows += fmt.Sprintf("| %s | %d | %d | %s |\n", c.Walk.Name, n, len(broken)-bad, distinct(seen))
		}
	}
	return rows, broken
}

// met are the outages that met their operation.
func met(results []OutageResult) []OutageResult {
	return slices.DeleteFunc(slices.Clone(results), func(r OutageResult) bool { return r.Missed })
}

// WriteOutages writes every result, in a table for each walk: identical outcomes
// are one row.
func WriteOutages(w io.Writer, courses []Course, results []OutageResult) error {
	met := met(results)
	place := map[string]int{}
	for _, c := range courses {
		for i, o := range c.Outages() {
			place[o.Title()] = i
		}
	}
	slices.SortStableFunc(met, func(a, b OutageResult) int { return cmp.Compare(place[a.Title()], place[b.Title()]) })
	var b strings.Builder
	for _, c := range courses {
		c.write(&b, slices.DeleteFunc(slices.Clone(met), func(r OutageResult) bool { return r.Walk != c.Walk }))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// outageRow is what several outages of one kind of operation have in common.
type outageRow struct {
	operation, seen, next, verdict string
	faults, whens                  []string
}

func (c Course) write(b *strings.Builder, results []OutageResult) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\nUndisturbed: %q.\n\n", strings.ToUpper(c.Walk.Name[:1])+c.Walk.Name[1:], c.Seen)
	b.WriteString("| Operation | What it met | When | Callers saw | Afterwards | Invariants |\n|---|---|---|---|---|---|\n")
	for _, r := range outageRows(results) {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", r.operation, strings.Join(r.faults, ", "),
			strings.Join(r.whens, "; "), cell(cmp.Or(r.seen, "-")), cell(cmp.Or(r.next, "-")), cell(r.verdict))
	}
}

// outageRows merges, for each operation, the faults with one outcome at one
// time, then the times whose faults are the same.
func outageRows(results []OutageResult) []outageRow {
	var rows []outageRow
	for _, at := range groups(results) {
		total := len(at)
		var own []outageRow
		for _, r := range at {
			is := outageRow{
				operation: r.Name, seen: r.Seen, next: r.Next, verdict: cmp.Or(strings.Join(r.Problems, "; "), "kept"),
				whens: []string{r.When()},
			}
			k := slices.IndexFunc(own, func(o outageRow) bool { return o.seen == is.seen && o.next == is.next && o.verdict == is.verdict })
			if k < 0 {
				k = len(own)
				own = append(own, is)
			}
			own[k].faults = append(own[k].faults, r.Fault.String())
		}
		shorten(own, total)
		rows = append(rows, own...)
	}
	return mergeWhens(rows)
}

// groups are the results of one operation at one time.
func groups(results []OutageResult) [][]OutageResult {
	var keys []string
	all := map[string][]OutageResult{}
	for _, r := range results {
		key := r.Name + "|" + r.When()
		if all[key] == nil {
			keys = append(keys, key)
		}
		all[key] = append(all[key], r)
	}
	groups := make([][]OutageResult, 0, len(keys))
	for _, key := range keys {
		groups = append(groups, all[key])
	}
	return groups
}

// shorten says "all" or "all others" in place of the longest list.
func shorten(rows []outageRow, total int) {
	const few = 4
	longest := 0
	for i := range rows {
		if len(rows[i].faults) > len(rows[longest].faults) {
			longest = i
		}
	}
	switch n := len(rows[longest].faults); {
	case n == total && n > few:
		rows[longest].faults = []string{"all"}
	case n > few:
		rows[longest].faults = []string{fmt.Sprintf("all others (%d)", n)}
	}
}

func mergeWhens(rows []outageRow) []outageRow {
	var merged []outageRow
	for _, r := range rows {
		k := slices.IndexFunc(merged, func(m outageRow) bool {
			return m.operation == r.operation && m.seen == r.seen && m.next == r.next && m.verdict == r.verdict && slices.Equal(m.faults, r.faults)
		})
		if k < 0 {
			merged = append(merged, r)
			continue
		}
		merged[k].whens = append(merged[k].whens, r.whens...)
	}
	return merged
}
