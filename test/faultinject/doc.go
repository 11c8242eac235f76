// Package faultinject breaks every network operation of the service, one at a time,
// and reports what followed. The functions are the binaries that are
// deployed, as real processes; a proxy that knows each request by
// name is between them and everything they call.
//
//	bench := &faultinject.Bench{Now: time.Now, Binaries: folder}
//	defer bench.Close()
//	err := bench.Start(ctx)
//	clean, err := bench.All(ctx, faultinject.Flows())
//	cases := clean[0].Cases()
//	results, err := bench.Run(ctx, clean, cases, nil)
//	err = faultinject.Write(w, clean, results)
//
// A [Flow] is an invocation to break: a login, a refresh, a callback. Its
// clean run ([Clean]) lists its operations; each operation, with each fault that
// its service can have, is a [Case]. A case has a stack of its own, so
// cases run side by side, and what the sandbox of Reltio counts is the case's
// alone. After the fault comes the next invocation, as in production: an operator's
// forced renewal once the lease has ended, the next tick, a person who reloads the
// page. Then the case checks the invariants of docs/architecture.md, one by one.
//
// # Outages
//
// A [Walk] is an invocation that can be repeated. Its [Course] lists the kinds of
// operations in it, and each of them meets every code that AWS documents for its
// action ([Codes]), and what a network can do: an [Outage], once, for 3 s, for a
// minute, or for good. The short ones share a stack. None of them may
// need a person or an operator.
//
//	courses, err := bench.Courses(ctx, faultinject.Walks())
//	outages := courses[0].Outages()
//	ended, err := bench.RunOutages(ctx, outages, nil)
//	err = faultinject.WriteOutages(w, courses, ended)
//
// Everything takes its real time: a killed process leaves its lease for 35 s,
// a stopped one sleeps through it. The functions' clocks are this machine's.
//
// # Failures
//
// A broken invariant is a Result's Problems, never an error. Errors are for a
// stack that does not start, and a context that ends.
package faultinject
