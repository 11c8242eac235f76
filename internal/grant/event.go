// Package grant is what operators are told: that a connection needs a person,
// soon or now, that credentials were refused, that a server refuses everybody,
// that it is over.
//
// An event is remembered with the grant whose change it tells of before it is
// sent, and forgotten once it was: so it is sent at least once, whatever
// crashes, and may come twice.
//
//	publisher.Publish(ctx, grant.Event{Type: grant.ReauthorizationRequired, Connection: "acme-prod", ...})
package grant

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Type is an event's detail-type.
type EventType string

// The types.
const (
	// ReauthorizationSoon: the refresh token of a connection that a person
	// authorized nears its end.
	ReauthorizationSoon EventType = "ReauthorizationSoon"
	// ReauthorizationRequired: a person must log in now. Repeated daily.
	ReauthorizationRequired EventType = "ReauthorizationRequired"
	// CredentialsRejected: an operator must write new credentials. Repeated
	// daily.
	CredentialsRejected EventType = "CredentialsRejected"
	// ServerRefusing: an authorization server refuses everybody.
	ServerRefusing EventType = "ServerRefusing"
	// Recovered: a connection that needed somebody has a token again, or a
	// refresh token from a person.
	Recovered EventType = "Recovered"
)

// Event is one piece of news about one connection.
type Event struct {
	Type       EventType
	Connection string
	// Status is the grant's; Error the errorType, empty if there is none.
	Status string
	Error  apierr.Type
	// RefreshExpiresAt is when the refresh token ends; zero if there is none.
	RefreshExpiresAt time.Time
	// Link is where a person authorizes the connection; empty if there is
	// none. It holds a secret that is used up by the login.
	Link string
}

// Publisher sends events. It is safe for concurrent use.
type Publisher interface {
	// Publish returns when the event was accepted. A failure is a apierr.Error
	// of type StoreUnavailable; the event may have been sent all the same.
	Publish(ctx context.Context, e Event) error
}
