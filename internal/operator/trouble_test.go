package operator_test

import (
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

func TestTrouble(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	because := func(r operator.Reason) *operator.Refused { return &operator.Refused{Reason: r} }
	is := func(t apierr.Type) *rotateapi.Error { return &rotateapi.Error{Type: t} }
	for name, test := range map[string]struct {
		state operator.State
		want  operator.Trouble
	}{
		"healthy":               {operator.State{Status: grant.StatusOK}, operator.NoTrouble},
		"new":                   {operator.State{Status: operator.New, GrantType: connection.Password}, operator.NoTrouble},
		"never connected":       {operator.State{Status: operator.New, GrantType: connection.AuthorizationCode}, operator.TroublePerson},
		"a person is needed":    {operator.State{Status: grant.StatusReauthorize, NeedsSomebody: true}, operator.TroublePerson},
		"rejected":              {operator.State{Status: grant.StatusCredentialsRejected, NeedsSomebody: true}, operator.TroubleOperator},
		"malformed":             {operator.State{Status: grant.StatusOK, NeedsSomebody: true, SecretError: is(apierr.InvalidConnection)}, operator.TroubleOperator},
		"a refused client":      {operator.State{Status: grant.StatusFailing, FailingSince: ago(0), Refusal: because(operator.ReasonClient)}, operator.TroubleRefused},
		"a refusal that passes": {operator.State{Status: grant.StatusFailing, FailingSince: ago(0), Refusal: because(operator.ReasonThrottled)}, operator.TroublePassing},
		"failing for long":      {operator.State{Status: grant.StatusFailing, FailingSince: ago(15 * time.Minute)}, operator.TroubleFailing},
		"failing":               {operator.State{Status: grant.StatusFailing, FailingSince: ago(15*time.Minute - 1)}, operator.TroublePassing},
		"paused":                {operator.State{Status: grant.StatusPaused, Refusal: because(operator.ReasonClient)}, operator.NoTrouble},
		"parked":                {operator.State{Status: grant.StatusOK, ParkedSince: ago(0)}, operator.TroublePassing},
		"unsent":                {operator.State{Status: grant.StatusOK, UnsentEvents: []string{"Recovered"}}, operator.TroublePassing},
		"a missing secret":      {operator.State{Status: grant.StatusOK, SecretError: is(apierr.UnknownConnection)}, operator.TroublePassing},
		"a sealed secret":       {operator.State{Status: grant.StatusReauthorize, SecretError: is(apierr.StoreUnavailable)}, operator.TroubleUnread},
		"not read":              {operator.State{Status: operator.Unread, Unread: is(apierr.StoreUnavailable)}, operator.TroubleUnread},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.state.Trouble(now)
			passes := []operator.Trouble{operator.NoTrouble, operator.TroublePassing, operator.TroubleUnread}
			if got != test.want || got.NeedsAttention() == slices.Contains(passes, got) {
				t.Errorf("trouble %q, want %q", got, test.want)
			}
		})
	}
}

func TestTroubleFirst(t *testing.T) {
	r := operator.Report{Connections: []operator.State{
		{Connection: "a", Status: grant.StatusOK},
		{Connection: "b", Status: grant.StatusFailing},
		{Connection: "c", Status: grant.StatusReauthorize},
		{Connection: "d", Status: grant.StatusOK},
		{Connection: "e", Status: grant.StatusReauthorize},
	}}
	var got []string
	for _, s := range r.TroubleFirst().Connections {
		got = append(got, s.Connection)
	}
	if want := []string{"c", "e", "b", "a", "d"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if r.Connections[0].Connection != "a" || !r.NeedsAttention() || r.Where(func(s operator.State) bool { return s.Status == grant.StatusOK }).NeedsAttention() {
		t.Error("the report itself was changed, or its filter does not filter")
	}
}
