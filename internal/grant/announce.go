package grant

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// announceEvery is how often operators are told again that a connection needs a
// person or an operator.
const announceEvery = 24 * time.Hour

// soon are the shares of a refresh token's life before its end at which a
// person is warned, the last one first.
var soon = [...]float64{0.035, 0.10, 0.25} //nolint:gochecknoglobals // a constant table

// NeedsOperator reports whether the grant waits for a person or an operator who
// has to be told; or will wait, because the login that is to replace its
// refresh token is refused while the refresh token still works.
func (g Grant) NeedsOperator() bool {
	switch g.Status {
	case StatusReauthorize, StatusCredentialsRejected, StatusMFARequired:
		return true
	case StatusFailing:
		return g.Relogin != "" && (g.LastError == apierr.CredentialsRejected || g.LastError == apierr.MFARequired)
	default:
		return false
	}
}

// Announced adds the events that the change from before to g requires.
// Attention needed: ReauthorizationRequired or CredentialsRejected, again every
// day. Refresh token ending: ReauthorizationSoon, only where a person
// authorized the connection. Over: Recovered, if there is a token, a refresh
// token from a person's login, or a re-login that succeeded.
func (g Grant) Announced(before Grant, now time.Time, person bool) Grant {
	switch {
	case g.NeedsOperator():
		if before.Status != g.Status || !recently(g.WarnedAt, now, announceEvery) {
			g.WarnedAt = now
			return g.WithEvent(g.needed())
		}
	case before.NeedsOperator() && g.Status == StatusOK &&
		(g.HasToken() || person && g.HasRefreshToken() || g.Relogin == ReloginRevoke):
		g.WarnedAt = time.Time{}
		return g.WithEvent(Recovered)
	case person && g.soonAgain(now):
		g.WarnedAt = now
		return g.WithEvent(ReauthorizationSoon)
	}
	return g
}

// needed is the event of a grant that needs a person or an operator.
func (g Grant) needed() EventType {
	if g.Status == StatusReauthorize {
		return ReauthorizationRequired
	}
	return CredentialsRejected
}

// soonAgain reports whether the refresh token has come so near its end that a
// person has to be warned again.
func (g Grant) soonAgain(now time.Time) bool {
	if !g.HasRefreshToken() || !now.Before(g.RefreshExpiresAt) {
		return false
	}
	life := g.RefreshExpiresAt.Sub(g.LoggedInAt)
	for _, share := range soon {
		if at := g.RefreshExpiresAt.Add(-scale(life, share)); !now.Before(at) {
			return g.WarnedAt.Before(at)
		}
	}
	return false
}

// endsNext is the next moment at which a person who authorized the connection
// is told how near the refresh token's end is, or that it has ended; zero if
// there is none.
func (g Grant) endsNext(now time.Time) time.Time {
	if !g.HasRefreshToken() {
		return time.Time{}
	}
	next := time.Time{}
	life := g.RefreshExpiresAt.Sub(g.LoggedInAt)
	for _, share := range [...]float64{0, soon[0], soon[1], soon[2]} {
		if at := g.RefreshExpiresAt.Add(-scale(life, share)); at.After(now) {
			next = at
		}
	}
	return next
}

// WithEvent adds an event to those that are to be sent. Unsent events that it
// makes untrue are removed: a recovery removes the demand for a person, and the
// other way round.
func (g Grant) WithEvent(t EventType) Grant {
	kept := slices.DeleteFunc(slices.Clone(g.Unpublished), func(u string) bool { return ends(t, EventType(u)) })
	if !slices.Contains(kept, string(t)) {
		kept = append(kept, string(t))
		g.PublishAt, g.PublishTries = time.Time{}, 0
	}
	g.Unpublished = kept
	return g
}

// ends reports whether an event makes another, unsent one untrue.
func ends(t, other EventType) bool {
	switch t {
	case Recovered:
		return other != Recovered && other != ServerRefusing
	case ReauthorizationRequired, CredentialsRejected:
		return other != t && other != ServerRefusing
	case ReauthorizationSoon:
		return other == Recovered
	default:
		return false
	}
}

// StillTrue is the grant without unsent events that are no longer true. If
// their state returns it is announced again.
func (g Grant) StillTrue(now time.Time) Grant {
	g.Unpublished = slices.DeleteFunc(slices.Clone(g.Unpublished), func(t string) bool {
		return !g.stillTrue(EventType(t), now)
	})
	return g
}

func (g Grant) stillTrue(t EventType, now time.Time) bool {
	switch t {
	case ReauthorizationRequired:
		return g.Status == StatusReauthorize
	case CredentialsRejected:
		// A login that is to replace the refresh token stays refused during an outage.
		return g.NeedsOperator() && g.needed() == t || g.Status == StatusFailing && g.Relogin != ""
	case Recovered:
		return !g.NeedsOperator()
	case ReauthorizationSoon:
		g.WarnedAt = time.Time{}
		return g.soonAgain(now)
	default:
		return true
	}
}

// Events are those that were not sent yet and can be now. That a grant has recovered
// waits while it needs somebody for another reason.
func (g Grant) Events() []Event {
	events := make([]Event, 0, len(g.Unpublished))
	for _, t := range g.Unpublished {
		if EventType(t) == Recovered && g.Waiting() {
			continue
		}
		events = append(events, Event{
			Type:             EventType(t),
			Connection:       g.Connection,
			Status:           string(g.Status),
			Error:            g.LastError,
			RefreshExpiresAt: g.RefreshExpiresAt,
		})
	}
	return events
}
