package engines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Engine is a running engine.
type Engine struct {
	// Endpoint is its URL, "http://127.0.0.1:<port>".
	Endpoint string

	stdin io.Closer // the engine ends when it is closed
	ended <-chan error
}

// StartDynamoDB starts Dynoxide or, if that is missing, dynalite, which returns
// less.
func StartDynamoDB(ctx context.Context) (*Engine, error) {
	return start(ctx, "/", "dynoxide", "dynalite")
}

// StartMoto starts moto's server.
func StartMoto(ctx context.Context) (*Engine, error) {
	return start(ctx, "/moto-api/", "moto_server")
}

// Close ends the engine and returns when it has ended. Its content is lost.
func (e *Engine) Close() error {
	err := e.stdin.Close()
	<-e.ended //nolint:errcheck // an engine that a signal ended always returns an error
	if errors.Is(err, os.ErrClosed) {
		return nil // it had ended before
	}
	return err
}

// MissingError says that an engine is missing.
type MissingError struct {
	// Looked is where.
	Looked string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no engine at %s: fetch it with scripts/engines", e.Looked)
}
