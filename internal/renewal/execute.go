package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// step is one request, over a connection of its own.
type step struct {
	kind kind
	// refresh is the refresh token to send or to revoke; token the access token
	// to check or to revoke.
	refresh grant.RefreshToken
	token   reltioauth.Secret
	// challenge, if not zero, makes a login the second step of one: the server asked
	// for a code of the user's authenticator. The code is made after wait, because
	// none is used twice.
	challenge reltioauth.Secret
	wait      time.Duration
	// probe: the host is down or its circuit is open, and the request is sent only if
	// it can be the host's one probe in so much time; 0: it is no probe.
	probe time.Duration
}

// probesDown reports whether the step is the probe of a host that is down, and not
// of one whose circuit is open.
func (s step) probesDown() bool { return s.probe > 0 && s.probe < ratelimit.ProbeEvery }

// kind says what a step does.
type kind int

const (
	login kind = iota
	refresh
	check
	revokeAccess
	revokeRefresh
	// knock asks a host that is down for anything that locks no user, to see whether
	// it responds.
	knock
)

// asks reports whether the step is a token request, which needs a slot.
func (s step) asks() bool { return s.kind == login || s.kind == refresh }

// response is what came of a step.
type response struct {
	// notSent says why the request was not sent: the login may not be sent, the
	// lease was lost, no time or slot was left, or a store failed.
	notSent error
	// account is the lockout record as the login was counted, or could not be.
	account lockout.Record
	// token and err are the server's response, or why there was none.
	token *reltioauth.Token
	err   error

	// The fields from here on are those of a token request.
	verdict verdict
	// kept is the refresh token that the grant has from now on; keepErr says that
	// no store took it.
	kept    grant.RefreshToken
	keepErr error
	// circuit is the host's circuit after a refusal; capped says that a 429 means
	// that the client has reached its cap; recordErr why a 429 could not be
	// recorded.
	circuit   circuit
	capped    bool
	recordErr error
}

// granted reports whether the response is a token.
func (a response) granted(s step) bool { return s.asks() && a.notSent == nil && a.verdict == accepted }

// circuit is a host's circuit after a refusal.
type circuit int

const (
	circuitClosed circuit = iota
	// circuitHeld: it is open, and was before.
	circuitHeld
	// circuitOpened: this refusal has opened it.
	circuitOpened
)

// errInactive says that the server definitely calls a checked token inactive.
var errInactive = errors.New("renewal: the token is dead")

// execute carries out one step: it dials, extends the lease, counts a login, waits
// for the host's next slot, and sends. After a step that was not sent the login is
// not counted.
func (r *run) execute(ctx context.Context, s step) response {
	r.ledger, r.ahead = ledger{r: r, step: s}, grant.Batch{}
	if s.probe > 0 {
		r.p.probing = true
		if err := r.ledger.claimProbe(ctx); err != nil {
			return response{notSent: err, account: r.ledger.account}
		}
	}
	if err := r.awaitCode(ctx, s); err != nil {
		return response{notSent: err, account: r.ledger.account}
	}
	client := r.client()
	conn, err := client.Dial(ctx)
	if err != nil {
		return response{err: err, account: r.ledger.account}
	}
	defer func() { _ = conn.Close() }() // a connection is used for one request
	if err := r.ready(ctx, s); err != nil {
		return response{notSent: err, account: r.ledger.account}
	}
	token, err := r.send(ctx, conn, s)
	return response{token: token, err: err, account: r.ledger.account}
}

// ready does what comes between dialling and sending: nothing is sent unless lease
// and invocation last for all that follows.
func (r *run) ready(ctx context.Context, s step) error {
	err := r.held.Extend(ctx)
	if err == nil {
		err = r.fits(ctx, ratelimit.MaxWait+requestTime+storeTime)
	}
	if err != nil {
		return r.ledger.uncount(ctx, err)
	}
	if err := r.ledger.count(ctx); err != nil {
		return err
	}
	if err := r.wait(ctx, s); err != nil {
		return r.ledger.uncount(ctx, err)
	}
	return nil
}

// awaitCode waits until the user's authenticator shows another code than the last,
// and keeps the lease meanwhile.
func (r *run) awaitCode(ctx context.Context, s step) error {
	const longest = 10 * time.Second
	if s.wait > 0 && left(ctx, r.Now()) < s.wait+ratelimit.MaxWait+requestTime+storeTime {
		return errNoTime
	}
	for wait := s.wait; wait > 0; wait -= longest {
		if err := r.held.Extend(ctx); err != nil {
			return err
		}
		if ratelimit.Sleep(ctx, min(wait, longest)) != nil {
			return errNoTime
		}
	}
	return nil
}

func (r *run) client() *reltioauth.Client {
	client := r.o.connection.Client()
	client.Connect, client.Now = r.Connect, r.Now
	return &client
}

// fits refuses to begin work that the lease or the invocation does not cover.
func (r *run) fits(ctx context.Context, work time.Duration) error {
	now := r.Now()
	if !r.held.Lease().Covers(now, work) || left(ctx, now) < work {
		return errNoTime
	}
	return nil
}

// wait reserves the host's next slot and waits for it. The host's record that it
// reads meanwhile replaces the one read before.
func (r *run) wait(ctx context.Context, s step) error {
	if !s.asks() {
		return r.fits(ctx, checkTime+storeTime)
	}
	began := r.Now()
	slot := ratelimit.Slot{
		Store: r.RateLimits, Host: r.o.connection.Host(), Interval: ratelimit.Interval(r.PerSecond),
		Latest: began.Add(ratelimit.MaxWait), Now: r.Now, Seen: r.o.host,
	}
	at, err := slot.Reserve(ctx, began)
	if err == nil {
		err = slot.Wait(ctx, at)
		r.report.RateLimitWait, r.o.host = r.Now().Sub(began), slot.Seen
	}
	switch {
	case err == nil && r.o.host.Down() && s.probe == 0: // seen during the wait
		return errProbed
	case err == nil:
		return r.fits(ctx, requestTime+storeTime)
	case ctx.Err() != nil:
		return errNoTime
	default:
		return err
	}
}

// send sends the request. A check and a revocation return no token. A token request
// ends early enough for its response to be stored, and the lease is kept meanwhile.
func (r *run) send(ctx context.Context, conn *reltioauth.Conn, s step) (*reltioauth.Token, error) {
	if !s.asks() {
		return nil, r.sendOther(ctx, conn, s)
	}
	ctx, cancel := context.WithTimeout(ctx, left(ctx, r.Now())-storeTime)
	defer cancel()
	var token *reltioauth.Token
	var err error
	r.held.During(ctx, func() { token, err = r.sendToken(ctx, conn, s) })
	return token, err
}

// sendOther sends what is no token request.
func (r *run) sendOther(ctx context.Context, conn *reltioauth.Conn, s step) error {
	switch s.kind {
	case revokeAccess:
		return conn.Revoke(ctx, s.token, reltioauth.HintAccessToken)
	case revokeRefresh:
		return conn.Revoke(ctx, s.refresh.Token, reltioauth.HintRefreshToken)
	case knock:
		_, err := conn.Introspect(ctx, reltioauth.NewSecret("none"))
		return err
	}
	info, err := conn.Introspect(ctx, s.token)
	if err == nil && !info.Active {
		return errInactive
	}
	return err
}

// sendToken sends a token request.
func (r *run) sendToken(ctx context.Context, conn *reltioauth.Conn, s step) (*reltioauth.Token, error) {
	switch {
	case s.kind == refresh:
		return conn.Token(ctx, reltioauth.RefreshTokenGrant{RefreshToken: s.refresh.Token})
	case s.challenge.IsZero():
		return conn.Token(ctx, r.o.connection.Login())
	}
	code, err := r.o.connection.TOTP(r.Now())
	if err != nil {
		return nil, err
	}
	return conn.Token(ctx, reltioauth.MFAGrant{StateToken: s.challenge, TOTP: code})
}
