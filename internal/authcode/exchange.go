package authcode

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authorization"
	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// consume reserves the exchange's instant, consumes the request and the
// invitation while it waits for it, and is at the instant when it returns. If
// there is no instant the request stays, or becomes, usable.
func (v *visit) consume(ctx context.Context) (Arrival, bool) {
	began := v.Now()
	latest := began.Add(budget.MaxWait)
	at, err := v.reserve(ctx, began.Add(ahead), latest)
	if err != nil {
		return v.busy(err), true
	}
	v.consumedAt = v.Now()
	if err := v.Authorizations.ConsumeRequest(ctx, v.request.Hash, v.consumedAt); err != nil {
		return gone(err), true
	}
	if a, ended := v.useInvitation(ctx); ended {
		if a.Outcome == Broken {
			v.giveBack(ctx)
			return a, true
		}
		return v.finish(ctx, a), true
	}
	for {
		if err = v.until(ctx, at); err != nil {
			break
		}
		if v.Now().Sub(at) <= budget.MaxLate {
			return Arrival{}, false
		}
		if at, err = v.reserve(ctx, v.Now(), latest); err != nil {
			break
		}
	}
	v.giveBack(ctx)
	return v.busy(err), true
}

func (v *visit) reserve(ctx context.Context, earliest, latest time.Time) (time.Time, error) {
	return v.Budgets.Reserve(ctx, v.c.Host(), budget.Window{
		Now: v.Now(), Earliest: earliest, Latest: latest, Interval: v.interval(),
	})
}

// until waits for the instant. A host paused meanwhile is a *budget.BusyError.
func (v *visit) until(ctx context.Context, at time.Time) (err error) {
	timer := time.NewTimer(at.Sub(v.Now()))
	defer timer.Stop()
	if v.host, err = v.Budgets.Budget(ctx, v.c.Host()); err != nil {
		return err
	}
	if until, paused := v.host.Paused(v.Now()); paused {
		return &budget.BusyError{Until: until, Paused: true}
	}
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &budget.BusyError{Until: v.Now()}
	}
}

// useInvitation uses the invitation up. The first of two ways through the login
// page gives it back, so that the person may also begin again; the second goes
// on without it, if it is used or has ended meanwhile.
func (v *visit) useInvitation(ctx context.Context) (Arrival, bool) {
	var err error
	v.invitation, err = v.Authorizations.Invitation(ctx, v.request.Invitation)
	if err == nil {
		v.usedAt = v.Now().Truncate(time.Millisecond)
		err = v.Authorizations.UseInvitation(ctx, v.request.Invitation, v.usedAt)
	}
	switch {
	case err == nil:
		return Arrival{}, false
	case errors.Is(err, authorization.ErrUsed) && v.request.Second:
		v.usedAt = time.Time{} // by somebody else: not ours to give back
		return Arrival{}, false
	case errors.Is(err, authorization.ErrUsed), errors.Is(err, authorization.ErrNotFound):
		return Arrival{Outcome: InvitationGone}, true
	default:
		return Arrival{Outcome: Broken, Err: err}, true
	}
}

// giveBack makes request and invitation usable again: nothing was sent.
func (v *visit) giveBack(ctx context.Context) {
	ctx, cancel := v.storing(ctx, storeTime)
	defer cancel()
	// A request that cannot be given back is used up; the link still works.
	_ = v.Authorizations.ReturnRequest(ctx, v.request.Hash, v.consumedAt)
	v.reinvite(ctx)
}

// reinvite gives the invitation back, so that the person can begin again.
func (v *visit) reinvite(ctx context.Context) {
	if v.usedAt.IsZero() {
		return
	}
	_ = v.Authorizations.ReturnInvitation(ctx, v.request.Invitation, v.usedAt)
}

// exchange sends the code, once, and stores what comes.
func (v *visit) exchange(ctx context.Context) Arrival {
	token, err := v.conn.Token(ctx, reltioauth.AuthorizationCodeGrant{
		Code: v.cb.Code, RedirectURI: v.request.RedirectURI, Verifier: v.request.Verifier,
	})
	v.token = token
	if unsent(err) {
		v.giveBack(ctx)
		return Arrival{Outcome: Busy, RetryAfter: time.Second, Err: err}
	}
	if err != nil {
		v.blame(ctx, err)
		v.discard(ctx)
		return v.withdrawn(ctx, Arrival{Outcome: ExchangeFailed, Err: err})
	}
	if v.host.Troubled() {
		_ = v.Budgets.Succeeded(ctx, v.c.Host()) // the next success forgets it otherwise
	}
	if a, wrong := v.checkUser(ctx); wrong {
		v.discard(ctx)
		return v.withdrawn(ctx, a)
	}
	return v.store(ctx)
}

// unsent reports whether the code certainly did not leave, and may on another
// connection.
func unsent(err error) bool {
	var e *reltioauth.Error
	return errors.As(err, &e) && !e.Sent && !e.Permanent()
}

// blame tells the budget of a 429.
func (v *visit) blame(ctx context.Context, err error) {
	var e *reltioauth.Error
	if !errors.As(err, &e) || e.Code != reltioauth.ErrRateLimited {
		return
	}
	ctx, cancel := v.storing(ctx, storeTime)
	defer cancel()
	_, _ = v.Budgets.Throttled(ctx, v.c.Host(), budget.Throttle{
		Client: v.c.ClientKey(), RetryAfter: e.RetryAfter, Now: v.Now(),
	})
}

// withdrawn gives the invitation back: nothing was stored.
func (v *visit) withdrawn(ctx context.Context, a Arrival) Arrival {
	ctx, cancel := v.storing(ctx, storeTime)
	defer cancel()
	v.reinvite(ctx)
	return a
}

// discard revokes the tokens of an answer that is not stored; the refresh token
// takes its access token with it. What the grant has anyway is stored, and
// stays.
func (v *visit) discard(ctx context.Context) {
	if v.token == nil {
		return
	}
	ctx, cancel := v.storing(ctx, revokeTime)
	defer cancel()
	if v.stored(v.g) {
		return
	}
	// Another visit may have overtaken this one, and been given the same.
	if g, err := v.read(ctx); err == nil && v.stored(g) {
		return
	}
	text, hint := v.token.RefreshToken, reltioauth.HintRefreshToken
	if text.IsZero() {
		text, hint = v.token.AccessToken, reltioauth.HintAccessToken
	}
	if !text.IsZero() {
		_ = v.client().Revoke(ctx, text, hint) // they end by themselves otherwise
	}
}

// stored reports whether a grant has the token that would be revoked.
func (v *visit) stored(g grant.Grant) bool {
	switch t := v.token.RefreshToken; {
	case g.Identity != v.c.Identity():
		return false
	case t.IsZero():
		return g.HasToken() && g.Fingerprint == v.token.Fingerprint()
	default:
		return g.RefreshFingerprint == reltioauth.Fingerprint(t)
	}
}

// checkUser finds out who has logged in, before anything is stored: another
// user than the expected one, or the first one ever, gets nothing.
func (v *visit) checkUser(ctx context.Context) (Arrival, bool) {
	known := ""
	if v.g.Identity == v.c.Identity() {
		known = v.g.User
	}
	expected := v.c.ExpectedUser
	if expected == "" && !v.invitation.ReplaceUser {
		expected = known
	}
	info, err := v.client().Check(ctx, v.token.AccessToken)
	if err == nil && info.Active {
		v.user = info.Username
	}
	switch {
	case v.user == "" && (expected != "" || known != ""):
		return Arrival{Outcome: UserUnknown, Err: err}, true
	case expected == "" || strings.EqualFold(v.user, expected):
		return Arrival{}, false
	default:
		return Arrival{Outcome: WrongUser}, true
	}
}
