package simulation

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// Day is a day of virtual time.
const Day = 24 * time.Hour

// Config says what a World is like. Only Now is required.
type Config struct {
	// Seed decides everything.
	Seed uint64
	// Connections is the size of the fleet that the seed makes; 0 for none.
	Connections int
	// For is how long Live runs it.
	For time.Duration
	// Now is the bubble's clock.
	Now func() time.Time
	// Loose lets clocks differ by 5 s either way instead of 50 ms. Then the
	// rate (I4) and the delay (I8) are not judged, as they rest on clocks.
	Loose bool
	// Exact lets all clocks agree.
	Exact bool
	// Calm is a world without storms, drizzle, operators and accidents.
	Calm bool
	// Stormy is a world with three times the usual weather and accidents.
	Stormy bool
	// Stores is a world in which only stores and clocks are in trouble: no server,
	// process or network, and no operator makes a mistake.
	Stores bool
	// Calls is how often each connection is asked for a day, on average.
	Calls float64
	// Hosts is the number of authorization servers; 0 means 1.
	Hosts int
	// Account, if not nil, has the places of all invocations: those of Invoke, and
	// those of rotate.
	Account *lambdahost.Account
	// PerSecond is TOKEN_REQUESTS_PER_SECOND; 0 means 8.
	PerSecond int
	// Concurrency is ROTATE_CONCURRENCY; 0 means 16.
	Concurrency int
	// Script, if not nil, decides about faults instead of the weather.
	Script func(Operation) Fault
	// Mutate, if not nil, may change what a process sees of the world: for
	// tests that plant a mistake.
	Mutate func(*Ports)
}

// skew is how far any clock may be off.
func (c Config) skew() time.Duration {
	switch {
	case c.Exact:
		return 0
	case c.Loose:
		return 5 * time.Second
	default:
		return 50 * time.Millisecond
	}
}

// The times of the world.
const (
	tickEvery     = time.Minute
	rotateTimeout = 120 * time.Second
	issueTimeout  = 25 * time.Second
	// callbackTimeout is the function timeout of a person's way back.
	callbackTimeout = 29 * time.Second
)
