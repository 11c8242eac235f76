package faultinject

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// judge looks at the invariants, when everything is over.
func (t *trial) judge(ctx context.Context) {
	t.counts()
	if strings.HasSuffix(t.Next, "given up") || strings.Contains(t.Next, errNotArrived.Error()) {
		t.problem("I5: the next invocation did not succeed")
	}
	t.settled(ctx)
	// Once more: what is stored works.
	from := len(t.Sandbox.Requests())
	if again := t.renewAgain(ctx); !strings.HasSuffix(again, "renewed") && !strings.HasSuffix(again, "unchanged") {
		t.problem("I5: the renewal after that: " + again)
	}
	t.refreshed(t.Sandbox.Requests()[from:])
	if g, err := t.Table.Grant(ctx, acmeProd, grant.Strong); err != nil || !g.HasToken() || !t.Sandbox.Valid(g.AccessToken) {
		t.problem("I1: at the end there is no living token")
	}
	t.codes()
	if t.wire.leaked(t.log.String()) {
		t.problem("I11: a secret in a log")
	}
	if t.wire.leaked(t.written.String()) {
		t.problem("I11: a secret in an answer")
	}
}

// counts looks at what Reltio has counted. Without a fault a flow has its
// number. A call that waits on after a renewal that was left over between its
// steps has it started again; and the next one may need one more, where the last
// answer was lost with the refresh token that it made.
func (t *trial) counts() {
	first, next := t.asked[1]-t.asked[0], t.asked[2]-t.asked[1]
	most := t.clean.Requests + max(0, t.renewals-1)*(t.clean.Requests-1)
	if !t.stops() && first > most {
		t.problem(fmt.Sprintf("I2: %d token requests in %d renewals", first, max(1, t.renewals)))
	}
	if !t.Flow.Waits && t.Flow.Function != callback && (next > t.clean.Requests+1 || t.Requests > 2*t.clean.Requests+1) {
		t.problem(fmt.Sprintf("I2: %d token requests, then %d", first, next))
	}
	if n := t.Sandbox.RefusedLogins(ann, time.Time{}, time.Time{}); n > 0 {
		t.problem(fmt.Sprintf("I3: %d refused logins", n))
	}
	if n := t.Sandbox.MaxTokenRequests(time.Second); n > reltioauthtest.DefaultRateLimit {
		t.problem(fmt.Sprintf("I4: %d token requests in a second", n))
	}
}

// newest is the newest refresh token that is stored; zero: there is none, or
// it is not known.
func (t *trial) newest(ctx context.Context) reltioauth.Secret {
	known, err := t.Secrets.Current(ctx, acmeProd)
	if err != nil {
		return reltioauth.Secret{}
	}
	return known.Token
}

// excuse checks whether a person is needed for a reason: the server does not take
// any refresh token that is stored.
func (t *trial) excuse(ctx context.Context) {
	g, err := t.Table.Grant(ctx, acmeProd, grant.Strong)
	if err != nil {
		t.problem("I5: " + err.Error())
		return
	}
	current, err := t.Secrets.Current(ctx, acmeProd)
	if err == nil && !current.Token.IsZero() && t.Sandbox.Valid(current.Token) {
		t.problem("I5: a person is asked for, though the newest refresh token is good")
	}
	pointed, err := t.Secrets.Version(ctx, acmeProd, g.SecretVersion)
	if err == nil && !pointed.Token.IsZero() && t.Sandbox.Valid(pointed.Token) {
		t.problem("I5: a person is asked for, though the refresh token of the grant is good")
	}
	if !t.stored.IsZero() && !t.stored.Equal(t.had) && t.Sandbox.Valid(t.stored) {
		t.problem("I5: a person is asked for, though the broken invocation has stored a good refresh token")
	}
	// An event that a slow bus did not take in a second is sent at the next tick.
	waits := len(g.Unpublished) > 0 && g.PublishTries == 1
	if t.wire.published() == 0 && !waits {
		t.problem("I12: nobody is told that a person is needed")
	}
}

// refreshed checks whether a renewal needed no login, where there is a refresh
// token and no login was due.
func (t *trial) refreshed(requests []reltioauthtest.Request) {
	if t.Flow.GrantType == "client_credentials" || t.Flow.Fields["refresh_token_days"] != nil {
		return
	}
	for i, r := range slices.DeleteFunc(requests, func(r reltioauthtest.Request) bool { return r.Op != reltioauthtest.OpToken }) {
		other := r.Outcome != reltioauthtest.OutcomeOK && i == 0 // what a stopped process has left is tried first
		if r.GrantType != "refresh_token" || r.Outcome != reltioauthtest.OutcomeOK && !other {
			t.problem(fmt.Sprintf("I5: the refresh token is lost: %s, %s", r.GrantType, r.Outcome))
		}
	}
}

// codes checks whether each code was sent once.
func (t *trial) codes() {
	sent := map[string]int{}
	for _, r := range t.Sandbox.Requests() {
		if r.Op == reltioauthtest.OpToken && r.GrantType == authorizationCode {
			sent[r.Presented]++
			if sent[r.Presented] > 1 {
				t.problem("I10: a code was sent twice")
			}
		}
	}
}
