package extension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Answer is a token with its details, as issue gave them.
type Answer struct {
	Connection  string
	AccessToken reltioauth.Secret
	TokenType   string
	Scope       string
	ExpiresIn   time.Duration
	ExpiresAt   time.Time
	Fingerprint string
	Version     int64
	Outcome     string
	MinTTLMet   bool
	Warnings    []string
}

// issued is a response in JSON, with the same eleven keys as issue's.
type issued struct {
	Connection  string   `json:"connection"`
	AccessToken string   `json:"access_token"`
	TokenType   string   `json:"token_type"`
	Scope       string   `json:"scope"`
	ExpiresIn   int64    `json:"expires_in"`
	ExpiresAt   string   `json:"expires_at"`
	Fingerprint string   `json:"fingerprint"`
	Version     int64    `json:"version"`
	Outcome     string   `json:"outcome"`
	MinTTLMet   bool     `json:"min_ttl_met"`
	Warnings    []string `json:"warnings"`
}

// failed is an error in JSON, with the same two keys as issue's.
type failed struct {
	Type    apierr.Type `json:"errorType"`
	Message string      `json:"errorMessage"`
}

// wire takes the token out of its Secret: only here does it leave the process.
func (a Answer) wire() issued {
	warnings := a.Warnings
	if warnings == nil {
		warnings = []string{} // in JSON a list, never null
	}
	return issued{
		Connection:  a.Connection,
		AccessToken: a.AccessToken.Reveal(),
		TokenType:   a.TokenType,
		Scope:       a.Scope,
		ExpiresIn:   int64(a.ExpiresIn / time.Second),
		ExpiresAt:   a.ExpiresAt.UTC().Format(time.RFC3339),
		Fingerprint: a.Fingerprint,
		Version:     a.Version,
		Outcome:     a.Outcome,
		MinTTLMet:   a.MinTTLMet,
		Warnings:    warnings,
	}
}

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
