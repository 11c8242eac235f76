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
	// Readers is how many connections are read at a time: 25,000 within a minute
	// over a network that takes 40 ms a call. AWS allows thousands of calls a
	// second.
	Readers = 100
	// indexPage is how many index entries are read at a time.
	indexPage = 500
	// farAhead is later than every due time.
	farAhead = 10 * 365 * 24 * time.Hour
)

// New is the status of a connection that has a secret and no grant, because no
// caller has asked for it.
const New grant.Status = "new"

// Unread is the status of a connection whose grant was not read.
const Unread grant.Status = "unread"

// Report is the health of connections at a moment.
type Report struct {
	At          time.Time `json:"at"`
	Connections []State   `json:"connections"`
}

// NeedsSomebody reports whether any connection needs an operator or a person.
func (r Report) NeedsSomebody() bool {
	return slices.ContainsFunc(r.Connections, func(s State) bool { return s.NeedsSomebody })
}

// NotRead reports whether anything of any connection could not be read.
func (r Report) NotRead() bool { return slices.ContainsFunc(r.Connections, State.NotRead) }

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
	// Unread is why the grant, or whether a refresh token is parked, was not read;
	// null if all was read. Without a grant most of the rest is unknown.
	Unread *rotateapi.Error `json:"unread"`
	// NotLookedAt says that it was not read because no time was left.
	NotLookedAt bool `json:"not_looked_at"`
	// NeedsSomebody says that the connection does not recover by itself: a person
	// must log in, or an operator must write another secret.
	NeedsSomebody bool `json:"needs_somebody"`
}

// NotRead reports whether the grant, the parked refresh token or the secret could
// not be read. A malformed or missing secret was read.
func (s State) NotRead() bool {
	return s.Unread != nil || s.SecretError != nil && s.SecretError.Type == apierr.StoreUnavailable
}

// Status returns the health of the named connections, in that order. Without
// names it returns that of all connections that have a secret or are to be
// renewed, sorted. A connection of which something cannot be read has its row
// too, with the error. If that is so of all of them, it is the error.
func (o *Service) Status(ctx context.Context, names ...string) (Report, error) {
	survey, err := reader{o}.survey(ctx, names, reader.seeState)
	return survey.Report(), err
}

// Names returns the names of all connections that have a secret or are to be renewed,
// sorted.
func (o *Service) Names(ctx context.Context) ([]string, error) { return reader{o}.names(ctx) }

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
