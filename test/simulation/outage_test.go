package simulation

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The mistakes of a client at a host that is down. They are looked for where a host of
// many callers first refuses all users, and then responds with 503.
//
// In which order the connections ask it is not judged: that a sweep comes after a
// caller, a grant that has failed or has a valid token after others, checkToken half
// as often as a login, and how long a renewal waits until it may ask. These are tables of
// internal/renewal (TestPlanAtAHostThatIsDown).
func outages() map[string]mutant {
	return map[string]mutant{
		"a host that is down asked by everybody":       {plain(alwaysProbe), "I2 I3"},
		"a host asked every 5 s for hours":             {plain(oftenForHours), "I2"},
		"a user's last login as a probe":               {plain(lastLoginSent), "I3"},
		"a circuit that closes while the host is down": {plain(closedWhileDown), "I3"},
	}
}

// Each mistake is found in one of two worlds, and nothing is found there without one.
func TestMutantsOfOutages(t *testing.T) {
	t.Parallel()
	all := outages()
	all["none"] = mutant{plain(func(*Ports) {}), ""}
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := throughOutages(t, m, everyKind(60))
			if b == nil {
				b = throughOutages(t, m, everyKind(15)[12:13]) // a user who is never refreshed
			}
			switch {
			case b == nil && m.invariants != "":
				t.Error("not found")
			case b != nil && (m.invariants == "" || !strings.Contains(m.invariants, b.Invariant)):
				t.Errorf("found as %s, want one of %q: %s", b.Invariant, m.invariants, b)
			case b != nil:
				t.Logf("found after %s: %s: %s (%s)", b.After.Round(time.Second), b.Invariant, b.What, b.Connection)
			}
		})
	}
}

// throughOutages is the breach of a fleet with a mistake. A fleet of one is refused one
// login, as its token ends, and has another one left.
func throughOutages(t *testing.T, m mutant, specs []Spec) (b *Breach) {
	t.Helper()
	refuses, down, after := 3*time.Minute, 20*time.Minute, 15*time.Minute
	synctest.Test(t, func(*testing.T) {
		w := New(Config{Seed: 31, Exact: true, Calm: true, Now: time.Now, Mutate: m.plant()})
		w.Populate(specs)
		grown(w)
		fails := func(kind reltioauthtest.FaultKind, lasts time.Duration) (end time.Time) {
			end = w.now().Add(lasts)
			w.Outage(w.hostList[0], reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}, Until: end})
			return end
		}
		if len(specs) == 1 {
			refuses = 10 * time.Second
			w.Until(w.Grant(specs[0].Name).ExpiresAt.Add(2 * time.Second))
			fails(reltioauthtest.FaultInvalidGrant, refuses)
			_, _ = w.Issue(specs[0].Name, issue.Request{})
			refuses = 0
		}
		w.callAll(refuses+down+after, 10*time.Second)
		if refuses > 0 {
			w.Until(fails(reltioauthtest.FaultUserStore, refuses))
		}
		w.Until(fails(reltioauthtest.FaultStatus, down))
		w.Until(w.now().Add(after))
		w.Rest()
		b = w.Breach()
	})
	return b
}

// probes changes who may ask a host in trouble.
type probes struct {
	ratelimit.Store
	mine bool
}

func (b probes) Probe(context.Context, string, time.Time, time.Duration) (bool, error) {
	return b.mine, nil
}

// Budget is the record without the moment of the last probe, which the plan reads.
func (b probes) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	r, err := b.Store.Budget(ctx, host)
	r.ProbedAt = time.Time{}
	return r, err
}

func alwaysProbe(p *Ports) { p.RateLimits = probes{p.RateLimits, true} }
func neverProbe(p *Ports)  { p.RateLimits = probes{p.RateLimits, false} }

// hostRecords changes what is read of hosts and written about them.
type hostRecords struct {
	ratelimit.Store
	read     func(ratelimit.Record) ratelimit.Record
	answered func(context.Context, string) error
}

func (h *hostRecords) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	r, err := h.Store.Budget(ctx, host)
	if h.read != nil {
		r = h.read(r)
	}
	return r, err
}

func (h *hostRecords) Answered(ctx context.Context, host string) error {
	if h.answered != nil {
		return h.answered(ctx, host)
	}
	return h.Store.Answered(ctx, host)
}

// oftenForHours: the pace does not slow down after ten minutes.
func oftenForHours(p *Ports) {
	now := p.Now
	p.RateLimits = &hostRecords{Store: p.RateLimits, read: func(r ratelimit.Record) ratelimit.Record {
		if at := now(); r.Down() && at.Sub(r.DownSince) > time.Minute {
			r.DownSince = at.Add(-time.Minute)
		}
		return r
	}}
}

// closedWhileDown: what a host refuses does not count while it is down.
func closedWhileDown(p *Ports) {
	p.RateLimits = &hostRecords{Store: p.RateLimits, read: func(r ratelimit.Record) ratelimit.Record {
		if r.Down() {
			r.Refused = nil
		}
		return r
	}}
}

// neverUp: a response is not written down.
func neverUp(p *Ports) {
	p.RateLimits = &hostRecords{Store: p.RateLimits, answered: func(context.Context, string) error { return nil }}
}

// lastLoginSent: a user's last login is like the one before it.
func lastLoginSent(p *Ports) {
	p.Lockouts = &loginStore{Store: p.Lockouts, count: func(t lockout.Try) lockout.Try {
		t.Spare = 0
		return t
	}}
}
