package faultinject

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// round is an outage under way.
type round struct {
	*scene
	OutageResult
	trouble *trouble
	// written is how much log there was before.
	written int
	// ends is when the token ends that was there before; zero: not soon.
	ends time.Time
}

// outage lets one strike, and looks what came of it.
func (s *scene) outage(ctx context.Context, o Outage) OutageResult {
	const longest = 10 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	r := &round{scene: s, OutageResult: OutageResult{Outage: o}, trouble: o.trouble(), written: len(s.log.String())}
	if err := r.prepare(ctx); err != nil {
		r.problem("it could not be tried: " + err.Error())
		return r.OutageResult
	}
	switch {
	case o.Length.long():
		r.last(ctx)
	case o.Length.frozen() > 0:
		r.wake(ctx)
	default:
		r.pass(ctx)
	}
	r.judge(ctx)
	if len(r.Problems) > 0 {
		r.Log = s.log.String()[r.written:]
	}
	return r.OutageResult
}

// then stands between what callers saw, each thing once.
const then = "; then "

func (r *round) problem(text string) { r.Problems = append(r.Problems, text) }

func (r *round) prepare(ctx context.Context) error {
	const life, tries = 30 * time.Second, 3
	if r.beginsLater() {
		return nil
	}
	var err error
	for range tries { // the machine may be slow
		if err = r.begin(ctx, r.Walk); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if r.Length != ForGood || !r.Walk.HasToken {
		return nil
	}
	r.ends = r.bench.Now().Add(life)
	r.Host.Recycle(issue)
	return r.withLife(ctx, life)
}

// strike lets the trouble begin.
func (r *round) strike() {
	all := []*trouble{r.trouble}
	if r.Walk.beside != nil {
		all = append(all, r.Walk.beside())
	}
	r.wire.trouble(all...)
}

// acts calls once more, and says what came of it if that is something new.
func (r *round) acts(ctx context.Context) {
	r.see(r.Walk.act(ctx, r.scene))
	r.callers(ctx)
}

func (r *round) see(seen string) {
	if parts := strings.Split(r.Seen, then); r.Seen == "" {
		r.Seen = seen
	} else if !slices.Contains(parts, seen) {
		r.Seen += then + seen
	}
}

// callers get the valid token, whatever happens; once it has ended, what there
// is.
func (r *round) callers(ctx context.Context) {
	if !r.Walk.HasToken {
		return
	}
	v := r.issue(ctx, "")
	// It may have ended while the call was under way.
	ended := !r.ends.IsZero() && r.bench.Now().After(r.ends.Add(-2*time.Second))
	switch {
	case ended, r.believed():
		r.see("callers: " + v.String())
	case v.ErrorType != "" || !r.Sandbox.Valid(reltioauth.NewSecret(v.AccessToken)):
		r.problem("I7: while it lasts callers get " + v.String())
	}
}

// believed reports whether a secret is missing for so long that its absence is
// believed: it was looked for twice, a minute apart.
func (r *round) believed() bool {
	return r.Length.long() && r.Class == Missing && strings.HasPrefix(r.Name, "GetSecretValue ") && r.Walk.Function == rotate
}

// pass is a short outage: who calls, calls again until it is over; then comes
// the next call.
func (r *round) pass(ctx context.Context) {
	r.strike()
	r.acts(ctx)
	for left := r.trouble.left(r.bench.Now()); left > 0 && ctx.Err() == nil; left = r.trouble.left(r.bench.Now()) {
		r.sleep(ctx, min(left, time.Second))
		r.acts(ctx)
	}
	r.over(ctx)
	r.Next = r.Walk.next(ctx, r.scene)
	r.rest(ctx)
}

// over takes the trouble away.
func (r *round) over(ctx context.Context) {
	r.rest(ctx)
	r.wire.trouble()
	r.Missed = !r.trouble.struck()
}

// last is a long outage: callers call all the while, which where there is a
// token is an operator's force at first, and then who asks for the token. Once it
// is over all is well again by itself; then an operator forces a renewal.
func (r *round) last(ctx context.Context) {
	const often, limit = 4 * time.Second, 4 * time.Minute
	r.strike()
	r.acts(ctx)
	for until := r.bench.Now().Add(r.Length.lasts()); r.bench.Now().Before(until) && ctx.Err() == nil; r.sleep(ctx, often) {
		if r.Walk.HasToken {
			r.callers(ctx)
		} else {
			r.acts(ctx)
		}
	}
	if r.Walk.HasToken && r.Length == Minute {
		r.acts(ctx)
	}
	r.over(ctx)
	over := r.bench.Now()
	if r.believed() && strings.HasSuffix(r.Name, " grants/") {
		_ = r.rotate(ctx) // else it is looked for hourly
	}
	for !r.Walk.recovers(ctx, r.scene) {
		if r.bench.Now().Sub(over) > limit || ctx.Err() != nil {
			r.problem("it does not recover by itself")
			break
		}
		r.sleep(ctx, time.Second)
	}
	r.Next = "by itself " + within(r.bench.Now().Sub(over))
	if r.Walk.Function == rotate && !r.Walk.Waits {
		r.Next += "; " + r.renewAgain(ctx)
	}
	r.rest(ctx)
	r.said()
}

// within says about how long something took.
func within(d time.Duration) string {
	for _, limit := range []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute} {
		if d < limit {
			return fmt.Sprintf("within %.0f s", limit.Seconds())
		}
	}
	return "later"
}

// said checks whether the log names the code of a refusal, which only an operator
// ends. What is missing is said in words.
func (r *round) said() {
	if r.Kind != Answer || r.Class != Refused {
		return
	}
	if !strings.Contains(r.log.String()[r.written:], r.Code) {
		r.problem("no log names the code")
	}
}

// judge checks whether all is well, and no person or operator was needed.
func (r *round) judge(ctx context.Context) {
	r.noneNeeded()
	if r.Walk.Waits {
		if r.wire.toldOf(r.name) == 0 && r.Length.long() {
			r.problem("I12: nobody is told that a person is needed")
		}
		return
	}
	v := r.issue(ctx, "")
	if v.ErrorType == "" && !r.Sandbox.Valid(reltioauth.NewSecret(v.AccessToken)) {
		r.Host.Recycle(issue) // what it holds in memory, for 30 s, may have been replaced
		v = r.issue(ctx, "")
	}
	if v.ErrorType != "" || !r.Sandbox.Valid(reltioauth.NewSecret(v.AccessToken)) {
		r.problem("I1: afterwards callers get " + v.String())
	}
	g, err := r.Table.Grant(ctx, r.name, grant.Strong)
	if err != nil || g.Status != grant.StatusOK {
		r.problem(fmt.Sprintf("afterwards the status is %q", g.Status))
	}
	if r.wire.leaked(r.log.String()[r.written:]) || r.wire.leaked(r.scene.written.String()) {
		r.problem("I11: a secret in a log or an answer")
	}
	r.refreshes()
}

// noneNeeded checks whether a person was needed, or an operator who
// resumes; and whether the first call afterwards failed.
func (r *round) noneNeeded() {
	story := r.Seen + "; " + r.Next
	if !r.Walk.Waits && !r.believed() && strings.Contains(story, string(apierr.ReauthorizationRequired)) {
		r.problem("I5: a person is asked for")
	}
	if strings.Contains(story, "an operator resumes") || strings.Contains(story, string(apierr.CredentialsRejected)) {
		r.problem("I3: an operator is needed")
	}
	for _, bad := range []string{"failed", "given up", errNotArrived.Error(), "not renewed"} {
		if strings.Contains(r.Next, bad) {
			r.problem("the call afterwards: " + bad)
		}
	}
}

// refreshes checks whether the last token request used the refresh token that is
// stored, and was answered.
func (r *round) refreshes() {
	if r.Walk.Newcomers || r.Walk.Function != rotate || r.Walk.GrantType == "client_credentials" {
		return
	}
	requests := r.Sandbox.Requests()
	for i := len(requests) - 1; i >= 0; i-- {
		if q := requests[i]; q.Op == reltioauthtest.OpToken {
			if q.GrantType != "refresh_token" || q.Outcome != reltioauthtest.OutcomeOK {
				r.problem(fmt.Sprintf("I5: the refresh token is lost: %s, %s", q.GrantType, q.Outcome))
			}
			return
		}
	}
}
