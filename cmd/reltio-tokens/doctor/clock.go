package doctor

import (
	"context"
	"fmt"
	"time"
)

// How far this machine's clock may be off. Leases that operators take hold by
// it, and 10 s of difference are what they allow for.
const (
	warnSkew = 5 * time.Second
	failSkew = 10 * time.Second
)

// skew is by how much a server's clock is ahead of ours.
type skew struct {
	server string
	by     time.Duration
}

// ahead compares the Date of an answer, which is in whole seconds and so half a
// second behind in the mean, with the moment at which it came.
func ahead(date, received time.Time) time.Duration {
	return date.Add(time.Second / 2).Sub(received)
}

// clock compares this machine's clock with the first server that told the time:
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
