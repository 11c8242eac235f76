package extension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// status is the HTTP status of an errorType. The statuses that general HTTP
// clients retry by themselves (429, 502, 503) are used only where a retry can
// succeed.
func status(t apierr.Type) int {
	switch t {
	case apierr.InvalidRequest:
		return http.StatusBadRequest
	case apierr.AccessDenied:
		return http.StatusForbidden
	case apierr.UnknownConnection:
		return http.StatusNotFound
	case apierr.InvalidConnection, apierr.CredentialsRejected, apierr.MFARequired,
		apierr.ReauthorizationRequired, apierr.ConnectionPaused:
		return http.StatusConflict
	case apierr.TokenLimitReached, apierr.RateLimited:
		return http.StatusTooManyRequests
	case apierr.ReltioUnavailable:
		return http.StatusBadGateway
	case apierr.StoreUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// refusal is an error with an HTTP status that does not follow from the
// errorType.
type refusal struct {
	status int
	fault  *apierr.Error
	allow  string // the allowed methods, with 405
}

// Error implements error.
func (r refusal) Error() string { return r.fault.Error() }

// Unwrap returns the error that the caller gets.
func (r refusal) Unwrap() error { return r.fault }

func refuse(status int, t apierr.Type, message string) refusal {
	return refusal{status: status, fault: apierr.New(t, message)}
}

// retryAfter is how long issue asks the caller to wait; zero if it does not say.
func retryAfter(e *apierr.Error) int {
	var seconds int
	if _, err := fmt.Sscanf(e.Message, "retry after %d s", &seconds); e.Type != apierr.RateLimited || err != nil {
		return 0
	}
	return max(0, seconds)
}

// write sends a JSON body that must not be cached.
func write(w http.ResponseWriter, status int, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return apierr.Wrap(apierr.Internal, "", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("the caller is gone: %w", err)
	}
	return nil
}
