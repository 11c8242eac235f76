// Package simulation runs a fleet of the real verbs in virtual time, for months.
// Every operation may fail, and a judge checks every step against the
// invariants of docs/architecture.md.
//
//	synctest.Test(t, func(t *testing.T) {
//		w := simulation.New(simulation.Config{Seed: 7, Connections: 200, For: 90 * simulation.Day, Now: time.Now})
//		w.Live()
//		if b := w.Breach(); b != nil {
//			t.Fatal(b) // seed, moment, invariant, and what led to it
//		}
//	})
//
// A World has a table and secrets (package memstore), some authorization servers
// (package reltioauthtest) and people. Processes come and go in it, each an
// [Instance] with a clock of its own: a sweep, a single renewal, an environment
// of the issue function, a person at the callback. A process
// reaches everything outside itself through its instance, one operation at a
// time. Each operation may fail before its effect or after it, stall, kill the
// process or freeze it for minutes.
//
// # What the judge knows
//
// The judge sees every write that the table takes, every request that a server
// receives and every answer that a caller gets. It believes nothing that
// the product says of itself: tokens, refusals and times are those of the
// servers. What each invariant means in detail, and what excuses a breach,
// stands at its rule in the files judge*.go.
//
// # Reproducibility
//
// A seed gives the same run again, to the last operation. Nothing is drawn from
// a stream that goroutines share: latencies and faults are a hash of the seed,
// the moment, the operation and its object, and every operation ends at a
// moment of its own, so that the order in which goroutines run within a moment
// changes nothing. Only the owners' names of leases are random; they are
// compared for equality alone.
//
// # What blocks, what fails
//
// Everything runs in a testing/synctest bubble and blocks in virtual time only.
// Nothing here fails a test: a World keeps its first [Breach] and ends.
package simulation
