package main

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
)

// simulated are the figures that tests log. They are of virtual time, the same on every
// machine, so no run of this program measures them: who changes what they depend on
// writes them here again.
func (b *bench) simulated(context.Context) (figures.Section, error) {
	return figures.Section{
		Title: "In virtual time",
		Text: []string{
			"Not of this run: tests log these, and they are nearly the same on every machine. The functions' code runs in virtual time, with table, server and AWS account in memory. `go test -C test -count 1 -v -run 'AnAccountFull|AnHourWithout|HostThatIsDown|SlowResponses' ./simulation` logs them again; with `SIM_LONG=1` the last two have a thousand connections, and take four minutes.",
			"**A full account.** Callers of `issue` come together 3 s after a token's end, twenty times as many as an account of 10 executions has (ten times as many as one of 100), and come again until each has a token. Lambda refuses what has no place. The caller that has the lease and finds no place for `rotate` gets `RateLimited`, and so do those that wait for it: no call takes longer than 0.42 s. Lambda lets no account reserve anything unless 100 are left, so the rows with a reserve show what it does and not what a new account may have. In real processes `test/stack/account_test.go` has an account of 10.",
		},
		Header: []string{"Executions", "Reserved", "Callers come again", "First token", "All have one", "`RateLimited`", "Refused by Lambda"},
		Rows: [][]string{
			{"10", "none", "after 20 ms", "8.2 s", "8.3 s", "461", "77,720"},
			{"10", "none", "after 1 s", "0.59 s", "2.0 s", "10", "199"},
			{"10", "2 for `rotate`", "after 20 ms", "0.16 s", "0.33 s", "0", "2,255"},
			{"10", "2 for `rotate`", "after 1 s", "0.16 s", "1.5 s", "0", "192"},
			{"100", "none", "after 20 ms", "2.6 s", "2.8 s", "960", "119,948"},
			{"100", "none", "after 1 s", "0.61 s", "1.9 s", "100", "900"},
			{"100", "20 for `rotate`", "after 20 ms", "0.07 s", "0.17 s", "0", "5,249"},
			{"100", "20 for `rotate`", "after 1 s", "0.07 s", "1.5 s", "0", "920"},
		},
		After: []string{
			"A reserve of `issue` that leaves places (80 %) does what one of `rotate` does; both together too.",
			"**An hour without the table**, whose last ten minutes are after the token's end: 50 environments that have read the token and 50 that have not, each asked once a minute; AWS's client is the real one.\n\n" +
				"| DynamoDB | Who has read the token, until its end | Who has not, and all after its end | When it is back |\n" +
				"| --- | --- | --- | --- |\n" +
				"| errors (500), or throttles all | the token with `store_failing`, in at most 1.3 s | `StoreUnavailable`, in at most 1.3 s | one token request; every caller has a token, in at most 0.12 s |\n" +
				"| does not respond | the token with `store_failing`, in at most 2.5 s | `StoreUnavailable`, in at most 20 s | the same |",
			"**A server that is down, or slow, for a thousand connections** of every kind, each with a caller.\n\n" +
				"| For | Most requests in a minute (503) | The next request after it | The last connection has its token | Most requests in a second |\n" +
				"| --- | --- | --- | --- | --- |\n" +
				"| 10 s | 1 | 0.3 s | 4 s after it | 9 |\n" +
				"| 1 min | 11 | 0.5 to 1.0 s | 12 s | 9 |\n" +
				"| 15 min | 12 | 13.6 to 15.0 s | 1 min 36 s | 9 |\n" +
				"| 6 h | 12 | 3.2 to 12.9 s | 2 min 34 s | 9 |\n\n" +
				"In an hour in which every response takes 9 s, or 20 s, the same fleet sends 2,150 token requests, and no connection is without a token for two ticks.",
		},
	}, nil
}
