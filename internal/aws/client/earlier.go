package client

import (
	"context"
	"errors"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// interrupted is the error of a call whose context ended while the SDK was trying again:
// with the error that AWS gave to an earlier attempt, which the SDK forgets. Without it
// an operator would read that there was no response, though each attempt was refused.
type interrupted struct{ end, earlier error }

// Error implements error.
func (e *interrupted) Error() string { return e.end.Error() + "; before: " + e.earlier.Error() }

// Unwrap lets errors.Is find the context's error, and errors.As AWS's.
func (e *interrupted) Unwrap() []error { return []error{e.end, e.earlier} }

// attempted is the context's key of the error of AWS's that a call met last.
type attempted struct{}

// rememberErrors adds to a client's calls that an interrupted one returns the error of
// its attempts as well.
func rememberErrors(stack *middleware.Stack) error {
	const id, retries = "EarlierError", "Retry"
	call := middleware.FinalizeMiddlewareFunc(id, func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		var earlier error // set by one attempt after the other
		out, metadata, err := next.HandleFinalize(context.WithValue(ctx, attempted{}, &earlier), in)
		if err != nil && ctx.Err() != nil && earlier != nil && !errors.Is(err, earlier) {
			err = &interrupted{end: err, earlier: earlier}
		}
		return out, metadata, err
	})
	attempt := middleware.FinalizeMiddlewareFunc(id+"OfAttempt", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		var api smithy.APIError
		if earlier, ok := ctx.Value(attempted{}).(*error); ok && errors.As(err, &api) {
			*earlier = err
		}
		return out, metadata, err
	})
	return errors.Join(
		stack.Finalize.Insert(call, retries, middleware.Before),
		stack.Finalize.Insert(attempt, retries, middleware.After),
	)
}
