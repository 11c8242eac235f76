package lambdahost

import (
	"cmp"
	"context"
	"time"
)

// Schedule is an EventBridge schedule whose target is a function.
type Schedule struct {
	// Host runs the function. Required.
	Host *Host
	// Function to invoke, as a caller would name it. Required.
	Function string
	// Input is the event; empty means {}.
	Input string
	// Every is the schedule's rate; 0 means a minute.
	Every time.Duration
}

// Tick invokes the function once, asynchronously, as the scheduler does, and
// returns the request id. Host.Drain waits for the end.
func (s *Schedule) Tick() (requestID string, err error) {
	return s.Host.InvokeAsync(Invocation{Function: s.Function, Payload: []byte(cmp.Or(s.Input, "{}"))})
}

// Run ticks until the context ends. A tick that is not taken is dropped: the
// next one is its retry.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(cmp.Or(s.Every, time.Minute))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = s.Tick()
		case <-ctx.Done():
			return
		}
	}
}
