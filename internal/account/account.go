// Package account keeps users from being locked.
//
// Reltio locks a user after a few bad logins. So a login is counted before it
// is sent, in one conditional write: whatever crashes afterwards, no more than
// the limit are ever sent with the same credentials without somebody having
// seen one succeed. An account belongs to one connection, because two that try
// the same user would spend each other's attempts. The claim ends, the count
// does not: whoever claims the account next with the same credentials has the
// attempts that are left.
//
//	n, err := store.CountLogin(ctx, try)      // before the login
//	errors.Is(err, account.ErrAtLimit)        // send nothing
//	...                                       // one login
//	store.ClearLogins(ctx, try)               // it succeeded
//	store.UncountLogin(ctx, try)              // it was not sent, or the answer said nothing about the credentials
//
// A login that was refused, and one whose answer nobody saw, stays counted. A
// client without a user locks nobody: its record is its connection's own, and
// at the limit it may try once an hour.
package account

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxAttempts is the highest number of refused logins per account and
// credentials that can be configured. Reltio locks after five by default, and
// customers can set two.
const MaxAttempts = 2

// TryAgain is how often a client without a user may try at the limit.
const TryAgain = time.Hour

// Try is one login about to be counted.
type Try struct {
	// Account and Credentials are hashes; neither can be turned back.
	Account     string
	Credentials string
	// Connection is the one that claims the account.
	Connection string
	// Limit is how many may be refused: 1 or 2. At 0 no login is counted, not
	// even the first with new credentials.
	Limit int
	// Now is the moment of the attempt.
	Now time.Time
	// Hourly allows one attempt per TryAgain at the limit: for clients without
	// a user.
	Hourly bool
}

// Record is what is stored of an account.
type Record struct {
	// Connection claims the account; empty if the claim has ended.
	Connection  string
	Credentials string
	Attempts    int
	// TriedAt is the last counted attempt; stored for clients without a user.
	TriedAt time.Time
}

// ErrAtLimit says that the login must not be sent.
var ErrAtLimit = errors.New("account: at the limit of refused logins")

// ClaimedError says that the account belongs to another connection.
type ClaimedError struct{ By string }

// Error implements error.
func (e *ClaimedError) Error() string { return fmt.Sprintf("account: claimed by connection %s", e.By) }

// Count is the rule: what the record becomes when the try is counted, or why
// it is not. A record that does not exist is the zero Record.
func Count(r Record, t Try) (Record, error) {
	if t.Limit <= 0 {
		return r, ErrAtLimit
	}
	if r.Connection != "" && r.Connection != t.Connection {
		return r, &ClaimedError{By: r.Connection}
	}
	next := Record{Connection: t.Connection, Credentials: t.Credentials, Attempts: 1}
	if r.Credentials == t.Credentials {
		if r.Attempts >= t.Limit && (!t.Hourly || t.Now.Before(r.TriedAt.Add(TryAgain))) {
			return r, ErrAtLimit
		}
		next.Attempts = r.Attempts + 1
	}
	if t.Hourly {
		next.TriedAt = t.Now
	}
	return next, nil
}

// Store keeps one record per account. All methods are atomic and safe for
// concurrent use by any number of processes; a network failure is a
// fault.Error of type StoreUnavailable.
type Store interface {
	// CountLogin counts a login before it is sent and returns the count, as
	// Count says: else ErrAtLimit or a *ClaimedError.
	CountLogin(ctx context.Context, t Try) (int, error)
	// UncountLogin takes a counted login off again. Nothing happens if the
	// credentials changed meanwhile, or another connection claims the account.
	UncountLogin(ctx context.Context, t Try) error
	// ClearLogins sets the count to zero, after a success or when an operator
	// resumes. Nothing happens if other credentials were counted, or another
	// connection claims the account.
	ClearLogins(ctx context.Context, t Try) error
	// MoveClaim gives the account to another connection if it still belongs
	// to from. The count stays: it belongs to the credentials.
	MoveClaim(ctx context.Context, account, from, to string) error
	// DropClaim ends the connection's claim to the account; another connection
	// may claim it then. The count stays, as in MoveClaim.
	DropClaim(ctx context.Context, account, connection string) error
}
