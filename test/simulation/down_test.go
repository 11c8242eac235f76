package simulation

import (
	"os"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// outageFleet is how many connections share the host that is down: a thousand in the
// long runs.
func outageFleet() int {
	if os.Getenv("SIM_LONG") != "" {
		return 1000
	}
	return 200
}

// A host of many connections of every kind is down for a while, and is asked
// once in 5 s, in 15 s after ten minutes, by all of them together. Once it responds
// the first token comes within that time, and all have one as soon as the rate
// limit allows. No connection needs an operator.
func TestFleetAtAHostThatIsDown(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("-short or -race: it takes a minute and runs in make sim")
	}
	for name, lasts := range map[string]time.Duration{
		"10 s": 10 * time.Second, "1 min": time.Minute, "15 min": 15 * time.Minute, "6 h": 6 * time.Hour,
	} {
		if lasts > time.Hour && os.Getenv("SIM_LONG") == "" {
			lasts, name = time.Hour, "1 h"
		}
		for how, kind := range map[string]reltioauthtest.FaultKind{"503": reltioauthtest.FaultStatus, "refused": reltioauthtest.FaultUnreachable} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				scenario(t, Config{Seed: 17, Exact: true}, everyKind(outageFleet()), func(t *testing.T, w *World) {
					var asked []time.Time
					server := w.hostList[0].server
					grown(w)
					began := w.now()
					w.onToken = func(r reltioauthtest.Request) { asked = append(asked, r.At) }
					w.callAll(lasts+5*time.Minute, max(10*time.Second, lasts/30))
					w.Outage(w.hostList[0], reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}, Until: began.Add(lasts)})
					w.Until(began.Add(lasts))
					ended := w.now()
					most := mostIn(asked, began.Add(time.Second), ended, time.Minute)
					asked = nil
					// The backlog at the rate limit, the last probe and a tick.
					allowed := time.Duration(outageFleet())*ratelimit.Interval(ratelimit.MaxPerSecond) + ratelimit.LongDownProbeEvery + 2*tickEvery
					var first, last time.Duration
					for w.now().Sub(ended) < allowed+time.Minute && w.Breach() == nil {
						w.Until(w.now().Add(2 * time.Second))
						if first == 0 && len(asked) > 0 {
							first = asked[0].Sub(ended)
						}
						if len(unwell(w)) > 0 {
							last = w.now().Sub(ended)
						}
					}
					t.Logf("down for %s (%s): at most %d requests in a minute, the next %s after the end, the last connection well %s after it; at most %d requests in a second",
						name, how, most, first.Round(time.Millisecond), last, w.Figures().Window)
					if kind == reltioauthtest.FaultStatus && most > 13 {
						t.Errorf("%d requests in a minute", most)
					}
					if late := unwell(w); len(late) > 0 {
						t.Errorf("not well: %v\n%s", late, describe(w.Grant(late[0])))
					}
					if refused := server.RefusedLogins("", time.Time{}, time.Time{}); refused > 0 {
						t.Errorf("%d logins refused", refused)
					}
				})
			})
		}
	}
}

// slowFleet is how many connections share the host that is slow, and for how long it is:
// a thousand for an hour in the long runs.
func slowFleet() (connections int, lasts time.Duration) {
	if os.Getenv("SIM_LONG") != "" {
		return 1000, time.Hour
	}
	return 60, 15 * time.Minute
}

// Every response takes 9 or 20 s for a while: no refresh token is lost, and every
// connection has its next token within a sweep's and a slow request's time.
func TestSlowResponses(t *testing.T) {
	t.Parallel()
	connections, lasts := slowFleet()
	for name, slow := range map[string]time.Duration{"9 s": 9 * time.Second, "20 s": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var from, until time.Time
			script := func(o Operation) (f Fault) {
				if now := o.By.w.now(); o.Op == OpToken && now.After(from) && now.Before(until) {
					f = Fault{Kind: Hold, For: slow}
				}
				return f
			}
			scenario(t, Config{Seed: 19, Exact: true, Script: script}, everyKind(connections), func(t *testing.T, w *World) {
				grown(w)
				w.callAll(lasts+2*time.Minute, max(10*time.Second, lasts/90))
				before := w.Figures().Requests
				from, until = w.now(), w.now().Add(lasts)
				for w.now().Before(until.Add(3*time.Minute)) && w.Breach() == nil {
					w.Until(w.now().Add(10 * time.Second))
					for _, name := range unwell(w) {
						t.Fatalf("%s is not well: %s\n%s", name, describe(w.Grant(name)), w.Story(name))
					}
				}
				t.Logf("every response to %d connections took %s for %s: %d token requests, none without a token for two ticks", connections, slow, lasts, w.Figures().Requests-before)
			})
		})
	}
}

// grown lets a fleet get its tokens at different times, persons included: they come
// one after the other, and leave most of the rate limit to others.
func grown(w *World) {
	w.Tick()
	w.Born(20 * time.Minute)
	w.Until(w.now().Add(25 * time.Minute))
	for _, c := range w.connList {
		if c.Type == connection.AuthorizationCode {
			w.authorize(c)
			w.Until(w.now().Add(time.Second / 2))
		}
	}
	w.Until(w.now().Add(2 * time.Hour))
}

// callAll lets every connection have a caller again and again.
func (w *World) callAll(d, every time.Duration) {
	until := w.now().Add(d)
	for _, c := range w.connList {
		w.running.Go(func() {
			ch := w.draw("call", c.name)
			for {
				w.sleep(ch.between(every/2, every*3/2))
				if !w.now().Before(until) { // soon there are no ticks any more
					return
				}
				_, _ = w.Issue(c.name, issue.Request{})
			}
		})
	}
}

// mostIn is the most of the moments between two others that lie in one window.
func mostIn(at []time.Time, from, to time.Time, window time.Duration) (most int) {
	var open []time.Time
	for _, t := range at {
		if t.Before(from) || !t.Before(to) {
			continue
		}
		for len(open) > 0 && t.Sub(open[0]) >= window {
			open = open[1:]
		}
		open = append(open, t)
		most = max(most, len(open))
	}
	return most
}
