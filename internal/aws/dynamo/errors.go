package dynamo

import (
	"context"
	"errors"
	"os"
	"regexp"

	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// failure is an error of the client as callers get it. Its message is made of
// fixed words and DynamoDB's error code, never of an error's text, which may
// quote what was sent or read. If the context has ended, that is the error, and
// the code that an attempt got before.
func failure(ctx context.Context, err error) error {
	var api smithy.APIError
	switch ended := ctx.Err(); {
	case ended != nil && errors.As(err, &api):
		err = errors.Join(ended, api)
	case ended != nil:
		err = ended
	}
	message := "DynamoDB: " + reason(err)
	var unread *smithy.DeserializationError
	if errors.As(err, &unread) {
		// It holds the response that could not be read, which may be an item.
		return apierr.New(apierr.StoreUnavailable, message)
	}
	return apierr.Wrap(apierr.StoreUnavailable, message, err)
}

func reason(err error) string {
	var api smithy.APIError
	switch isAPI := errors.As(err, &api); {
	case isAPI && isCode(api.ErrorCode()):
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case isAPI:
		return "an error without a known code"
	default:
		return "no answer that can be read"
	}
}

// isCode reports whether a text has the form of an error code.
func isCode(s string) bool {
	ok, err := regexp.MatchString(`^[A-Z][A-Za-z]{2,63}$`, s)
	return ok && err == nil
}

// malformed says that an attribute has a type that this service does not write,
// or a number that is out of range.
func malformed(attr string) error {
	return apierr.New(apierr.StoreUnavailable, "DynamoDB: attribute "+attr+" has a wrong type or value")
}

// ofItem names the item that an attribute of a wrong type is in: an operator
// has to repair it.
func ofItem(key string, err error) error {
	f := apierr.Of(err)
	return apierr.Wrap(f.Type, f.Message+", in the item "+key, err)
}

// contended says that other writers were faster at each try.
func contended() error {
	return apierr.New(apierr.StoreUnavailable, "DynamoDB: too many writers at once")
}
