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
	// Endpoint is where it answers, "http://127.0.0.1:<port>".
	Endpoint string

	alive io.Closer // the engine ends when it is closed
	ended <-chan error
}

// StartDynamoDB starts Dynoxide or, where that is not there, dynalite, which shows
// less.
func StartDynamoDB(ctx context.Context) (*Engine, error) {
	return start(ctx, "/", "dynoxide", "dynalite")
}

// StartMoto starts moto's server.
func StartMoto(ctx context.Context) (*Engine, error) {
	return start(ctx, "/moto-api/", "moto_server")
}

// Close ends the engine and returns when it has ended. What it held is gone.
func (e *Engine) Close() error {
	err := e.alive.Close()
	<-e.ended //nolint:errcheck // it was ended by a signal
	if errors.Is(err, os.ErrClosed) {
		return nil // it had ended before
	}
	return err
}

// MissingError says that an engine is not there.
type MissingError struct {
	// Looked is where.
	Looked string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no engine at %s: fetch it with scripts/engines", e.Looked)
}
