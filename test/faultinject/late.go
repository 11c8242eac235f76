package faultinject

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	issuing "github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	// exchangeTimeout is how long callback waits for the response to a code.
	exchangeTimeout = 8 * time.Second
	// slack is what a busy machine adds to a time limit.
	slack = 4 * time.Second
)

// lateToken reports whether the response to a token request comes late.
func (t *trial) lateToken() bool { return t.asks() && t.late() > 0 }

// besides lets callers ask for the token while the response to the token request is
// open. Each gets a valid token, or the error that says to try again, within the time
// limit of issue. The result waits for all of them.
func (t *trial) besides(ctx context.Context) (wait func()) {
	const callers = 2
	if t.Flow.Waits || t.Flow.Function == callback {
		return func() {}
	}
	t.Host.Recycle(issue) // what it holds in memory, for 30 s, may have been revoked since
	var all sync.WaitGroup
	var seen [callers]string
	for i := range callers {
		all.Go(func() {
			v := t.issue(ctx, "")
			retried := v.ErrorType == string(apierr.ReltioUnavailable) || v.ErrorType == string(apierr.RateLimited)
			if !retried && (v.ErrorType != "" || !t.valid(v)) {
				seen[i] = v.String()
			}
		})
	}
	return func() {
		all.Wait()
		for _, bad := range seen {
			if bad != "" {
				t.problem("I7: while a response is late callers get " + bad)
			}
		}
	}
}

// inTime checks, once a late token request is over, what the time limits promise: no
// caller of issue waited longer than issue waits; and a response within the limit of
// the function that asked does what it does when it comes at once.
func (t *trial) inTime(ctx context.Context) {
	if took := t.waited(); took > issuing.Timeout+slack {
		t.problem(fmt.Sprintf("a caller of issue waited for %v", took.Round(time.Second)))
	}
	switch {
	case t.Flow.Function == callback:
		if t.late() < exchangeTimeout && t.Seen != t.clean.Seen {
			t.problem("a response that came in time is not used")
		}
		return
	case t.late() >= reltioauth.TokenTimeout:
		return
	}
	g, err := t.Table.Grant(ctx, acmeProd, grant.Strong)
	if err != nil || !g.HasToken() || !t.Sandbox.Valid(g.AccessToken) {
		t.problem("I5: a response that came in time is not stored")
	}
}
