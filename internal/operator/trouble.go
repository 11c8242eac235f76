package operator

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Trouble is what is wrong with a connection, in one word.
type Trouble string

// The troubles, the worst first. All but the last two need attention: they do not
// pass by themselves.
const (
	// TroublePerson: a person must log in.
	TroublePerson Trouble = "person"
	// TroubleOperator: an operator must write another secret.
	TroubleOperator Trouble = "operator"
	// TroubleRefused: the server refuses the secret as it is, for a reason that does
	// not pass by itself; there may be a valid token still.
	TroubleRefused Trouble = "refused"
	// TroubleFailing: it has been failing for long.
	TroubleFailing Trouble = "failing"
	// TroubleUnread: something of it could not be read.
	TroubleUnread Trouble = "unread"
	// TroublePassing: it fails at the moment, or something of it could not be stored
	// or sent.
	TroublePassing Trouble = "passing"
	// NoTrouble: it works, is paused, or was not used yet.
	NoTrouble Trouble = ""
)

// troubles are all of them, the worst first.
func troubles() []Trouble {
	return []Trouble{TroublePerson, TroubleOperator, TroubleRefused, TroubleFailing, TroubleUnread, TroublePassing, NoTrouble}
}

// NeedsAttention reports whether the trouble does not pass by itself.
func (t Trouble) NeedsAttention() bool {
	return slices.Contains([]Trouble{TroublePerson, TroubleOperator, TroubleRefused, TroubleFailing}, t)
}

// Trouble is what is wrong with the connection at a moment.
func (s State) Trouble(at time.Time) Trouble {
	failing := s.Status == grant.StatusFailing || s.Status == grant.StatusTokenLimit
	switch {
	case s.NotRead():
		return TroubleUnread
	case s.Status == grant.StatusReauthorize, s.Status == New && s.GrantType == connection.AuthorizationCode:
		return TroublePerson
	case s.NeedsSomebody:
		return TroubleOperator
	case s.Status == grant.StatusPaused:
		return NoTrouble
	case s.Refusal != nil && s.Refusal.Reason.Lasts():
		return TroubleRefused
	case s.FailingForLong(at):
		return TroubleFailing
	case failing, s.SecretError != nil, s.ParkedSince != nil, len(s.UnsentEvents) > 0:
		return TroublePassing
	}
	return NoTrouble
}

// NeedsAttention reports whether any connection has a trouble that does not pass by
// itself.
func (r Report) NeedsAttention() bool {
	return slices.ContainsFunc(r.Connections, func(s State) bool { return s.Trouble(r.At).NeedsAttention() })
}

// TroubleFirst is the report with the worst troubles first, each kind by name.
func (r Report) TroubleFirst() Report {
	order := troubles()
	states := slices.Clone(r.Connections)
	slices.SortStableFunc(states, func(a, b State) int {
		return slices.Index(order, a.Trouble(r.At)) - slices.Index(order, b.Trouble(r.At))
	})
	r.Connections = states
	return r
}

// Where is the report of the connections for which keep is true.
func (r Report) Where(keep func(State) bool) Report {
	states := []State{}
	for _, s := range r.Connections {
		if keep(s) {
			states = append(states, s)
		}
	}
	r.Connections = states
	return r
}
