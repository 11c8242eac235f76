package ratelimit

import (
	"context"
	"time"
)

// AwaitUnpaused waits until the pause of a host ends, before a request that
// takes no slot. A pause that outlasts the context's deadline is a *LimitError
// at once; a context that ends otherwise is its error.
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
