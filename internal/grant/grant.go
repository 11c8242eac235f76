// Package grant is what the authorization server gave for a connection: the
// tokens, their deadlines and their health, and every decision about when to
// renew them.
//
// A Grant is stored as one item per connection. Callers of the issue function
// are answered from it alone; it is changed only by whoever holds the grant's
// lease. The refresh token is not in it but in a Vault, and is always stored
// there first: what lives long is stored before what lives short.
//
//	g, err := store.Grant(ctx, name, grant.Eventual) // ErrNotFound: never asked for
//	if g.Living(now) { ... }                         // hand it out
//	if !g.Due().After(now) { ... }                   // renew it
//	err = store.PutGrant(ctx, lease, g)              // ErrFenced: somebody newer was here
//
// Decisions are pure functions with a table test each; only Store and Vault
// block.
package grant

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Mode is what was learned of a server: what becomes of the old token when a
// new one is asked for while it lives.
type Mode string

// The modes.
const (
	// Unknown: nothing was learned yet.
	Unknown Mode = "unknown"
	// Overlap: a new token came and the old one lived on.
	Overlap Mode = "overlap"
	// AtEnd: the same token came again, or a new one killed the old one.
	AtEnd Mode = "at_end"
)

// Status is a grant's health.
type Status string

// The statuses.
const (
	StatusOK                  Status = "ok"
	StatusFailing             Status = "failing"
	StatusUnknown             Status = "unknown"
	StatusInvalidConnection   Status = "invalid_connection"
	StatusCredentialsRejected Status = "credentials_rejected"
	StatusMFARequired         Status = "mfa_required"
	StatusReauthorize         Status = "reauthorize"
	StatusTokenLimit          Status = "token_limit"
	StatusPaused              Status = "paused"
)

// Relogin is how far a login is that replaces a refresh token before its end.
type Relogin string

// The steps of a re-login.
const (
	// ReloginDue: the token in hand is the last one before the login.
	ReloginDue Relogin = "due"
	// ReloginRevoke: the login gave the same refresh token, which is revoked
	// next.
	ReloginRevoke Relogin = "revoke"
	// ReloginLogin: the refresh token was revoked; log in.
	ReloginLogin Relogin = "login"
)

// Grant is everything that is remembered of a connection. A zero time is an
// absent one. Times have millisecond precision.
type Grant struct {
	Connection string

	AccessToken reltioauth.Secret
	// Fingerprint names the access token; it stays when the token is removed.
	Fingerprint string
	TokenType   string
	Scope       string
	// IssuedAt is when the token request was sent; ExpiresAt is the server's
	// own deadline counted from there.
	IssuedAt  time.Time
	ExpiresAt time.Time
	// ExpiresInMissing says that the server named no deadline.
	ExpiresInMissing bool
	// Version rises with each new access token.
	Version int64

	// Epoch and Owner are those of the lease under which this was written.
	Epoch int64
	Owner string

	// Identity says whose grant this is.
	Identity string
	// Aliases of the issue function that may have the token; none: all may.
	Aliases []string

	// RefreshMode and LoginMode are learned apart. A refresh that was never
	// seen is AtEnd: the framework always ends the old token with it.
	RefreshMode Mode
	LoginMode   Mode

	// SecretVersion points at the version of the grant's secret that holds the
	// refresh token; ConnectionVersion is the connection's secret last parsed.
	SecretVersion     string
	ConnectionVersion string
	// SecondFactorVersion is the connection's secret whose login the server
	// answered with the wish for a second factor; empty if it did not. No other
	// login is sent with that version until an operator resumes.
	SecondFactorVersion string
	// RefreshFingerprint names the refresh token; empty if there is none.
	RefreshFingerprint string
	// LoggedInAt starts the refresh token's clock, RefreshExpiresAt ends it.
	LoggedInAt       time.Time
	RefreshExpiresAt time.Time
	// User is the first user that authorized the connection.
	User string

	// SecretMissingAt is when the connection's secret, which was there before,
	// was first not found; TokenMissingAt the same of the refresh token that
	// SecretVersion points at.
	SecretMissingAt, TokenMissingAt time.Time
	// Rotates says that the refresh token came from a refresh: the server gives
	// a new one each time, and may have started its clock anew.
	Rotates bool

	// APIURL and TenantID are where the token is used, for callers.
	APIURL   string
	TenantID string

	Status Status
	// Failures are those in a row, of any kind. Refusals are requests in a row
	// that were refused and can lock nobody: refreshes, and logins of clients
	// without a user. Throttles are the 429s in a row.
	Failures  int
	Refusals  int
	Throttles int
	// Refusal is what the server last said when it refused.
	Refusal Refusal
	// RetryAt is when Reltio may be asked again after a failure, or when a
	// waiting grant is looked at next.
	RetryAt time.Time
	// LastError is what callers get (Error). LastErrorMessage is what the last
	// failure said; between failures LastError may also be a postponement.
	LastError        apierr.Type
	LastErrorMessage string

	// CheckedAt is when a reported token was last checked, this one or one
	// before. CheckVerdict is what came of it for this one, and ReissuedAt when
	// the server gave it again though another was asked for. Of a new token that
	// was asked for because the check said nothing it is the moment of the check.
	CheckedAt    time.Time
	CheckVerdict Verdict
	ReissuedAt   time.Time
	Relogin      Relogin
	// RepeatedUntil is the later deadline of a token that came a second time.
	RepeatedUntil time.Time
	// EarlyAskedAt is when the mode was last put to the test.
	EarlyAskedAt time.Time
	// TriedAt is when Reltio was last asked for something and did not give it.
	TriedAt time.Time
	// WarnedAt is when the end of the refresh token was last announced.
	WarnedAt time.Time
	// Unpublished are events not yet sent, PublishTries how often that was tried
	// in vain, and PublishAt when it is tried again.
	Unpublished  []string
	PublishTries int
	PublishAt    time.Time

	// Doubted says that the token's instants were written by a wrong clock, as
	// Believed found: it is due. It is not stored.
	Doubted bool

	// Shard and DueAt are the index entry: a hint where to look.
	Shard Shard
	DueAt time.Time
	// TTL deletes what is left of a connection that is gone.
	TTL time.Time
}

// Refusal is how an authorization server refused: its OAuth error code (empty
// if it sent none), the HTTP status, and its description without anything that
// could be a secret. It is for operators; callers see code and status alone.
type Refusal struct {
	Code        string
	Status      int
	Description string
}

// String is what anybody may see of it, as "(invalid_grant, HTTP 400)".
func (r Refusal) String() string {
	switch {
	case r.Status == 0:
		return "(no response seen)"
	case r.Code == "":
		return "(no OAuth error, HTTP " + strconv.Itoa(r.Status) + ")"
	}
	return "(" + r.Code + ", HTTP " + strconv.Itoa(r.Status) + ")"
}

// Shard is a part of the index of due grants.
type Shard string

// The shards.
const (
	// ShardDue: grants that are renewed.
	ShardDue Shard = "due"
	// ShardWaiting: grants that wait for a person or for new credentials.
	ShardWaiting Shard = "waiting"
)

// Consistency says how a grant is read.
type Consistency bool

// The consistencies of a read.
const (
	Eventual Consistency = false
	Strong   Consistency = true
)

var (
	// ErrNotFound says that there is no grant of that name.
	ErrNotFound = errors.New("grant: not found")
	// ErrUnreadable says that a version of the vault is there and holds no
	// refresh token that can be read.
	ErrUnreadable = errors.New("grant: the secret holds no refresh token")
	// ErrFenced says that a higher epoch has written: the lease was lost.
	ErrFenced = errors.New("grant: fenced off by a newer lease")
)

// Due is an entry of the index.
type Due struct {
	Connection string
	DueAt      time.Time
}

// Store keeps one item per connection. All methods are atomic and safe for
// concurrent use by any number of processes. A network failure is a
// apierr.Error of type StoreUnavailable; after one of PutGrant the item is
// either the old or the new one.
type Store interface {
	// Grant returns the item, or ErrNotFound. What is past its deadline is
	// returned as well: who reads checks the time.
	Grant(ctx context.Context, name string, c Consistency) (Grant, error)
	// PutGrant writes g under the lease: its epoch and owner become the
	// grant's. It is taken if the stored epoch is lower, or equal with the
	// same owner, else ErrFenced. Attributes that this release does not know
	// stay as they are.
	PutGrant(ctx context.Context, held lease.Lease, g Grant) error
	// DueGrants returns up to limit entries of the shard that are due at now,
	// the most urgent first, after the given one (nil: from the start).
	DueGrants(ctx context.Context, s Shard, now time.Time, after *Due, limit int) ([]Due, error)
}

// RefreshToken is a version of a grant's secret. One without a token is a
// tombstone: what came before belongs to somebody else.
type RefreshToken struct {
	Token      reltioauth.Secret
	LoggedInAt time.Time
	// Epoch orders the versions: that of the lease under which it was written,
	// or one above the highest that the writer saw.
	Epoch int64
	// Identity is whose it is; empty in a version that an older release wrote.
	Identity string
	// Version names it in the vault.
	Version string
	// ParkedAt is when it was parked. In the vault it is zero.
	ParkedAt time.Time
}

// Of reports whether the refresh token may be sent for an identity: it is that
// identity's, or does not say whose it is.
func (r RefreshToken) Of(identity string) bool { return r.Identity == "" || r.Identity == identity }

// Fingerprint names the refresh token; empty for a tombstone.
func (r RefreshToken) Fingerprint() string {
	if r.Token.IsZero() {
		return ""
	}
	return reltioauth.Fingerprint(r.Token)
}

// Vault keeps refresh tokens, each change as a new version. All methods are
// safe for concurrent use. A failure is a apierr.Error of type
// StoreUnavailable; one that matches ErrUnreadable too is about what is stored.
type RefreshTokenStore interface {
	// Current returns the newest version, or ErrNotFound if there is none.
	Current(ctx context.Context, name string) (RefreshToken, error)
	// Version returns one version, or ErrNotFound if it is not there: it was
	// purged, or the store has not caught up with its writing yet.
	Version(ctx context.Context, name, version string) (RefreshToken, error)
	// Put adds a version, makes it the newest, and returns its name.
	Put(ctx context.Context, name string, r RefreshToken) (string, error)
}

// ParkAfter is how long the vault is tried before a refresh token is parked.
const ParkAfter = 2 * time.Second

// Parking keeps a refresh token that the vault did not take, one for a
// connection, until the vault does. All methods are safe for concurrent use. A
// failure is a apierr.Error of type StoreUnavailable.
type Parking interface {
	// Park keeps r, unless one of a higher epoch is kept: then ErrFenced.
	Park(ctx context.Context, name string, r RefreshToken) error
	// Parked returns the one that is kept; else ErrNotFound, with the epoch of the
	// one that was forgotten last: none of a lower one is kept.
	Parked(ctx context.Context, name string) (RefreshToken, error)
	// Unpark forgets the one of that epoch, if it is kept still.
	Unpark(ctx context.Context, name string, epoch int64) error
}
