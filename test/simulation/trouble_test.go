package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// everyKind are n connections of every kind on one host: each grant type, with
// and without refresh tokens that stay, that rotate, or that there are none of;
// with checkToken denied; with tokens of twenty minutes and of an hour.
func everyKind(n int) []Spec {
	types := []connection.GrantType{connection.Password, connection.AuthorizationCode, connection.ClientCredentials}
	behaviours := []reltioauthtest.Behaviour{
		reltioauthtest.Framework(),
		{RefreshTokens: reltioauthtest.Rotate, RestartClock: true},
		{CheckDenied: true, ServerErrorAtRefresh: true},
		{NoEntryPoint: true, DressRefusals: reltioauthtest.DressGzip, DressTokens: reltioauthtest.DressHTMLLabel},
		{OmitRefreshToken: true},
	}
	specs := make([]Spec, n)
	for i := range specs {
		specs[i] = Spec{
			Name: fmt.Sprintf("c%03d", i), Type: types[i%3], Behaviour: behaviours[i/3%len(behaviours)],
			TTL: []time.Duration{20 * time.Minute, time.Hour}[i/15%2],
		}
		if specs[i].Type == connection.AuthorizationCode {
			specs[i].Behaviour.OmitRefreshToken = false // a person would be needed each time
		}
	}
	return specs
}

// seen is what a fleet came to through trouble of its server.
type seen struct {
	refused, unclear int           // the most that any user had
	requests         int           // while it lasted
	announced        int           // events that call a person or an operator
	worst            time.Duration // from its end until the last one was well
	late             []string      // who is not well in the end
}

// through runs a fleet through trouble, and for as long afterwards as its recovery
// may take.
func through(t *testing.T, w *World, kind reltioauthtest.FaultKind, lasts, allowed time.Duration) (s seen) {
	t.Helper()
	w.Tick()
	w.Born(20 * time.Minute)
	w.Until(w.now().Add(25 * time.Minute))
	for _, c := range w.connList {
		if c.Type == connection.AuthorizationCode {
			w.authorize(c)
		}
	}
	w.randomly(float64(len(w.connList))*48, w.callAtRandom)
	w.Until(w.now().Add(2 * time.Hour))
	server, events := w.hostList[0].server, w.Figures().Calling
	if c := w.connList[0]; len(w.connList) == 1 { // its token ends as the trouble begins
		w.Until(w.Grant(c.name).ExpiresAt)
	}
	began := w.now()
	before := server.TokenRequests(time.Time{}, time.Time{})
	w.Outage(w.hostList[0], reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}, Until: began.Add(lasts)})
	w.Until(began.Add(lasts))
	s.requests = server.TokenRequests(time.Time{}, time.Time{}) - before
	for end := w.now(); w.now().Sub(end) < allowed && w.Breach() == nil; {
		w.Until(w.now().Add(10 * time.Second))
		if s.late = unwell(w); len(s.late) > 0 {
			s.worst = w.now().Sub(end)
		}
	}
	for _, c := range w.connList {
		s.refused = max(s.refused, server.RefusedLogins(c.user, time.Time{}, time.Time{}))
		s.unclear = max(s.unclear, server.UnclearLogins(c.user, time.Time{}, time.Time{}))
	}
	s.announced = w.Figures().Calling - events
	return s
}

// unwell are those who have had no token for longer than its renewal takes, or
// wait for a person or an operator.
func unwell(w *World) (names []string) {
	for _, c := range w.connList {
		g, now := w.Grant(c.name), w.now()
		if g.Waiting() || !g.Valid(now) && now.Sub(g.ExpiresAt) > 2*tickEvery || g.Status == grant.StatusFailing && !g.Valid(now) {
			names = append(names, c.name)
		}
	}
	return names
}

// A server, or what stands before it, is in trouble for a while, and refuses
// everyone in words that are not about their credentials. No user has more than two logins
// refused with 400 and four unclear ones, and no connection needs an operator: all are
// well within ten minutes of the end, or of more than ten minutes within an hour.
// So it is in a fleet of every kind on one host, and for each kind alone.
func TestTroubleOfTheServer(t *testing.T) {
	t.Parallel()
	fleets := map[string][]Spec{
		"a fleet":                   everyKind(300),
		"a client alone":            {everyKind(15)[2]},
		"a user alone":              {everyKind(15)[0]},
		"a user alone, rotating":    {everyKind(15)[3]},
		"a user alone, not renewed": {everyKind(15)[12]},
		"a person alone":            {everyKind(15)[1]},
	}
	for name, trouble := range map[string]struct {
		kind  reltioauthtest.FaultKind
		lasts time.Duration
	}{
		"user store, a minute":     {reltioauthtest.FaultUserStore, time.Minute},
		"user store, ten minutes":  {reltioauthtest.FaultUserStore, 10 * time.Minute},
		"user store, an hour":      {reltioauthtest.FaultUserStore, time.Hour},
		"client store, a minute":   {reltioauthtest.FaultClientStore, time.Minute},
		"client store, an hour":    {reltioauthtest.FaultClientStore, time.Hour},
		"a firewall, half an hour": {reltioauthtest.FaultFirewall, 30 * time.Minute},
	} {
		allowed := soonAfter + 2*tickEvery
		if trouble.lasts > shortTrouble {
			allowed = laterAfter + 2*tickEvery
		}
		for fleet, specs := range fleets {
			t.Run(name+"/"+fleet, func(t *testing.T) {
				t.Parallel()
				if testing.Short() && fleet == "a fleet" {
					t.Skip("long")
				}
				scenario(t, Config{Seed: 13}, specs, func(t *testing.T, w *World) {
					s := through(t, w, trouble.kind, trouble.lasts, allowed)
					t.Logf("%s, %s (%d): at most %d logins refused with 400 and %d unclear for a user; %d token requests meanwhile, %d events that call somebody, all well %s after the end",
						name, fleet, len(specs), s.refused, s.unclear, s.requests, s.announced, s.worst)
					if s.refused > mostRefused || s.unclear > mostUnclear {
						t.Errorf("a user has had %d logins refused with 400 and %d unclear ones", s.refused, s.unclear)
					}
					if len(s.late) > 0 {
						t.Errorf("not well %s after the end: %v\n%s\n%s", allowed, s.late, describe(w.Grant(s.late[0])), w.Story(s.late[0]))
					}
				})
			})
		}
	}
}
