// Package renewal gets new access tokens: for one connection, or for all that
// are due.
//
// Every token is requested in the same order, for every grant type and for
// every reason:
//
//	lease, read again, decide again, dial, extend the lease, count a login,
//	reserve a slot and wait for it, one request, store, release
//
// The loop is written in run.go: read, plan, execute, record, interpret, store. An
// observation is a value: what was read. plan is a pure function from it and the
// progress so far to the next thing to read, to one request, or to an end. The
// executor carries that out. interpret is a pure function from the response to the
// next state of the grant, and to another pass or an end. A renewal that needs
// several requests makes several passes, each stored before the next, so that a
// crash loses at most the request in progress.
//
//	r := &renewal.Renewer{Grants: table, Leases: table, ...}
//	report := r.Renew(ctx, rotateapi.Request{Connection: "acme-prod"})
//	result := r.Sweep(ctx)
//
// Renew and Sweep block for as long as the context allows and start nothing
// that outlives them. A failed renewal is an outcome with an error. It is
// stored with the grant, so that callers get the error and no renewal asks
// Reltio again too early.
package renewal

import (
	"context"
	mathrand "math/rand/v2"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The times of a renewal, in one place. Together with a lease's last seconds,
// what follows the extension of the lease takes 28 of its 35 s: wait, the first part
// of the request, store, skew.
const (
	// requestTime is the part of a token request that lease and invocation have to
	// cover before it is sent. A request may take reltioauth.TokenTimeout: while it
	// is open the lease is extended.
	requestTime = 8 * time.Second
	checkTime   = reltioauth.CheckTimeout
	revokeTime  = reltioauth.RevokeTimeout
	storeTime   = 5 * time.Second
	// keepTime is the part of storeTime for the refresh token, so that the
	// table gets the access token even if the refresh token cannot be stored
	// anywhere.
	keepTime = storeTime - 500*time.Millisecond
	// settleTime is the part of it for the count of a login, if one was
	// counted.
	settleTime = time.Second
	// waitForDue is how far ahead a due moment may lie for a single renewal to
	// wait for it.
	waitForDue = 5 * time.Second
	// maxPasses bounds the passes of one renewal. The longest sequence is a
	// refused refresh token, the other stored one refused as well, a login that
	// gives the same refresh token again, its revocation, and one more login.
	maxPasses = 6
)

// Renewer renews grants. All fields up to Now are required, except Batches and
// Events. It is safe for concurrent use, and must not be copied: it remembers
// whether the process's last write to RefreshTokens failed, and the links of events
// that were not sent.
type Renewer struct {
	Grants        grant.Store
	Leases        lease.Store
	Lockouts      lockout.Store
	RateLimits    ratelimit.Store
	Connections   connection.Secrets
	RefreshTokens grant.RefreshTokenStore
	Parking       grant.Parking
	// Batches reads at once what the first reads of Grants, Parking and RateLimits
	// return; nil: each is read by itself.
	Batches grant.BatchReader
	// Hosts that a connection may name.
	Hosts connection.Hosts
	// Events sends events to operators; nil: none are sent.
	Events grant.Publisher
	// AuthRequests keeps the invitations whose links are sent with events, and
	// CallbackURL is where they lead, without a slash at its end; empty: events
	// carry no link.
	AuthRequests authrequest.Store
	CallbackURL  string
	// Now is the clock.
	Now func() time.Time
	// PerSecond is the rate of token requests; 0 means ratelimit.MaxPerSecond.
	PerSecond int
	// LoginAttempts is how many logins may be refused per account and
	// credentials; 0 means lockout.MaxAttempts.
	LoginAttempts int
	// Concurrency is how many renewals a sweep runs at a time; 0 means 16. It
	// is never more than four times PerSecond.
	Concurrency int
	// Connect opens connections to authorization servers; nil means TCP and
	// TLS.
	Connect reltioauth.Connector
	// Rand gives numbers in [0, 1) for jitter; nil means math/rand.
	Rand func() float64

	tokenStore storeHealth
	links      holder.Links
}

// holding is what the holder of a grant's lease works with.
func (r *Renewer) holding() holder.Config {
	return holder.Config{
		Grants: r.Grants, Leases: r.Leases, Now: r.Now, Doubts: true,
		Events: r.Events, AuthRequests: r.AuthRequests, CallbackURL: r.CallbackURL, Links: &r.links,
	}
}

// Report is the result of one renewal, for the response, the log and the
// metrics. It holds no secret.
type Report struct {
	Connection string
	Outcome    rotateapi.Outcome
	// Err says why it failed or was left over.
	Err *apierr.Error
	// EventErr says why an event could not be sent; it is tried again.
	EventErr *apierr.Error
	// HostErr says why the host's record could not be read or written after a success;
	// what it holds against the host stays until the next one.
	HostErr *apierr.Error
	// Refusal is what the server said if it refused a request; for operators.
	Refusal grant.Refusal
	// Version and Fingerprint are those of the stored token afterwards.
	Version     int64
	Fingerprint string
	// RefreshExpiresAt is when its refresh token ends; zero if there is none.
	RefreshExpiresAt time.Time
	// TokenRequests is the number that was sent. Of them Throttled were
	// answered by a 429, and RefusedLogins refused the credentials.
	TokenRequests int
	Throttled     int
	RefusedLogins int
	// RateLimitWait is how long the rate limit made it wait.
	RateLimitWait time.Duration
	// Unkept says why Secrets Manager did not take a refresh token, whatever
	// the outcome; nil: it took it, or there was none.
	Unkept *apierr.Error
	// Parked says that the refresh token is in the table instead, Lost that it
	// is in neither store.
	Parked, Lost bool
	// Unstored says that the table could not be written, or read: other
	// processes know nothing of this renewal.
	Unstored bool
	// CircuitOpen says that the host refused every connection when its record was
	// read or written last.
	CircuitOpen bool
	// asked says that a token was asked for, though the host may not have been reached;
	// down that the host is down. If nothing was sent because of it, heldUntil is
	// when it may be asked.
	asked, down bool
	heldUntil   time.Time
	host        string
	// rank says how fit the renewal is to probe a host whose circuit is open;
	// atLimit that it may not, because its user has too few logins left.
	rank    rank
	atLimit bool
}

// Renew renews one connection's grant: at most one request to Reltio's token
// endpoint if all is well. A request with a lease adopts it; one without takes
// it. A renewal due within a few seconds is waited for.
func (r *Renewer) Renew(ctx context.Context, request rotateapi.Request) Report {
	return r.newRun(request, byName).run(ctx)
}

func (r *Renewer) loginAttempts() int {
	if r.LoginAttempts <= 0 || r.LoginAttempts > lockout.MaxAttempts {
		return lockout.MaxAttempts
	}
	return r.LoginAttempts
}

func (r *Renewer) random() float64 {
	if r.Rand != nil {
		return r.Rand()
	}
	return mathrand.Float64() //nolint:gosec // jitter need not be unpredictable
}

// left is how much of the context's time remains at now.
func left(ctx context.Context, now time.Time) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Duration(1<<63 - 1)
	}
	return deadline.Sub(now)
}
