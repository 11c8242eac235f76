// Package authrequest holds what the callback function has to know between two
// requests of a person's browser: the invitation with which an operator asks
// for a connection to be authorized, and the authorization request that is
// pending while the person logs in at Reltio.
//
// Both are named by random texts that only the right browser or person has. The
// store has their SHA-256 alone, so that a reader of the store can use neither.
//
//	text := authrequest.NewText()               // in the link, or in the redirect
//	store.PutInvitation(ctx, authrequest.Invitation{Hash: authrequest.HashOf(text), ...})
//	err := store.ConsumeRequest(ctx, hash, now)   // once: ErrUsed afterwards
//
// Deadlines are checked at each read; a store deletes late.
package authrequest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"regexp"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The deadlines of invitations and requests.
const (
	// InvitationFromCommand is how long an operator's link is valid.
	InvitationFromCommand = 24 * time.Hour
	// InvitationFromEvent is how long the link in an event is valid.
	InvitationFromEvent = 7 * 24 * time.Hour
	// RequestLife is how long a person has to log in.
	RequestLife = 10 * time.Minute
)

var (
	// ErrNotFound says that there is none, or that it was deleted.
	ErrNotFound = errors.New("authorization: not found")
	// ErrUsed says that it was used, or has expired.
	ErrUsed = errors.New("authorization: used or ended")
)

// text is what NewText draws: 32 bytes, base64url without padding.
var text = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// NewText draws the text of an invitation, a state or a browser binding.
func NewText() reltioauth.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	return reltioauth.NewSecret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// ValidText reports whether a text can be one that NewText drew.
func ValidText(s string) bool { return text.MatchString(s) }

// HashOf names a text without holding it: the lower-case hexadecimal SHA-256.
func HashOf(s reltioauth.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Invitation lets a person authorize one connection. Another program with write
// access to the store may make one; only Connection and Ends are required.
type Invitation struct {
	// Hash of the text in the link.
	Hash       string
	Connection string
	// ReplaceUser lets another user than the first one authorize.
	ReplaceUser bool
	// UsedAt is when a login used it up; zero if it is unused.
	UsedAt time.Time
	// Ends is its deadline, in whole seconds.
	Ends time.Time
}

// ID names the invitation to operators: the first 12 digits of its hash, which no
// person can use as a link.
func (i Invitation) ID() string { return i.Hash[:min(len(i.Hash), 12)] }

// NewInvitation draws an invitation that is valid for that long. Its text
// belongs in a link and in no store.
func NewInvitation(connection string, life time.Duration, replaceUser bool, now time.Time) (Invitation, reltioauth.Secret) {
	text := NewText()
	return Invitation{
		Hash:        HashOf(text),
		Connection:  connection,
		ReplaceUser: replaceUser,
		Ends:        now.Add(life).Truncate(time.Second),
	}, text
}

// Link is where a person uses an invitation: base is the callback function's
// URL, without a slash at its end.
func Link(base string, text reltioauth.Secret) string {
	return base + "/authorize?invitation=" + text.Reveal()
}

// Usable reports whether the invitation can still be used at now.
func (i Invitation) Usable(now time.Time) bool { return i.UsedAt.IsZero() && now.Before(i.Ends) }

// Request is a pending authorization request (RFC 6749, section 4.1.1).
type Request struct {
	// Hash of the state.
	Hash       string
	Connection string
	// Invitation is the hash of the invitation that it came from.
	Invitation string
	// Binding is the hash of the cookie's value: which browser it belongs to.
	Binding string
	// Verifier is PKCE's (RFC 7636); zero without PKCE.
	Verifier reltioauth.Secret
	// RedirectURI that was sent, and has to be sent again.
	RedirectURI string
	// ConsumedAt is when it was used; zero if it was not.
	ConsumedAt time.Time
	// Outcome is the result that a reload of the page shows; empty until there
	// is one.
	Outcome string
	// Second says that the person is sent through the login page for the second
	// time.
	Second bool
	// Ends is its deadline, in whole seconds.
	Ends time.Time
}

// Pending reports whether the request can still be used at now.
func (r Request) Pending(now time.Time) bool { return r.ConsumedAt.IsZero() && now.Before(r.Ends) }

// Store keeps invitations and requests. All methods are atomic and safe for
// concurrent use by any number of processes; reads are strong. A network
// failure is an apierr.Error of type StoreUnavailable.
type Store interface { //nolint:interfacebloat // the life of two items, and every adapter keeps both
	PutInvitation(ctx context.Context, i Invitation) error
	// Invitation returns ErrNotFound if there is none; a used or expired one is
	// returned as well.
	Invitation(ctx context.Context, hash string) (Invitation, error)
	// UseInvitation uses it up at now, once: ErrUsed if it was used, has
	// expired or is not there. The write is sent once: if its response is lost,
	// the invitation may be used, and no login goes on with it.
	UseInvitation(ctx context.Context, hash string, now time.Time) error
	// ReturnInvitation makes one usable again that was used up at usedAt. One
	// that was used at another moment stays used.
	ReturnInvitation(ctx context.Context, hash string, usedAt time.Time) error
	PutRequest(ctx context.Context, r Request) error
	// Request returns ErrNotFound if there is none; a consumed or expired one
	// is returned as well.
	Request(ctx context.Context, hash string) (Request, error)
	// ConsumeRequest consumes it at now, once: ErrUsed as UseInvitation.
	ConsumeRequest(ctx context.Context, hash string, now time.Time) error
	// ReturnRequest makes one pending again that was consumed at consumedAt and
	// has no outcome.
	ReturnRequest(ctx context.Context, hash string, consumedAt time.Time) error
	// FinishRequest stores the outcome of a request that was consumed.
	FinishRequest(ctx context.Context, hash, outcome string) error
}

// Directory lists invitations. It is for operators: no function may read the whole
// store.
type Directory interface {
	// Invitations returns every invitation of the store, the used and the expired
	// ones too, in no order. It reads the whole store, strongly, and nothing of an
	// item that is no invitation but its key.
	Invitations(ctx context.Context) ([]Invitation, error)
}
