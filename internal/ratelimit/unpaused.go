package ratelimit

import (
	"context"
	"time"
)

// AwaitUnpaused waits while a host is paused, as its record says, before a
// request that takes no instant. A pause that outlasts the context's deadline
// is a *BusyError at once; a context that ends otherwise is its error.
func AwaitUnpaused(ctx context.Context, r Record, now func() time.Time) error {
	until, paused := r.ThrottledUntil(now())
	if !paused {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && !until.Before(deadline) {
		return &LimitError{Until: until, Paused: true}
	}
	return Sleep(ctx, until.Sub(now()))
}
