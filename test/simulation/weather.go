package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// weather is what fails where, for a while. rate is the share of operations
// that it hits, or of processes.
type weather struct {
	from, until time.Time
	kind        stormKind
	rate        float64
}

type stormKind int

const (
	// stormTable, stormVault, stormBus, stormLambda: operations on these fail.
	stormTable stormKind = iota
	stormSecrets
	stormBus
	stormLambda
	// stormWrites: Secrets Manager refuses whatever is written, as a mistaken key policy
	// makes it, and can be read.
	stormWrites
	// stormAway: the bus takes nothing.
	stormAway
	// stormAbsent: connections' secrets are not found.
	stormAbsent
	// stormClocks: the clocks of processes that begin are wrong until it ends.
	stormClocks
	// stormProcesses: processes are killed and freeze.
	stormProcesses
	// stormNetwork: single requests go wrong.
	stormNetwork
	// stormTicks: the schedule misses ticks.
	stormTicks
	stormKinds
	// stormGone: there is no table, while operators restore it.
	stormGone = stormKinds
)

// String names the kind.
func (k stormKind) String() string {
	return [...]string{
		"table", "vault", "bus", "lambda", "vault's writes", "bus away", "absent secrets", "clocks",
		"processes", "network", "ticks", "no table",
	}[k]
}

// ofStores reports whether the kind is trouble of stores and clocks alone.
func (k stormKind) ofStores() bool { return k < stormProcesses && k != stormLambda }

// storm begins one, of any kind.
func (w *World) storm() {
	if !w.stormy() {
		return
	}
	r, now := w.random, w.now()
	kind, minutes, rate := stormKind(r.IntN(int(stormKinds))), 1+r.IntN(60), []float64{0.01, 0.05, 0.2, 0.6}[r.IntN(4)]
	switch kind {
	case stormWrites, stormAway: // for hours, and all of it
		minutes, rate = minutes*(1+r.IntN(6)), 1
	case stormAbsent, stormClocks:
		rate /= 2
	case stormProcesses:
		rate /= 10
	}
	if !w.cfg.Stores || kind.ofStores() {
		w.begin(weather{from: now, until: now.Add(time.Duration(minutes) * time.Minute), kind: kind, rate: rate})
	}
}

// Storm lets Secrets Manager refuse all that is written, or the bus be away, for a
// while.
func (w *World) Storm(kind stormKind, lasts time.Duration) {
	w.begin(weather{from: w.now(), until: w.now().Add(lasts), kind: kind, rate: 1})
}

// begin lets weather begin; the judge knows.
func (w *World) begin(s weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.storms = append(slices.DeleteFunc(slices.Clone(w.storms), func(old weather) bool { return !s.from.Before(old.until) }), s)
	w.journal.add(step{
		at: s.from, kind: "weather", about: "-", op: "storm",
		text: fmt.Sprintf("%s, %.3g of it, until %s", s.kind, s.rate, s.until.Format("Jan 02 15:04:05")),
	}, keptUsually)
	switch s.kind {
	case stormWrites: // what is parked is renewed in time
		w.writable = later(w.writable, s.until)
	case stormAway:
		w.mute = later(w.mute, s.until.Add(longestMute))
	case stormAbsent, stormClocks: // what they hit is disturbed
	default:
		w.disturbLocked("storm", s.until.Add(tickEvery))
	}
}

// longestMute is the longest pause between two attempts to send an event, with the
// ticks at its ends.
const longestMute = 15*time.Minute + 2*tickEvery

// muted notes that an event was not taken: it is sent after a pause, and the others
// of the same sweep by the next one.
func (w *World) muted(about string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	w.mute = later(w.mute, now.Add(2*tickEvery))
	if c := w.conns[about]; c != nil {
		c.mute = later(c.mute, now.Add(longestMute))
	}
}

// The clocks that are wrong are off by so much.
const (
	leastOff   = 15 * time.Second // less is what every clock may be
	mostBehind = 10 * time.Minute
	mostAhead  = Day
)

// wrongClock says how far off the clock of a process is that begins now, and
// until when; zero if it is right.
func (w *World) wrongClock(kind string, id int) (off time.Duration, until time.Time) {
	if kind == operatorKind || !w.stormy() {
		return 0, time.Time{}
	}
	w.mu.Lock()
	now, storms := w.now(), w.storms
	w.mu.Unlock()
	c := w.draw("clock", fmt.Sprint(kind, id))
	for _, s := range storms {
		if s.kind != stormClocks || !now.Before(s.until) || !c.is(s.rate) {
			continue
		}
		if c.is(0.3) {
			return -c.between(leastOff, mostBehind), s.until
		}
		most := []time.Duration{time.Minute, 10 * time.Minute, 2 * time.Hour, mostAhead}[c.below(4)]
		return c.between(leastOff, most), s.until
	}
	return 0, time.Time{}
}

// misdates notes that a process whose clock is wrong does something: whatever it
// writes may be believed for as long as such a thing may be true.
func (i *Instance) misdates(op Op, about string) {
	const believed = 70 * time.Minute
	now := i.w.now()
	i.hit(op, about, now.Add(lease.Term))
	if h := i.w.hosts[about]; h != nil {
		i.w.disturb(about, now.Add(lease.Skew+ratelimit.MaxWait))
	} else {
		i.w.disturb(about, now.Add(believed))
	}
	i.w.judgeMisdated(op, about)
}
