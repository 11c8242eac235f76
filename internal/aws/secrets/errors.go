package secrets

import (
	"context"
	"errors"
	"regexp"

	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

var (
	// errMissing: there is no such secret, or no such version of it.
	errMissing = errors.New("secrets: missing")
	// errScheduled: the secret is scheduled for deletion.
	errScheduled = errors.New("secrets: scheduled for deletion")
)

// plainCode is what AWS's error codes look like; nothing else that a server
// sends is shown.
var plainCode = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// unavailable is the error of a call that failed.
func unavailable(err error) *apierr.Error {
	return apierr.Wrap(apierr.StoreUnavailable, "Secrets Manager: "+reason(err), err)
}

// unusable is the error of a secret in a state that only an operator can
// change.
func unusable(what string, cause error) *apierr.Error {
	return apierr.Wrap(apierr.StoreUnavailable, "Secrets Manager: "+what, cause)
}

func reason(err error) string {
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && plainCode.MatchString(api.ErrorCode()):
		return api.ErrorCode()
	case errors.Is(err, errMissing):
		return "the secret is missing"
	case errors.Is(err, errScheduled):
		return "the secret is scheduled for deletion"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	default:
		return "no usable answer"
	}
}
