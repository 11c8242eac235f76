// Package lockout keeps Reltio from locking users out.
//
// Reltio locks a user after a few refused logins. So a user's login is counted
// before it is sent, in one conditional write: whatever crashes afterwards, no
// more logins than the limit are sent with the same credentials until a caller
// has seen one succeed. An account belongs to one connection, because two
// connections that try the same user would use up each other's attempts. When
// the claim ends the count stays: the next connection that claims the account
// with the same credentials has only the attempts that are left.
//
//	r, err := store.CountLogin(ctx, try)                // before the login
//	errors.Is(err, lockout.ErrAtLimit)                  // send nothing
//	...                                                 // one login
//	store.SettleLogin(ctx, try, lockout.Accepted)       // it succeeded
//	store.SettleLogin(ctx, try, lockout.Nothing)        // it was not sent, or the response shows nothing
//
// Two things are counted, because before the login its response is unknown. A
// refusal (HTTP 400) is what locks a user: at most Limit of them are allowed
// per credentials. An unclear response (any other 4xx) may come from a firewall
// or from a server whose user store is down: it locks no user, but is not
// repeated at will. Pauses of minutes lie between two, and at most 2*Limit are
// allowed in a day. A login whose response was never seen counts as both.
//
// A client without a user cannot be locked. Its logins are not counted; its
// record only shows which credentials the server has accepted.
package lockout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// MaxAttempts is the highest number of refused logins per account and
	// credentials that can be configured. Reltio locks after five by default,
	// and customers can set two.
	MaxAttempts = 2
	// unclearPerAttempt unclear logins are allowed for each refused one, within
	// UnclearFor of the last of them.
	unclearPerAttempt = 2
	// UnclearFor is how long an unclear login counts: a day.
	UnclearFor = 24 * time.Hour
	// clocksApart is how far the clocks of two instances differ at most. A
	// wrong clock has written a time that is further ahead, and it causes no
	// pause.
	clocksApart = 10 * time.Second
)

// Try is one login about to be counted.
type Try struct {
	// Account and Credentials are hashes; neither can be turned back.
	AccountHash     string
	CredentialsHash string
	// Connection is the one that claims the account.
	Connection string
	// Limit is how many may be refused: 1 or 2. At 0 no login is counted, not
	// even the first with new credentials.
	Limit int
	// Spare is how many of the attempts must be left after this one: a probe
	// never takes an account's last attempt.
	Spare int
	// Now is the moment of the attempt.
	Now time.Time
	// Forced skips the pauses after unclear logins, but no limit.
	Forced bool
}

// Record is what is stored of an account. The zero Record is an account without
// logins.
type Record struct {
	// Connection claims the account; empty if the claim has ended.
	Connection      string
	CredentialsHash string
	// Attempts counts the logins with these credentials since the last success
	// that were refused, or whose response was never seen.
	Attempts int
	// Unclear counts the logins whose response was unclear, or never seen.
	Unclear int
	// TriedAt is the time of the last counted login. If it is zero while
	// Unclear is not, the next login need not wait: the server works again.
	TriedAt time.Time
	// AcceptedHash is the hash of the credentials of the last success.
	AcceptedHash string
}

// ErrAtLimit says that the login must not be sent: the attempts are used up.
var ErrAtLimit = errors.New("account: at the limit of refused logins")

// ClaimedError says that the account belongs to another connection.
type ClaimedError struct{ By string }

// Error implements error.
func (e *ClaimedError) Error() string { return fmt.Sprintf("account: claimed by connection %s", e.By) }

// PauseError says that the login must not be sent before Until, because the
// response to the last one was unclear.
type PauseError struct{ Until time.Time }

// Error implements error.
func (e *PauseError) Error() string { return "account: too soon after an unclear login" }

// PauseAfter is how long the next login waits after that many unclear ones in a
// row.
func PauseAfter(unclear int) time.Duration {
	switch {
	case unclear <= 0:
		return 0
	case unclear == 1:
		return 2 * time.Minute
	case unclear == 2:
		return 10 * time.Minute
	default:
		return time.Hour
	}
}

// UnclearAt is the number of unclear logins that count at now: none a day after
// the last login.
func (r Record) UnclearAt(now time.Time) int {
	old := !r.TriedAt.IsZero() && (!r.TriedAt.Add(UnclearFor).After(now) || r.TriedAt.After(now.Add(UnclearFor)))
	if old {
		return 0
	}
	return r.Unclear
}

// pausedUntil is when the next login may be sent, and whether that is after
// now.
func (r Record) pausedUntil(now time.Time) (time.Time, bool) {
	pause := PauseAfter(r.UnclearAt(now))
	until := r.TriedAt.Add(pause)
	return until, pause > 0 && !r.TriedAt.IsZero() && until.After(now) && !r.TriedAt.After(now.Add(clocksApart))
}

// Exhausted reports whether the limit of refused logins is reached: none is
// sent until the credentials change or an operator resumes. A login that is at
// the limit for another reason waits until its unclear ones are a day old.
func (r Record) Exhausted(limit int) bool { return r.Attempts >= limit }

// Count returns the record after the try was counted, or the error that says
// why it may not be sent. The login counts as refused and as unclear until
// Settle.
func Count(r Record, t Try) (Record, error) {
	if t.Limit-t.Spare <= 0 {
		return r, ErrAtLimit
	}
	if r.Connection != "" && r.Connection != t.Connection {
		return r, &ClaimedError{By: r.Connection}
	}
	next := Record{
		Connection: t.Connection, CredentialsHash: t.CredentialsHash, Attempts: 1, Unclear: 1,
		TriedAt: t.Now, AcceptedHash: r.AcceptedHash,
	}
	if r.CredentialsHash != t.CredentialsHash {
		return next, nil
	}
	unclear := r.UnclearAt(t.Now)
	if r.Attempts >= t.Limit-t.Spare || unclear >= unclearPerAttempt*t.Limit-t.Spare {
		return r, ErrAtLimit
	}
	if until, paused := r.pausedUntil(t.Now); paused && !t.Forced {
		return r, &PauseError{Until: until}
	}
	next.Attempts, next.Unclear = r.Attempts+1, unclear+1
	return next, nil
}

// Outcome is the outcome of a counted login, or another change of an account's
// record.
type Outcome int

// The outcomes.
const (
	// Nothing: the login was not sent, or its response shows nothing about it.
	Nothing Outcome = iota
	// Refused: the server refused the user.
	Refused
	// Unclear: the response neither accepted nor refused the user.
	Unclear
	// Accepted: the credentials were accepted. It needs no counted login: a
	// client's credentials are accepted without one.
	Accepted
	// Resumed: an operator lets the account try again.
	Resumed
	// Forgiven: the server had refused every connection and works again. The
	// next login need not wait, unless it would be one of the last that the
	// day's limit allows; Spare of those are kept if only clients were seen to
	// be accepted. The counts stay. It changes a record once: afterwards the
	// credentials count as not accepted until they are accepted again.
	Forgiven
)

// Settle returns the record after an outcome. The counts change only if the
// credentials are the record's. The record of another connection does not
// change.
func Settle(r Record, t Try, o Outcome) Record {
	if r.Connection != "" && r.Connection != t.Connection {
		return r
	}
	switch o {
	case Accepted:
		r.Connection, r.AcceptedHash = t.Connection, t.CredentialsHash
	case Forgiven:
		if r.AcceptedHash == t.CredentialsHash {
			r.AcceptedHash = ""
			if r.Unclear < unclearPerAttempt*t.Limit-t.Spare { // at the day's limit the pause stays
				r.TriedAt = time.Time{}
			}
		}
	}
	if r.CredentialsHash == t.CredentialsHash {
		r = r.counted(o)
		if o == Unclear && r.Unclear > 0 && r.TriedAt.IsZero() {
			r.TriedAt = t.Now // Forgiven came during this login: its own pause begins now
		}
	}
	return r
}

// counted is the record with the counts after an outcome.
func (r Record) counted(o Outcome) Record {
	switch o {
	case Nothing:
		r.Attempts, r.Unclear = max(0, r.Attempts-1), max(0, r.Unclear-1)
	case Refused:
		r.Unclear = max(0, r.Unclear-1)
	case Unclear:
		r.Attempts = max(0, r.Attempts-1)
	case Accepted:
		r.Attempts, r.Unclear = 0, 0
	case Resumed:
		r.Attempts, r.Unclear, r.TriedAt = 0, 0, time.Time{}
	}
	return r
}

// Store keeps one record per account. All methods are atomic and safe for
// concurrent use by any number of processes; a network failure is an
// apierr.Error of type StoreUnavailable.
type Store interface {
	// Account returns the record, read strongly; the zero Record if there is
	// none.
	Account(ctx context.Context, account string) (Record, error)
	// CountLogin counts a login before it is sent and returns the record, as
	// Count decides. Otherwise the error is ErrAtLimit, a *PauseError or a
	// *ClaimedError, returned with the record that caused it.
	CountLogin(ctx context.Context, t Try) (Record, error)
	// SettleLogin records an outcome as Settle decides. Only Accepted makes a
	// record that does not exist.
	SettleLogin(ctx context.Context, t Try, o Outcome) error
	// MoveClaim gives the account to another connection if it still belongs to
	// from; if to is empty the claim ends. The counts stay: they belong to the
	// credentials.
	MoveClaim(ctx context.Context, account, from, to string) error
}
