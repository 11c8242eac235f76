package main

import (
	"context"
	"sync"
)

// inParallel calls f for 0 to n-1, some at a time, and stops at the first
// error.
func inParallel(ctx context.Context, n int, f func(context.Context, int) error) error {
	const atATime = 8
	return atOnce(ctx, n, atATime, f)
}

// atOnce is inParallel with a say in how many at a time.
func atOnce(ctx context.Context, n, atATime int, f func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	var workers sync.WaitGroup
	for range atATime {
		workers.Go(func() {
			for i := range todo {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case todo <- i:
		case <-ctx.Done():
		}
	}
	close(todo)
	workers.Wait()
	return context.Cause(ctx)
}
