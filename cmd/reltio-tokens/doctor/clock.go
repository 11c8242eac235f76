package doctor

import (
	"context"
	"fmt"
	"time"
)

// How far this machine's clock may be off. The leases that operators take depend
// on it, and they allow for a difference of 10 s.
const (
	warnSkew = 5 * time.Second
	failSkew = 10 * time.Second
)

// skew is how far a server's clock is ahead of this machine's.
type skew struct {
	server string
	by     time.Duration
}

// ahead compares the Date of a response with the moment at which it arrived. A
// Date is in whole seconds, and so half a second behind on average.
func ahead(date, received time.Time) time.Duration {
	return date.Add(time.Second / 2).Sub(received)
}

// clock compares this machine's clock with the first server that gave the time:
// AWS, if it did.
func (e *examination) clock(context.Context) {
	if len(e.skews) == 0 {
		e.found("clock", Skipped, "no server told the time", "")
		return
	}
	first := e.skews[0]
	by := first.by.Abs().Round(time.Second)
	what := fmt.Sprintf("within %s of the clock of %s", max(by, time.Second), first.server)
	switch {
	case first.by.Abs() > failSkew:
		e.found("clock", Failed, fmt.Sprintf("%s off, by the clock of %s", by, first.server), "set this machine's clock: pause, unpause, resume and disconnect count on it")
	case first.by.Abs() > warnSkew:
		e.found("clock", Warning, fmt.Sprintf("%s off, by the clock of %s", by, first.server), "set this machine's clock")
	default:
		e.found("clock", OK, what, "")
	}
}
