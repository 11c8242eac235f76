// Package grant is what the authorization server gave for a connection: the
// tokens, their deadlines and their health, and every decision about when to
// renew them.
//
// A Grant is stored as one item per connection. The issue function answers its
// callers from the grant alone. Only the holder of the grant's lease changes
// it. The refresh token is not in the grant but in a RefreshTokenStore, and is
// always stored there first: what is valid for weeks is stored before what is
// valid for an hour.
//
//	g, err := store.Grant(ctx, name, grant.Eventual) // ErrNotFound: never asked for
//	if g.Valid(now) { ... }                          // hand it out
//	if !g.Due().After(now) { ... }                   // renew it
//	err = store.PutGrant(ctx, lease, g)              // ErrFenced: a newer holder has written
//
// An Event is what operators are told about a grant: a connection needs a
// person, soon or now; credentials were refused; a server refuses every
// connection; a connection has recovered. An event is stored with the grant
// whose change it reports before it is sent, and removed after it was sent: so
// it is sent at least once, whatever crashes, and may be sent twice.
//
// Decisions are pure functions with a table test each; only Store,
// RefreshTokenStore, Parking and Publisher block.
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

// Mode is what was observed of a server: what happens to the old token when a
// new one is requested before the old one expires.
type Mode string

// The modes.
const (
	// Unknown: nothing was observed yet.
	Unknown Mode = "unknown"
	// Overlap: a new token came and the old one stayed valid.
	Overlap Mode = "overlap"
	// AtEnd: the same token came again, or the new one made the old one
	// inactive.
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

// Relogin is the step that a re-login has reached: a login that replaces a
// refresh token before its end.
type Relogin string

// The steps of a re-login.
const (
	// ReloginDue: the stored token is the last one before the login.
	ReloginDue Relogin = "due"
	// ReloginRevoke: the login gave the same refresh token, which is revoked
	// next.
	ReloginRevoke Relogin = "revoke"
	// ReloginLogin: the refresh token was revoked; log in.
	ReloginLogin Relogin = "login"
)

// Grant is everything that is stored about a connection. A zero time is an
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

	// RefreshMode and LoginMode are observed separately. Without an observation
	// of refreshes RefreshMode is AtEnd: the framework always ends the old
	// token at a refresh.
	RefreshMode Mode
	LoginMode   Mode

	// SecretVersion points at the version of the grant's secret that holds the
	// refresh token; ConnectionVersion is the connection's secret last parsed.
	SecretVersion     string
	ConnectionVersion string
	// SecondFactorVersion is the connection's secret with which a login was
	// answered by a demand for a second factor; empty if there was none. No
	// other login is sent with that version until an operator resumes the
	// connection.
	SecondFactorVersion string
	// RefreshFingerprint names the refresh token; empty if there is none.
	RefreshFingerprint string
	// LoggedInAt is when the refresh token's life began, RefreshExpiresAt when
	// it ends.
	LoggedInAt       time.Time
	RefreshExpiresAt time.Time
	// User is the first user that authorized the connection.
	User string

	// SecretMissingAt is when the connection's secret, which was there before,
	// was first not found; TokenMissingAt is the same for the refresh token
	// that SecretVersion points at.
	SecretMissingAt, TokenMissingAt time.Time
	// Rotates says that the refresh token came from a refresh: the server gives
	// a new one each time, and may have restarted the refresh token's life.
	Rotates bool

	// APIURL and TenantID are where the token is used, for callers.
	APIURL   string
	TenantID string

	Status Status
	// Failures counts the failures in a row, of any kind. Refusals counts the
	// refusals in a row that cannot lock a user: of refreshes, and of logins of
	// clients without a user. Throttles counts the 429s in a row.
	Failures  int
	Refusals  int
	Throttles int
	// Refusal is what the server said at its last refusal.
	Refusal Refusal
	// RetryAt is when Reltio may be asked again after a failure, or when the
	// sweep looks at a waiting grant next.
	RetryAt time.Time
	// LastError is the error that callers get (Error). LastErrorMessage is the
	// message of the last failure; between failures LastError may also be a
	// postponement.
	LastError        apierr.Type
	LastErrorMessage string

	// CheckedAt is when a reported token was last checked, this token or an
	// earlier one. CheckVerdict is the result for this token. ReissuedAt is
	// when the server gave this token again although another was requested. For
	// a new token that was requested because the check was inconclusive,
	// ReissuedAt is the moment of the check.
	CheckedAt    time.Time
	CheckVerdict Verdict
	ReissuedAt   time.Time
	Relogin      Relogin
	// RepeatedUntil is the later deadline of a token that came a second time.
	RepeatedUntil time.Time
	// EarlyAskedAt is when the mode was last tested.
	EarlyAskedAt time.Time
	// TriedAt is when a request to Reltio last failed.
	TriedAt time.Time
	// WarnedAt is when the end of the refresh token was last announced.
	WarnedAt time.Time
	// Unpublished are events not yet sent, PublishTries counts the failed
	// attempts to send them, and PublishAt is when the next attempt is made.
	Unpublished  []string
	PublishTries int
	PublishAt    time.Time

	// Doubted says that a wrong clock wrote the token's times, as Believed
	// found: the token is due. It is not stored.
	Doubted bool

	// Shard and DueAt are the index entry: a hint where to look.
	Shard Shard
	DueAt time.Time
	// TTL is when the store deletes what is left of a deleted connection.
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

// String is the part that callers may see, as "(invalid_grant, HTTP 400)".
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
	// ErrUnreadable says that a version is in the RefreshTokenStore and holds
	// no refresh token that can be read.
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
// concurrent use by any number of processes. A network failure is an
// apierr.Error of type StoreUnavailable; after one of PutGrant the item is
// either the old or the new one.
type Store interface {
	// Grant returns the item, or ErrNotFound. An expired token or a past TTL is
	// returned as well: the reader checks the times.
	Grant(ctx context.Context, name string, c Consistency) (Grant, error)
	// PutGrant writes g under the lease: its epoch and owner become the
	// grant's. The write is taken if the stored epoch is lower, or equal with
	// the same owner, else the error is ErrFenced. Attributes that this release
	// does not know stay as they are.
	PutGrant(ctx context.Context, held lease.Lease, g Grant) error
	// DueGrants returns up to limit entries of the shard that are due at now,
	// the most urgent first, after the given one (nil: from the start).
	DueGrants(ctx context.Context, s Shard, now time.Time, after *Due, limit int) ([]Due, error)
}

// RefreshToken is a version of a grant's secret. One without a token is a
// tombstone: no refresh token of an older version may be used.
type RefreshToken struct {
	Token      reltioauth.Secret
	LoggedInAt time.Time
	// Epoch orders the versions: that of the lease under which it was written,
	// or one above the highest that the writer saw.
	Epoch int64
	// Identity is whose it is; empty in a version that an older release wrote.
	Identity string
	// Version is the version's name in the RefreshTokenStore.
	Version string
	// ParkedAt is when it was parked; zero in the RefreshTokenStore.
	ParkedAt time.Time
}

// Of reports whether the refresh token may be sent for an identity: it belongs
// to that identity, or names none.
func (r RefreshToken) Of(identity string) bool { return r.Identity == "" || r.Identity == identity }

// Fingerprint names the refresh token; empty for a tombstone.
func (r RefreshToken) Fingerprint() string {
	if r.Token.IsZero() {
		return ""
	}
	return reltioauth.Fingerprint(r.Token)
}

// RefreshTokenStore keeps refresh tokens, each change as a new version. All
// methods are safe for concurrent use. A failure is an apierr.Error of type
// StoreUnavailable; one that also matches ErrUnreadable is about what is
// stored.
type RefreshTokenStore interface {
	// Current returns the newest version, or ErrNotFound if there is none.
	Current(ctx context.Context, name string) (RefreshToken, error)
	// Version returns one version, or ErrNotFound if it is not there: it was
	// purged, or the store does not show its write yet.
	Version(ctx context.Context, name, version string) (RefreshToken, error)
	// Put adds a version, makes it the newest, and returns its name.
	Put(ctx context.Context, name string, r RefreshToken) (string, error)
}

// ParkAfter is how long a write to the RefreshTokenStore is tried before a
// refresh token is parked.
const ParkAfter = 2 * time.Second

// Parking keeps a refresh token that the RefreshTokenStore did not take, one
// for each connection, until that store takes it. All methods are safe for
// concurrent use. A failure is an apierr.Error of type StoreUnavailable.
type Parking interface {
	// Park keeps r. If one of a higher epoch is parked the error is ErrFenced.
	Park(ctx context.Context, name string, r RefreshToken) error
	// Parked returns the parked refresh token. If there is none the error is
	// ErrNotFound, and the epoch is that of the one that was removed last: no
	// lower epoch is parked.
	Parked(ctx context.Context, name string) (RefreshToken, error)
	// Unpark removes the parked refresh token if it still has that epoch.
	Unpark(ctx context.Context, name string, epoch int64) error
}
