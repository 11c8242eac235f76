// Package lockout keeps users from being locked.
//
// Reltio locks a user after a few bad logins. So a user's login is counted
// before it is sent, in one conditional write: whatever crashes afterwards, no
// more than the limit are ever sent with the same credentials without a caller
// having seen one succeed. An account belongs to one connection, because two
// that try the same user would spend each other's attempts. The claim ends, the
// count does not: the connection that claims the account next with the same
// credentials has the attempts that are left.
//
//	r, err := store.CountLogin(ctx, try)                // before the login
//	errors.Is(err, lockout.ErrAtLimit)                  // send nothing
//	...                                                 // one login
//	store.SettleLogin(ctx, try, lockout.Accepted)       // it succeeded
//	store.SettleLogin(ctx, try, lockout.Nothing)        // it was not sent, or the response said nothing
//
// Two things are counted, because before the login nobody can tell which of
// them its response will be. A refusal (HTTP 400) is what locks a user: at most
// Limit of them per credentials. An unclear response (any other 4xx) may come
// from a firewall or from a server whose user store is down: it locks nobody,
// yet is not provoked at will, so pauses of minutes lie between two, and at
// most 2*Limit are had in a day. A login whose response was never seen counts
// as both.
//
// A client without a user locks nobody. Its logins are not counted; its record
// only remembers which credentials the server has accepted.
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
	// moment further ahead was written by a wrong clock and causes no pause.
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
	// Spare is how many of the attempts must be left after this one: a probe of
	// a server in trouble never takes an account's last.
	Spare int
	// Now is the moment of the attempt.
	Now time.Time
	// Forced skips the pauses after unclear logins, and no limit.
	Forced bool
}

// Record is what is stored of an account. The zero Record is an account never
// logged in to.
type Record struct {
	// Connection claims the account; empty if the claim has ended.
	Connection  string
	CredentialsHash string
	// Attempts are the logins with these credentials since the last success
	// that were refused, or whose response was never seen.
	Attempts int
	// Unclear are those whose response said neither yes nor no, and again those
	// whose response was never seen.
	Unclear int
	// TriedAt is the last counted login. With Unclear logins and no moment the
	// next one need not wait: the server was seen to work again.
	TriedAt time.Time
	// Accepted are the credentials of the last success.
	AcceptedHash string
}

// ErrAtLimit says that the login must not be sent: the attempts are used up.
var ErrAtLimit = errors.New("account: at the limit of refused logins")

// ClaimedError says that the account belongs to another connection.
type ClaimedError struct{ By string }

// Error implements error.
func (e *ClaimedError) Error() string { return fmt.Sprintf("account: claimed by connection %s", e.By) }

// PauseError says that the login must not be sent before a moment, because the
// response to the one before was unclear.
type PauseError struct{ Until time.Time }

// Error implements error.
func (e *PauseError) Error() string { return "account: too soon after an unclear login" }

// PauseAfter is how long the next login waits after so many unclear ones in a
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

// UnclearAt are the unclear logins that still count at now: none a day after
// the last login.
func (r Record) UnclearAt(now time.Time) int {
	old := !r.TriedAt.IsZero() && (!r.TriedAt.Add(UnclearFor).After(now) || r.TriedAt.After(now.Add(UnclearFor)))
	if old {
		return 0
	}
	return r.Unclear
}

// pausedUntil is when the next login may be sent, if that lies ahead.
func (r Record) pausedUntil(now time.Time) (time.Time, bool) {
	pause := PauseAfter(r.UnclearAt(now))
	until := r.TriedAt.Add(pause)
	return until, pause > 0 && !r.TriedAt.IsZero() && until.After(now) && !r.TriedAt.After(now.Add(clocksApart))
}

// Exhausted reports whether as many logins were refused as may be: until the
// credentials change or an operator resumes none is sent. Else a login at the
// limit waits for its unclear ones to be a day old.
func (r Record) Exhausted(limit int) bool { return r.Attempts >= limit }

// Count is the rule: what the record becomes when the try is counted, or why
// it is not. The login counts as refused and as unclear until Settle says which.
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

// Outcome is what a counted login came to, or what else is to be remembered of
// an account.
type Outcome int

// The outcomes.
const (
	// Nothing: it was not sent, or its response says nothing about it.
	Nothing Outcome = iota
	// Refused: the server refused the user.
	Refused
	// Unclear: the server, or something before it, refused to say.
	Unclear
	// Accepted: the credentials were accepted. It needs no counted login: a
	// client's credentials are accepted without one.
	Accepted
	// Resumed: an operator lets the account try anew.
	Resumed
	// Forgiven: the server refused everybody and works again. The next login need
	// not wait, unless it would be one of the day's last, of which Spare are kept
	// where only others were seen to be served; the counts stay. It is said once:
	// then the credentials are no longer known to have been accepted, until they
	// are.
	Forgiven
)

// Settle is the rule: what the record becomes with an outcome. Counts are those
// of the record's credentials, and change for those alone; nothing changes of
// another connection's record.
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
			if r.Unclear < unclearPerAttempt*t.Limit-t.Spare { // at the limit the day still counts
				r.TriedAt = time.Time{}
			}
		}
	}
	if r.CredentialsHash == t.CredentialsHash {
		r = r.counted(o)
		if o == Unclear && r.Unclear > 0 && r.TriedAt.IsZero() {
			r.TriedAt = t.Now // it was forgiven while it was under way: its own pause begins
		}
	}
	return r
}

// counted is the record with the counts that an outcome leaves.
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
// concurrent use by any number of processes; a network failure is a
// apierr.Error of type StoreUnavailable.
type Store interface {
	// Account returns the record, read strongly; the zero Record if there is
	// none.
	Account(ctx context.Context, account string) (Record, error)
	// CountLogin counts a login before it is sent and returns the record, as
	// Count says: else ErrAtLimit, a *PauseError or a *ClaimedError, with the
	// record that says so.
	CountLogin(ctx context.Context, t Try) (Record, error)
	// SettleLogin remembers what a login came to, as Settle says. A record that
	// does not exist is made by Accepted alone.
	SettleLogin(ctx context.Context, t Try, o Outcome) error
	// MoveClaim gives the account to another connection if it still belongs to
	// from; to none if to is empty. The counts stay: they belong to the
	// credentials.
	MoveClaim(ctx context.Context, account, from, to string) error
}
