package operator

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Survey is all that Status and Check say of all connections, at a moment.
type Survey struct {
	At          time.Time  `json:"at"`
	Connections []Surveyed `json:"connections"`
}

// Surveyed is one connection of a Survey.
type Surveyed struct {
	State State `json:"state"`
	// Checked is nil if not everything that a check needs was read.
	Checked *Checked `json:"checked"`
}

// Report is the part that Status returns.
func (s Survey) Report() Report {
	r := Report{At: s.At, Connections: make([]State, len(s.Connections))}
	for i, c := range s.Connections {
		r.Connections[i] = c.State
	}
	return r
}

// Survey reads all connections, and each item once.
func (o *Service) Survey(ctx context.Context) (Survey, error) {
	return reader{o}.survey(ctx, nil, reader.seeAll)
}

// survey reads the named connections, or all, several at a time.
func (o reader) survey(ctx context.Context, names []string, see func(reader, context.Context, string) (Surveyed, error)) (Survey, error) {
	all := len(names) == 0
	for _, name := range names {
		if err := named(name); err != nil {
			return Survey{}, err
		}
	}
	if all {
		var err error
		if names, err = o.names(ctx); err != nil {
			return Survey{}, err
		}
	}
	s := Survey{At: o.Now().UTC().Truncate(time.Second), Connections: make([]Surveyed, len(names))}
	faults := make([]error, len(names))
	o.eachNamed(len(names), func(i int) { s.Connections[i], faults[i] = see(o, ctx, names[i]) })
	return s.complete(names, faults, all)
}

// eachNamed is each, and tells Progress.
func (o reader) eachNamed(n int, do func(i int)) {
	if o.Progress == nil {
		each(n, do)
		return
	}
	done := make(chan struct{}, Readers)
	told := make(chan struct{})
	go func() {
		defer close(told)
		count := 0
		for range done {
			count++
			o.Progress(count, n)
		}
	}()
	each(n, func(i int) {
		do(i)
		done <- struct{}{}
	})
	close(done)
	<-told
}

// complete is the survey with a row for each connection. One that was deleted since
// it was listed is left out; if the caller named it, that is an error.
func (s Survey) complete(names []string, faults []error, all bool) (Survey, error) {
	rows := s.Connections[:0]
	unread, first := 0, error(nil)
	for i, err := range faults {
		row := s.Connections[i]
		switch f := apierr.Of(err); {
		case err == nil:
		case f.Type == apierr.UnknownConnection && all:
			continue
		case f.Type == apierr.UnknownConnection:
			return Survey{}, err
		default:
			row.State.Connection = names[i]
		}
		if row.State.NotRead() {
			unread++
			if first == nil {
				first = err
			}
		}
		rows = append(rows, row)
	}
	if unread > 0 && unread == len(rows) {
		return Survey{}, first
	}
	s.Connections = rows
	return s, nil
}

// seen is what is read of one connection.
type seen struct {
	name string
	// c is nil if the secret cannot be used, for the reason in secretErr.
	c         *connection.Connection
	secretErr error
	g         grant.Grant
	exists    bool
	// grantErr is why the grant or what is parked could not be read.
	grantErr    error
	parkedSince *time.Time
}

func (s seen) malformed() bool {
	return s.secretErr != nil && apierr.Of(s.secretErr).Type == apierr.InvalidConnection
}

func (s seen) missing() bool { return errors.Is(s.secretErr, connection.ErrNotFound) }

// see reads a connection. It fails with UnknownConnection if there is no secret
// and no grant, or only the grant of a deleted connection.
func (o reader) see(ctx context.Context, name string) (seen, error) {
	s := seen{name: name}
	if ctx.Err() != nil {
		s.secretErr = errNotLookedAt
		s.grantErr = errNotLookedAt
		return s, nil
	}
	s.c, s.secretErr = o.parsed(ctx, name)
	if s.g, s.exists, s.grantErr = o.grantOf(ctx, name); s.grantErr == nil {
		if s.missing() && (!s.exists || s.g.Status == grant.StatusUnknown) {
			return s, apierr.New(apierr.UnknownConnection, "no connection has the name "+name)
		}
		s.parkedSince, s.grantErr = o.parkedSince(ctx, name)
	}
	if ctx.Err() != nil { // what was cut off was not looked at
		s.secretErr, s.grantErr = lookedAt(s.secretErr), lookedAt(s.grantErr)
	}
	return s, nil
}

// errNotLookedAt says that the time was over before the connection was reached.
var errNotLookedAt = apierr.New(apierr.StoreUnavailable, "not looked at: no time was left")

// lookedAt is the error of a read, or errNotLookedAt for one that had no time.
func lookedAt(err error) error {
	if err == nil || apierr.Of(err).Type != apierr.StoreUnavailable {
		return err
	}
	return errNotLookedAt
}

// seeState sees a connection as Status shows it.
func (o reader) seeState(ctx context.Context, name string) (Surveyed, error) {
	s, err := o.see(ctx, name)
	return o.surveyed(s), s.fault(err)
}

// fault is the error of a connection that was seen: of seeing it, of its grant, or
// of its secret if that could not be read.
func (s seen) fault(err error) error {
	switch {
	case err != nil:
		return err
	case s.grantErr != nil:
		return s.grantErr
	case s.secretErr != nil && !s.missing() && !s.malformed():
		return s.secretErr
	}
	return nil
}

// seeAll sees a connection as Status and Check show it.
func (o reader) seeAll(ctx context.Context, name string) (Surveyed, error) {
	s, err := o.see(ctx, name)
	row := o.surveyed(s)
	if err = s.fault(err); err != nil || s.missing() {
		return row, err
	}
	checked, err := o.checked(ctx, s)
	if err == nil {
		row.Checked = &checked
	} else {
		row.State.Unread = errorOf(apierr.Of(err))
	}
	return row, err
}

func (o reader) surveyed(s seen) Surveyed { return Surveyed{State: o.state(s)} }

// state is what Status shows of a connection that was seen.
func (o reader) state(s seen) State {
	state := State{Connection: s.name, Status: Unread}
	if s.g.Connection != "" {
		state = stateOf(s.g, s.exists, o.Now())
	}
	state.NotLookedAt = errors.Is(s.fault(nil), errNotLookedAt)
	if s.grantErr != nil {
		state.Unread = errorOf(apierr.Of(s.grantErr))
	}
	switch {
	case s.missing():
		state.SecretError = errorOf(apierr.New(apierr.UnknownConnection, "its secret is missing"))
	case s.secretErr != nil:
		state.SecretError = errorOf(apierr.Of(s.secretErr))
	case s.c != nil:
		state.GrantType, state.Client = s.c.GrantType, s.c.ClientKey()
	}
	state.NeedsSomebody = state.NeedsSomebody || s.malformed()
	state.ParkedSince = s.parkedSince
	return state
}

// checked is what Check says of a connection that was seen, and whose secret was
// read.
func (o reader) checked(ctx context.Context, s seen) (Checked, error) {
	checked := Checked{Connection: s.name, Problems: []string{}}
	if s.malformed() {
		checked.Problems = strings.Split(apierr.Of(s.secretErr).Message, "; ")
		return checked, nil
	}
	checked.GrantType, checked.Host, checked.ParkedSince = s.c.GrantType, s.c.Host(), s.parkedSince
	if s.c.HasUser() {
		if err := o.claim(ctx, s.c, &checked); err != nil {
			return checked, err
		}
	}
	if s.exists {
		checked.Server = server(s.g, s.c.Version)
	}
	checked.OK = len(checked.Problems) == 0 && checked.Server == nil
	return checked, nil
}
