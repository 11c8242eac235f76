// Package rotateapi is the wire between the functions issue and rotate: a
// request for one renewal, and the response. The operator command uses it too.
//
// Fields that the receiver does not know are ignored, so that the two functions
// can be deployed separately.
package rotateapi

import (
	"context"
	"iter"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Request asks for the renewal of one connection's grant.
type Request struct {
	Connection string `json:"connection"`
	// Lease is handed over to the receiver, which adopts it; nil: the receiver
	// takes one.
	Lease *Lease `json:"lease,omitempty"`
	// RejectedFingerprint names a token that Reltio rejected.
	RejectedFingerprint string `json:"rejected_fingerprint,omitempty"`
	// MinTTLSeconds is how long a caller needs the token to stay valid.
	MinTTLSeconds int64 `json:"min_ttl_seconds,omitempty"`
	// Force renews although the grant is not due, and in spite of a back-off.
	Force bool `json:"force,omitempty"`
}

// Lease names a lease as it stood when it was handed over.
type Lease struct {
	Owner string `json:"owner"`
	Epoch int64  `json:"epoch"`
}

// Outcome is the result of one renewal.
type Outcome string

// The outcomes.
const (
	// Renewed: there is a new access token.
	Renewed Outcome = "renewed"
	// Unchanged: there was nothing to do, or nothing new to get.
	Unchanged Outcome = "unchanged"
	// Contended: another holder has the lease.
	Contended Outcome = "contended"
	// Failed: the error says why.
	Failed Outcome = "failed"
	// Reauthorize: a person must log in.
	Reauthorize Outcome = "reauthorize"
	// LeftOver: nothing was sent; it is tried again.
	LeftOver Outcome = "left_over"
)

// Error is an error on the wire.
type Error struct {
	Type    apierr.Type `json:"type"`
	Message string      `json:"message"`
}

// Result is the response: the counts of all renewals, Due being the sum of the
// others, and outcome and error if it was a single one.
type Result struct {
	Due         int      `json:"due"`
	Renewed     int      `json:"renewed"`
	Unchanged   int      `json:"unchanged"`
	Contended   int      `json:"contended"`
	Failed      int      `json:"failed"`
	Reauthorize int      `json:"reauthorize"`
	LeftOver    int      `json:"left_over"`
	Outcome     *Outcome `json:"outcome"`
	Error       *Error   `json:"error"`
}

// Count adds one renewal to the counts.
func (r *Result) Count(o Outcome) {
	r.Due++
	switch o {
	case Renewed:
		r.Renewed++
	case Unchanged:
		r.Unchanged++
	case Contended:
		r.Contended++
	case Failed:
		r.Failed++
	case Reauthorize:
		r.Reauthorize++
	case LeftOver:
		r.LeftOver++
	}
}

// Outcomes yields each outcome that occurred, with its count.
func (r Result) Outcomes() iter.Seq2[Outcome, int] {
	return func(yield func(Outcome, int) bool) {
		for _, o := range []struct {
			outcome Outcome
			n       int
		}{
			{Renewed, r.Renewed},
			{Unchanged, r.Unchanged},
			{Contended, r.Contended},
			{Failed, r.Failed},
			{Reauthorize, r.Reauthorize},
			{LeftOver, r.LeftOver},
		} {
			if o.n > 0 && !yield(o.outcome, o.n) {
				return
			}
		}
	}
}

// Single is the result of one renewal.
func Single(o Outcome, err *apierr.Error) Result {
	r := Result{Outcome: &o}
	r.Count(o)
	if err != nil {
		r.Error = &Error{Type: err.Type, Message: err.Message}
	}
	return r
}

// Fault is the error as an apierr.Error; nil if there is none.
func (r Result) Fault() *apierr.Error {
	if r.Error == nil {
		return nil
	}
	return apierr.New(r.Error.Type, r.Error.Message)
}

// Function invokes rotate. Both methods make one attempt: a retry of an
// invocation would be a second event.
type Function interface {
	// Rotate waits for the result. A throttled invocation is an apierr.Error of
	// type RateLimited, any other failure one of type StoreUnavailable.
	Rotate(ctx context.Context, r Request) (Result, error)
	// RotateLater returns as soon as the request was accepted. Its errors are
	// those of Rotate.
	RotateLater(ctx context.Context, r Request) error
}
