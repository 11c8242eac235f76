package faultinject

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Result is what came of a case.
type Result struct {
	Case
	// Seen is what the caller of the broken invocation saw, Next what the next
	// invocation did.
	Seen, Next string
	// Requests are the token requests of both.
	Requests int
	// Missed: the operation did not come, in three tries. A machine that is slow
	// adds some to a clean run: a slot of the rate limit is taken again.
	Missed bool
	// Problems are invariants that broke; none is as it should be.
	Problems []string
	// Log is what the functions wrote, if there are problems.
	Log string
}

// Title names a case: "password, login | UpdateItem lease# | killed before".
func (c Case) Title() string {
	return strings.Join([]string{c.Flow.Name, c.Operation.String(), c.Fault.String()}, " | ")
}

// trial is a case under way.
type trial struct {
	*scene
	Result
	clean Clean
	plan  *plan
	// asked are the token requests before, after the broken invocation, and
	// after the next one.
	asked [3]int
	// renewals are those that the broken call of issue has asked for.
	renewals int
	// had and stored are the newest refresh tokens before and after the broken
	// invocation; zero: there is none.
	had, stored reltioauth.Secret
}

// one runs a case.
func (b *Bench) one(ctx context.Context, clean Clean, c Case) (r Result, err error) {
	const tries = 3
	for range tries {
		r, err = b.try(ctx, clean, c)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err == nil && !r.Missed {
			return r, nil
		}
	}
	if err != nil {
		r = Result{Case: c, Problems: []string{"it could not be tried: " + err.Error()}}
	}
	return r, nil
}

func (b *Bench) try(ctx context.Context, clean Clean, c Case) (r Result, err error) {
	const longest = 10 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	s, err := b.open(ctx, c.Flow)
	if err != nil {
		return r, err
	}
	defer s.close()
	t := &trial{scene: s, Result: Result{Case: c}, clean: clean, plan: &plan{
		Operation: c.Operation, Fault: c.Fault, struck: make(chan struct{}), thaw: make(chan struct{}),
	}}
	t.asked[0] = t.scene.asked()
	t.disturb(ctx)
	if t.Missed {
		return t.Result, ctx.Err()
	}
	t.asked[2] = t.scene.asked()
	t.Requests = t.asked[2] - t.asked[0]
	t.judge(ctx)
	if len(t.Problems) > 0 {
		t.Log = t.log.String()
	}
	return t.Result, ctx.Err()
}

// disturb is the broken invocation, and the next one.
func (t *trial) disturb(ctx context.Context) {
	t.had = t.newest(ctx)
	t.wire.count(t.Flow.Function, t.plan)
	acting := make(chan string, 1)
	go func() { acting <- t.Flow.act(ctx, t.scene) }()
	select {
	case <-t.plan.struck:
	case t.Seen = <-acting:
		acting <- t.Seen
		t.Missed = true
		return
	}
	if t.Flow.HasToken {
		t.served(ctx, "I7: while it lasts")
	}
	if t.stops() {
		t.overtake(ctx, acting)
		return
	}
	var beside func()
	if t.lateToken() {
		beside = t.besides(ctx)
	}
	t.Seen = <-acting
	t.rest(ctx)
	if beside != nil {
		beside()
		t.inTime(ctx)
	}
	t.wire.calm()
	t.asked[1], t.renewals = t.scene.asked(), t.wire.asked()
	t.stored = t.newest(ctx)
	if t.Flow.HasToken {
		t.served(ctx, "I7: after it")
	}
	if t.Flow.Function == callback {
		if p := t.stranger(ctx); p != "" {
			t.problem(p)
		}
	}
	t.Next = t.Flow.next(ctx, t.scene)
	t.rest(ctx)
}

// overtake lets another process do the work of a stopped one, past its
// lease; then the stopped one continues, and must change nothing.
func (t *trial) overtake(ctx context.Context, acting <-chan string) {
	if t.Flow.Function == callback {
		t.Next = "another link: done"
		if err := t.person(ctx, &browser{}); err != nil {
			t.Next = "another link: " + err.Error()
		}
	} else {
		past := t.bench.Now().Add(lease.Term + time.Second)
		t.Next = t.Flow.next(ctx, t.scene)
		t.sleep(ctx, past.Sub(t.bench.Now()))
	}
	before, err := t.Table.Grant(ctx, acmeProd, grant.Strong)
	if err != nil {
		t.problem("after the next one: " + err.Error())
	}
	t.asked[1] = t.scene.asked()
	close(t.plan.thaw)
	t.Seen = <-acting
	t.rest(ctx)
	t.wire.calm()
	if t.Flow.Function == callback && (t.beforeLease() || t.seizedAgain(ctx, before)) { // it seizes the lease
		if err := t.goOn(ctx, &t.browser); err != nil {
			t.problem(err.Error())
		}
		return
	}
	t.unmoved(ctx, before)
}

// unmoved checks whether a process that was stopped has changed or sent anything.
func (t *trial) unmoved(ctx context.Context, before grant.Grant) {
	after, err := t.Table.Grant(ctx, acmeProd, grant.Strong)
	if err != nil || before.Epoch != after.Epoch || before.Version != after.Version || !before.AccessToken.Equal(after.AccessToken) {
		t.problem(fmt.Sprintf("I6: the stopped process has changed the grant: epoch %d, then %d; version %d, then %d",
			before.Epoch, after.Epoch, before.Version, after.Version))
	}
	// What had left it before arrives; nothing else is sent.
	late := t.scene.asked() - t.asked[1]
	own := t.Flow.Function == callback || t.Kind == FreezeBefore && t.asks()
	if late > 1 || late == 1 && !own {
		t.problem(fmt.Sprintf("I2: the stopped process has sent %d token requests", late))
	}
}

// beforeLease reports whether the broken operation comes before the lease, or
// takes it. The connection to Reltio is dialled before, and may be seen after it;
// a dial that took too long ended the process's work.
func (t *trial) beforeLease() bool {
	if t.Name == "connect" && t.Nth == 1 {
		return t.Seen != "page 503"
	}
	takes, broken := t.places()
	return broken < takes || broken == takes && t.Kind == FreezeBefore
}

// places are those of the operation that takes the lease and of the broken one.
func (t *trial) places() (takes, broken int) {
	takes = slices.IndexFunc(t.clean.Operations, func(o Operation) bool { return o.Name == "UpdateItem lease#" })
	return takes, slices.Index(t.clean.Operations, t.Operation)
}

// seizedAgain reports whether a process that was stopped as it had taken the lease took
// it once more: it had waited for the response for longer than an attempt may, and the
// SDK made another one. Then its epoch is the highest.
func (t *trial) seizedAgain(ctx context.Context, before grant.Grant) bool {
	takes, broken := t.places()
	if t.Kind != FreezeAfter || broken != takes {
		return false
	}
	after, err := t.Table.Grant(ctx, acmeProd, grant.Strong)
	return err == nil && after.Epoch > before.Epoch
}

func (t *trial) problem(text string) { t.Problems = append(t.Problems, text) }

// served asks issue for the valid token.
func (t *trial) served(ctx context.Context, when string) {
	switch v := t.issue(ctx, ""); {
	case v.ErrorType != "":
		t.problem(when + " callers get " + v.ErrorType)
	case !t.valid(v):
		t.problem(when + " callers get a dead token")
	}
}

func (t *trial) valid(v issued) bool {
	return t.Sandbox.Valid(reltioauth.NewSecret(v.AccessToken))
}

// settled is the caller after the next invocation. A token may have been revoked
// by a request whose response did not arrive; its caller reports it, as Reltio refuses
// it.
func (t *trial) settled(ctx context.Context) {
	if t.stops() && t.waits() {
		t.Next += "; then " + t.renewAgain(ctx) // with the refresh token that came late, and was stored
	}
	if t.waits() {
		t.needsPerson(ctx)
	}
	v := t.issue(ctx, "")
	if v.ErrorType == "" && !t.valid(v) {
		t.Host.Recycle(issue) // what it holds in memory, for 30 s, may have been revoked since
		v = t.issue(ctx, "")
	}
	if v.ErrorType == "" && !t.valid(v) {
		t.Next += "; the token is dead, and reported"
		t.sleep(ctx, grant.CheckEvery+time.Second) // Reltio is not asked about it more often
		v = t.issue(ctx, `,"rejected_fingerprint":"`+v.Fingerprint+`"`)
		if !t.valid(v) && strings.HasSuffix(t.renewAgain(ctx), string(apierr.ReauthorizationRequired)) {
			t.needsPerson(ctx)
			v = t.issue(ctx, "")
		}
	}
	switch {
	case v.ErrorType != "":
		t.problem("I5: afterwards callers get " + v.ErrorType)
	case !t.valid(v):
		t.problem("I1: afterwards callers get a dead token")
	}
}

// waits reports whether the last word was that a person is needed.
func (t *trial) waits() bool {
	return strings.HasSuffix(t.Next, string(apierr.ReauthorizationRequired))
}

// needsPerson checks whether that is so, and brings one.
func (t *trial) needsPerson(ctx context.Context) {
	t.excuse(ctx)
	t.Next += "; a person logs in"
	if err := t.person(ctx, &browser{}); err != nil {
		t.problem("I12: " + err.Error())
	}
	t.Host.Recycle(issue) // as above
}
