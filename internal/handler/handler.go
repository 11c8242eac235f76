// Package handler is the functions' edge: it decodes an event, calls a verb, and
// encodes the response.
//
// It holds no rule. It decodes strictly, recovers from panics, turns errors into
// function errors in one place (Fail), and writes one log line per invocation.
//
//	lambda.Start(&handler.Issue{Issuer: issuer, Log: log, Now: time.Now})
package handler

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Fail is the one place where an error becomes a function error, with the type
// and message that callers know. For a defect it shows only the request's id; the
// log has the rest.
func Fail(ctx context.Context, err error) error {
	f := apierr.Of(err)
	message := f.Message
	if f.Type == apierr.Internal {
		message = "request " + requestID(ctx)
	}
	return messages.InvokeResponse_Error{Type: string(f.Type), Message: message}
}

func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return "unknown"
}

// encode encodes a response.
func encode(answer any) ([]byte, error) {
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, apierr.Wrap(apierr.Internal, "", err)
	}
	return data, nil
}

// levelOf is the log level of an outcome.
func levelOf(err error) slog.Level {
	switch {
	case err == nil:
		return slog.LevelInfo
	case apierr.Of(err).Type == apierr.Internal:
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}
