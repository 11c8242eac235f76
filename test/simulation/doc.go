// Package simulation is a fleet in virtual time: the real verbs, for months, with
// everything going wrong that can go wrong, and a judge that looks at every
// step.
//
//	synctest.Test(t, func(t *testing.T) {
//		w := simulation.New(simulation.Config{Seed: 7, Connections: 200, For: 90 * simulation.Day, Now: time.Now})
//		w.Live()
//		if b := w.Breach(); b != nil {
//			t.Fatal(b) // seed, moment, invariant, and what led to it
//		}
//	})
//
// A World has a table and a vault (package memstore), some authorization servers
// (package reltioauthtest) and people. Processes come and go in it, each an
// [Instance] with a clock of its own: a sweep, a single renewal, an environment
// of the issue function, a person at the callback. All that a process does
// outside itself goes through its instance, one operation at a time, and each
// of them may fail before it happened or after it, stall, kill the process or
// freeze it for minutes.
//
// # What the judge knows
//
// The judge sees every write that the table takes, every request that a server
// receives and every answer that a caller gets. It trusts nothing that the
// product says of itself: tokens, refusals and moments are those of the
// servers. What each invariant means in particular, and what excuses what,
// stands at its rule in the files judge*.go.
//
// # Reproducibility
//
// A seed gives the same run again, to the last operation. Nothing is drawn from
// a stream that goroutines share: latencies and faults are a hash of the seed,
// the moment, the operation and its object, and every operation ends at a
// moment of its own, so that the order in which goroutines run within a moment
// changes nothing. What stays to chance are the owners' names of leases, of
// which only the equality counts.
//
// # What blocks, what fails
//
// Everything runs in a testing/synctest bubble and blocks in virtual time only.
// Nothing here fails a test: a World remembers its first [Breach] and ends.
package simulation
