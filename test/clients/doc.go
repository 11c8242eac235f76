// Package clients holds every client of the issue function to the one contract of
// docs/integrations/contract.md. It has tests, and what writes their figures into a
// page.
//
// The contract's cases are data: clients/contract/cases.json. Each case is a list
// of answers, which a stub of Lambda's Invoke API gives, and a list of calls of one
// client. A small program in each language, the runner, makes the calls with a
// clock of its own and prints what the client did; the client in Go is run in a
// bubble of testing/synctest instead. The tests here compare that with what the
// cases expect, and with the table in docs/integrations/cases.md.
package clients
