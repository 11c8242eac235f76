// Package engine runs the engines that stand in AWS's place on one machine:
// one for DynamoDB, and moto's server for Secrets Manager and EventBridge.
//
//	e, err := engine.DynamoDB(ctx)
//	defer e.Close()
//	client := dynamodb.New(dynamodb.Options{BaseEndpoint: aws.String(e.Endpoint), ...})
//
// An engine runs on a free port of the loopback interface, takes any
// credentials, keeps everything in its memory, and ends with Close, or with
// this process, however that ends. DynamoDB and Moto return when it answers, or
// with what it wrote if it does not. scripts/engines fetches the engines; one
// that is not there is a MissingError.
package engine

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

// DynamoDB starts Dynoxide or, where that is not there, dynalite, which shows
// less.
func DynamoDB(ctx context.Context) (*Engine, error) {
	return start(ctx, "/", "dynoxide", "dynalite")
}

// Moto starts moto's server.
func Moto(ctx context.Context) (*Engine, error) {
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
