package grant

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// EventType is an event's detail-type.
type EventType string

// The types.
const (
	// ReauthorizationSoon: the refresh token of a connection that a person
	// authorized ends soon.
	ReauthorizationSoon EventType = "ReauthorizationSoon"
	// ReauthorizationRequired: a person must log in now. Repeated daily.
	ReauthorizationRequired EventType = "ReauthorizationRequired"
	// CredentialsRejected: an operator must write new credentials. Repeated
	// daily.
	CredentialsRejected EventType = "CredentialsRejected"
	// ServerRefusing: an authorization server refuses every connection.
	ServerRefusing EventType = "ServerRefusing"
	// Recovered: a connection that needed a person or an operator has a token
	// again, or a refresh token from a person's login.
	Recovered EventType = "Recovered"
)

// Event is what operators are told about one connection.
type Event struct {
	Type       EventType
	Connection string
	// Status is the grant's; Error the errorType, empty if there is none.
	Status string
	Error  apierr.Type
	// RefreshExpiresAt is when the refresh token ends; zero if there is none.
	RefreshExpiresAt time.Time
	// Link is where a person authorizes the connection; empty if there is none.
	// It holds a secret that a login uses up.
	Link string
}

// Publisher sends events. It is safe for concurrent use.
type Publisher interface {
	// Publish returns when the event was accepted. A failure is an apierr.Error
	// of type StoreUnavailable; the event may have been sent nevertheless.
	Publish(ctx context.Context, e Event) error
}
