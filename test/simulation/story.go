package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// step is one thing as the judge saw it.
type step struct {
	at    time.Time
	by    int
	kind  string
	op    Op
	about string
	fault Fault
	err   error
	n     int64
	text  string
	// after is the grant that was written.
	after *grant.Grant
}

// numbered is a step with a number.
func numbered(op Op, about string, err error, n int64) step {
	return step{op: op, about: about, err: err, n: n}
}

// ring keeps the latest events.
type ring struct {
	events []step
	next   int
}

// How many steps of each connection are remembered; fewer in a large fleet.
const (
	keptUsually = 48
	keptOfMany  = 8
	many        = 2000
)

func (r *ring) add(e step, kept int) {
	if len(r.events) < kept {
		r.events = append(r.events, e)
		return
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % kept
}

func (r *ring) all() []step {
	return append(slices.Clone(r.events[r.next:]), r.events[:r.next]...)
}

// note writes a step down.
func (w *World) note(i *Instance, e step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(i, e)
}

func (w *World) noteLocked(i *Instance, e step) {
	e.at = w.now()
	if i != nil {
		e.by, e.kind = i.id, i.kind
	}
	if e.fault.Kind != None {
		w.figures.Faults++
	}
	failed := uint64(0)
	if e.err != nil {
		failed = 1
	}
	// A sum, so that the order within a moment does not matter.
	w.figures.Digest += uint64(mix(uint64(e.at.UnixNano()), hashText(string(e.op)), hashText(e.about),
		uint64(e.fault.Kind), failed, hashText(e.text)))
	switch {
	case w.conns[e.about] != nil:
		w.conns[e.about].ring.add(e, w.kept)
	case w.hosts[e.about] != nil:
		w.hosts[e.about].ring.add(e, w.kept)
	}
}

// String is a line of a story.
func (e step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-14s %-7s %-16s", e.at.Format("Jan 02 15:04:05.000"), fmt.Sprintf("%s-%d", e.kind, e.by), e.about, e.op)
	if e.fault.Kind != None {
		fmt.Fprintf(&b, " %s", e.fault.Kind)
		if e.fault.For > 0 {
			fmt.Fprintf(&b, " for %s", e.fault.For.Round(time.Millisecond))
		}
	}
	if e.n != 0 {
		fmt.Fprintf(&b, " %d", e.n)
	}
	if e.after != nil {
		fmt.Fprintf(&b, " %s", describe(*e.after))
	}
	if e.text != "" {
		fmt.Fprintf(&b, " %s", e.text)
	}
	if e.err != nil {
		fmt.Fprintf(&b, " -> %v", e.err)
	}
	return b.String()
}

// describe is a grant in a line.
func describe(g grant.Grant) string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("02/15:04:05.000")
	}
	text := fmt.Sprintf("e%d v%d %s token=%s ends=%s due=%s retry=%s", g.Epoch, g.Version, g.Status,
		short(g.Fingerprint), at(g.ExpiresAt), at(g.Due()), at(g.RetryAt))
	if !g.HasToken() {
		text += " (no token)"
	}
	text += fmt.Sprintf(" modes=%s/%s", g.RefreshMode, g.LoginMode)
	if g.RefreshFingerprint != "" {
		text += fmt.Sprintf(" refresh=%s until %s", short(g.RefreshFingerprint), at(g.RefreshExpiresAt))
	}
	if g.Relogin != "" {
		text += " relogin=" + string(g.Relogin)
	}
	if g.LastError != "" {
		text += fmt.Sprintf(" error=%s failures=%d", g.LastError, g.Failures)
	}
	if g.CheckVerdict != "" {
		text += " check=" + string(g.CheckVerdict)
	}
	if g.Refusals > 0 || g.Refusal.Status != 0 {
		text += fmt.Sprintf(" refusals=%d refused=%d", g.Refusals, g.Refusal.Status)
	}
	if len(g.Unpublished) > 0 {
		text += fmt.Sprintf(" unpublished=%v", g.Unpublished)
	}
	return text
}

// short is enough of a fingerprint to tell tokens apart.
func short(fingerprint string) string {
	text := strings.TrimPrefix(fingerprint, "sha256:")
	return text[:min(6, len(text))]
}

// Breach is a broken invariant with what led to it.
type Breach struct {
	Seed       uint64
	Invariant  string
	At         time.Time
	After      time.Duration
	Connection string
	What       string
	Story      []string
}

// Error implements error.
func (b *Breach) Error() string { return b.String() }

// String is the whole report.
func (b *Breach) String() string {
	return fmt.Sprintf("seed %d: %s broke after %s (%s), connection %q: %s\n%s",
		b.Seed, b.Invariant, b.After.Round(time.Millisecond), b.At.Format(time.RFC3339Nano), b.Connection, b.What,
		strings.Join(b.Story, "\n"))
}

// broken notes that an invariant broke; mu is held. The first one counts.
func (w *World) broken(invariant string, c *conn, format string, args ...any) {
	if w.breach != nil {
		return
	}
	b := &Breach{
		Seed: w.cfg.Seed, Invariant: invariant, At: w.now(), After: w.now().Sub(w.began),
		What: fmt.Sprintf(format, args...),
	}
	var events []step
	if c != nil {
		b.Connection = c.name
		b.Story = append(b.Story, "  "+c.about())
		events = append(c.ring.all(), lastOf(c.host.ring.all(), 12)...)
		if other := w.conns[c.host.prober]; other != nil && other != c {
			events = append(events, lastOf(other.ring.all(), 12)...)
		}
	}
	events = append(events, lastOf(w.journal.all(), 16)...)
	slices.SortStableFunc(events, func(a, b step) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, e := range events {
		b.Story = append(b.Story, "  "+e.String())
	}
	w.breach = b
	w.stopped.Store(true)
}

func lastOf(events []step, n int) []step { return events[max(0, len(events)-n):] }
