package authcode

import (
	"context"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Callback is what a browser brings back from Reltio. The handler has checked its
// shape.
type Callback struct {
	Code  reltioauth.Secret
	State reltioauth.Secret
	// Error is RFC 6749's error code; empty if there is a code.
	Error string
	// Issuer is RFC 9207's iss; empty if none was sent.
	Issuer string
	// Binding is the cookie's value; zero if the browser has none.
	Binding reltioauth.Secret
}

// CallbackResult is how a callback ended.
type CallbackResult struct {
	Outcome    Outcome
	Connection string
	// ErrorCode is set for Denied.
	ErrorCode string
	// HoldsUntil is when the refresh token expires, set for DoneSameToken.
	HoldsUntil time.Time
	// RetryAfter is set for Busy.
	RetryAfter time.Duration
	// Redirect is where the browser goes next, set for Again.
	Redirect AuthorizationRedirect

	// The fields from here on are for logs and metrics. Version and Fingerprint
	// are those of the access token that the grant has now.
	Version     int64
	Fingerprint string
	// TokenRequests counts the exchange of the code, Throttled a 429 response to
	// it, and RefusedLogins a refusal of the client. RateLimitWait is how long
	// the exchange waited for its slot.
	TokenRequests, Throttled, RefusedLogins int
	RateLimitWait                           time.Duration
	// Unkept says why Secrets Manager did not take the refresh token; nil: it
	// did, or there was none. Parked says that the refresh token is in the table
	// instead; if it is not, the login was undone.
	Unkept error
	Parked bool
	// HostErr says why the host's record could not be read or written; what it holds
	// against the host stays until the next success.
	HostErr error
	// Err is what failed in the service or at Reltio.
	Err error
}

// Complete handles a callback: it checks what the browser brings, exchanges the
// code once, and stores the grant.
func (f *Flow) Complete(ctx context.Context, cb Callback) CallbackResult {
	r := &run{Flow: f, o: observation{callback: cb, ends: deadline(ctx, f.Now())}}
	a := r.run(ctx)
	a.Connection = r.o.request.Connection
	a.Version, a.Fingerprint = r.o.grant.Version, r.o.grant.Fingerprint
	a.TokenRequests, a.Throttled, a.RefusedLogins = r.o.requests, r.o.throttled, r.o.refused
	a.RateLimitWait, a.HostErr = r.waited, r.hostErr
	return a
}

// stored is the outcome as it is stored: its word, and the value that its page
// shows.
func (a CallbackResult) stored() string {
	switch a.Outcome {
	case Denied:
		return string(Denied) + " " + a.ErrorCode
	case DoneSameToken:
		return string(DoneSameToken) + " " + a.HoldsUntil.UTC().Format(time.RFC3339)
	default:
		return string(a.Outcome)
	}
}

// recall is the result of a stored outcome. The stored form of Again has no
// redirect: there is a new one with the same destination.
func recall(stored string) CallbackResult {
	word, rest, _ := strings.Cut(stored, " ")
	a := CallbackResult{Outcome: Outcome(word)}
	switch a.Outcome {
	case Denied:
		a.ErrorCode = rest
	case DoneSameToken:
		a.HoldsUntil, _ = time.Parse(time.RFC3339, rest) // a zero time is not shown
	}
	return a
}
