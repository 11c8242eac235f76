package operator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

const (
	// readers is how many connections are read at a time.
	readers = 8
	// indexPage is how many index entries are read at a time.
	indexPage = 500
	// farAhead is later than every due time.
	farAhead = 10 * 365 * 24 * time.Hour
)

// New is the status of a connection that has a secret and no grant, because no
// caller has asked for it.
const New grant.Status = "new"

// Report is the health of connections at a moment.
type Report struct {
	At          time.Time `json:"at"`
	Connections []State   `json:"connections"`
}

// NeedsSomebody reports whether any connection needs an operator or a person.
func (r Report) NeedsSomebody() bool {
	return slices.ContainsFunc(r.Connections, func(s State) bool { return s.NeedsSomebody })
}

// State is the health of one connection. A missing value is null; times are UTC,
// in whole seconds.
type State struct {
	Connection string `json:"connection"`
	// GrantType as the secret says; empty if the secret cannot be read.
	GrantType connection.GrantType `json:"grant_type"`
	// Client identifies the client at its host, as a hash; empty if the secret
	// cannot be read. Connections with the same client share their tokens.
	Client string `json:"client"`
	// RefreshMode and LoginMode are what was observed of the server.
	RefreshMode grant.Mode `json:"refresh_mode"`
	LoginMode   grant.Mode `json:"login_mode"`
	// Status is the grant's, or New.
	Status grant.Status `json:"status"`
	// ExpiresIn is the remaining life of a valid token, in seconds.
	ExpiresIn        *int64     `json:"expires_in"`
	ExpiresAt        *time.Time `json:"expires_at"`
	RefreshExpiresAt *time.Time `json:"refresh_expires_at"`
	// NextDueAt is when a sweep renews it, or checks whether it can be renewed. A
	// moment that has passed stands for the next tick.
	NextDueAt *time.Time `json:"next_due_at"`
	// LastError is the error of the last renewal.
	LastError *rotateapi.Error `json:"last_error"`
	// Refusal is the server's last refusal; null if there was none since the last
	// success.
	Refusal *Refused `json:"refusal"`
	// FailingSince is when a failing connection's token was due; null if the
	// connection never had a token or does not fail.
	FailingSince *time.Time `json:"failing_since"`
	// SecretVersionsADay is how many versions of the grant's secret are written
	// in a day; 0 unless the server gives a new refresh token at each refresh.
	SecretVersionsADay int `json:"secret_versions_a_day"`
	// SecretError is the error of the secret as it is now.
	SecretError *rotateapi.Error `json:"secret_error"`
	Version     int64            `json:"version"`
	Fingerprint string           `json:"fingerprint"`
	// ParkedSince is when the refresh token was parked in the table because
	// Secrets Manager did not take it; null if none is parked.
	ParkedSince *time.Time `json:"parked_since"`
	// SecretMissingSince is when a renewal first found no secret of the
	// connection.
	SecretMissingSince *time.Time `json:"secret_missing_since"`
	// UnsentEvents are the types of events that the bus did not take; null if
	// there are none.
	UnsentEvents []string `json:"unsent_events"`
	// NeedsSomebody says that the connection does not recover by itself: a person
	// must log in, or an operator must write another secret.
	NeedsSomebody bool `json:"needs_somebody"`
}

// Status returns the health of the named connections, in that order. Without
// names it returns that of all connections that have a secret or are to be
// renewed, sorted.
func (o *Service) Status(ctx context.Context, names ...string) (Report, error) {
	all := len(names) == 0
	for _, name := range names {
		if err := named(name); err != nil {
			return Report{}, err
		}
	}
	if all {
		var err error
		if names, err = (reader{o}).names(ctx); err != nil {
			return Report{}, err
		}
	}
	r := Report{At: o.Now().UTC().Truncate(time.Second), Connections: make([]State, len(names))}
	faults := make([]error, len(names))
	each(len(names), func(i int) { r.Connections[i], faults[i] = reader{o}.state(ctx, names[i]) })
	return reported(r, faults, all)
}

// reported is the report if there was no error. A connection that was deleted
// since it was listed is left out; if the caller named it, that is an error.
func reported(r Report, faults []error, all bool) (Report, error) {
	states := r.Connections[:0]
	for i, err := range faults {
		switch {
		case err == nil:
			states = append(states, r.Connections[i])
		case all && apierr.Of(err).Type == apierr.UnknownConnection:
		default:
			return Report{}, err
		}
	}
	r.Connections = states
	return r, nil
}

// reader reads what operators are shown.
type reader struct{ *Service }

// names lists every connection that has a secret, and every grant in the index: a
// deleted connection is there until the next renewal has noticed.
func (o reader) names(ctx context.Context) ([]string, error) {
	listed, err := o.Connections.List(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range listed {
		names[name] = true
	}
	for _, shard := range []grant.Shard{grant.ShardDue, grant.ShardWaiting} {
		if err := o.indexed(ctx, shard, names); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// indexed adds the names in one shard of the index.
func (o reader) indexed(ctx context.Context, s grant.Shard, names map[string]bool) error {
	var after *grant.Due
	for {
		page, err := o.Grants.DueGrants(ctx, s, o.Now().Add(farAhead), after, indexPage)
		if err != nil {
			return err
		}
		for _, due := range page {
			if connection.ValidName(due.Connection) {
				names[due.Connection] = true
			}
		}
		if len(page) < indexPage {
			return nil
		}
		after = &page[len(page)-1]
	}
}

// state reads one connection: UnknownConnection if there is no secret and no
// grant, or only the grant of a deleted connection.
func (o reader) state(ctx context.Context, name string) (State, error) {
	c, secretErr := o.parsed(ctx, name)
	malformed := secretErr != nil && apierr.Of(secretErr).Type == apierr.InvalidConnection
	missing := errors.Is(secretErr, connection.ErrNotFound)
	if secretErr != nil && !malformed && !missing {
		return State{}, secretErr
	}
	g, exists, err := o.grantOf(ctx, name)
	if err != nil {
		return State{}, err
	}
	if missing && (!exists || g.Status == grant.StatusUnknown) {
		return State{}, apierr.New(apierr.UnknownConnection, "no connection has the name "+name)
	}
	s := stateOf(g, exists, o.Now())
	switch {
	case malformed:
		s.SecretError = errorOf(apierr.Of(secretErr))
	case missing:
		s.SecretError = errorOf(apierr.New(apierr.UnknownConnection, "its secret is missing"))
	default:
		s.GrantType, s.Client = c.GrantType, c.ClientKey()
	}
	s.NeedsSomebody = s.NeedsSomebody || malformed
	s.ParkedSince, err = o.parkedSince(ctx, name)
	return s, err
}

// parked reads the refresh token that is parked; the zero one if none is.
func (o *Service) parked(ctx context.Context, name string) (grant.RefreshToken, error) {
	r, err := o.Parking.Parked(ctx, name)
	if errors.Is(err, grant.ErrNotFound) {
		return grant.RefreshToken{}, nil
	}
	return r, err
}

// parkedSince is when a refresh token was parked; nil if none is.
func (o reader) parkedSince(ctx context.Context, name string) (*time.Time, error) {
	r, err := o.parked(ctx, name)
	if err != nil || r.Token.IsZero() {
		return nil, err
	}
	if r.ParkedAt.IsZero() { // written by hand
		return moment(r.LoggedInAt), nil
	}
	return moment(r.ParkedAt), nil
}

// stateOf is the part of the state that comes from the grant.
func stateOf(g grant.Grant, exists bool, now time.Time) State {
	s := State{
		Connection:       g.Connection,
		RefreshMode:      g.ModeOf(true),
		LoginMode:        g.ModeOf(false),
		Status:           g.Status,
		RefreshExpiresAt: moment(g.RefreshExpiresAt),
		Version:          g.Version,
		Fingerprint:      g.Fingerprint,
		NeedsSomebody:    g.NeedsOperator() || g.Status == grant.StatusInvalidConnection,
	}
	if !exists {
		s.Status = New
		return s
	}
	if g.Valid(now) {
		left := int64(g.ExpiresAt.Sub(now) / time.Second)
		s.ExpiresIn, s.ExpiresAt = &left, moment(g.ExpiresAt)
	}
	if g.Status != grant.StatusPaused && g.Status != grant.StatusUnknown {
		s.NextDueAt = moment(laterOf(g.Due(), now))
	}
	if e := g.LastFailure(now); e != nil {
		s.LastError = errorOf(e)
	}
	if g.Status == grant.StatusFailing || g.Status == grant.StatusTokenLimit {
		s.FailingSince = moment(failingSince(g))
	}
	s.Refusal, s.SecretVersionsADay = refusedOf(g), versionsADay(g)
	s.SecretMissingSince = moment(g.SecretMissingAt)
	if g.PublishTries > 0 {
		s.UnsentEvents = g.Unpublished
	}
	return s
}

// laterOf is at, or now if at is zero: a connection that never had a token is
// due.
func laterOf(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

// moment is a time as it is shown; nil for the zero time.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC().Truncate(time.Second)
	return &at
}

func errorOf(e *apierr.Error) *rotateapi.Error {
	return &rotateapi.Error{Type: e.Type, Message: e.Message}
}
