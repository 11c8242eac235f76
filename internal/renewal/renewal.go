// Package renewal gets new access tokens: of one connection, or of all that
// are due.
//
// There is one path to a token, for every grant type and for every reason:
//
//	lease, read again, decide again, dial, extend the lease, count a login,
//	reserve an instant and wait for it, one request, store, release
//
// It stands in path.run. What needs several requests is several passes of it,
// each stored before the next, so that a crash anywhere loses at most the
// request under way.
//
//	r := &renewal.Renewer{Grants: table, Leases: table, ...}
//	report := r.Renew(ctx, rotateapi.Request{Connection: "acme-prod"})
//	result := r.Sweep(ctx)
//
// Both block for as long as the context allows and start nothing that outlives
// them. They never fail as such: what went wrong is an outcome with an error,
// and it is stored with the grant, so that callers learn it and nobody asks
// Reltio again too early.
package renewal

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The times of a renewal, in one place. Together with a lease's last seconds,
// what follows the extension of the lease takes 28 of its 35 s: wait, request,
// store, skew.
const (
	requestTime = reltioauth.TokenTimeout
	checkTime   = reltioauth.CheckTimeout
	revokeTime  = reltioauth.RevokeTimeout
	storeTime   = 5 * time.Second
	// keepTime of it at most is for the refresh token, so that the table gets the
	// access token though neither vault nor table takes that.
	keepTime = storeTime - 500*time.Millisecond
	// settleTime of it at most is for the count of a login, if one was counted.
	settleTime = time.Second
	// waitForDue is how far ahead a due moment may lie for a single renewal to
	// wait for it.
	waitForDue = 5 * time.Second
	// maxPasses bounds the passes of one renewal. The longest way is a refused
	// refresh token, the other one refused as well, a login that gives the
	// same refresh token again, its revocation, and one more login.
	maxPasses = 6
)

// Renewer renews. All fields up to Now are required. It is safe for concurrent
// use, and must not be copied: it remembers what the process has seen of the
// vault, and the links of events that were not sent.
type Renewer struct {
	Grants      grant.Store
	Leases      lease.Store
	Lockouts    lockout.Store
	RateLimits     ratelimit.Store
	Connections connection.Secrets
	RefreshTokens       grant.RefreshTokenStore
	Parking     grant.Parking
	// Hosts that a connection may name.
	Hosts connection.Hosts
	// Events tells operators; nil: nobody is told.
	Events grant.Publisher
	// Authorizations keeps the invitations whose links go out with events, and
	// CallbackURL is where they lead, without a slash at its end; empty: events
	// carry no link.
	AuthRequests authrequest.Store
	CallbackURL    string
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
	// Chance gives numbers in [0, 1) for jitter; nil means math/rand.
	Rand func() float64

	vault vaultHealth
	links links
}

// Report is what became of one renewal, for the answer, the log and the
// metrics. It holds no secret.
type Report struct {
	Connection string
	Outcome    rotateapi.Outcome
	// Err says why, if it failed or was left over.
	Err *apierr.Error
	// EventErr says why an event could not be sent; it is tried again.
	EventErr *apierr.Error
	// Refusal is what the server said if it refused a request; for operators.
	Refusal grant.Refusal
	// Version and Fingerprint are those of the stored token afterwards.
	Version     int64
	Fingerprint string
	// RefreshExpiresAt is when its refresh token ends; zero if there is none.
	RefreshExpiresAt time.Time
	// TokenRequests were sent, of them Throttled answered 429 and RefusedLogins
	// refused the credentials.
	TokenRequests int
	Throttled     int
	RefusedLogins int
	// BudgetWait is how long the budget made it wait.
	RateLimitWait time.Duration
	// Unkept says why the vault did not take a refresh token, whatever the outcome;
	// nil: it took it, or had none to take.
	Unkept *apierr.Error
	// Parked says that the refresh token is in the table instead, Lost that it is
	// nowhere.
	Parked, Lost bool
	// Unstored says that the table could not be written, or read: nothing of
	// this is known to others.
	Unstored bool
	// unreachable says that the host did not answer at all.
	unreachable bool
	host        string
	// rank says how fit it is to probe a host that refuses everybody; atLimit
	// that it may not for its account's sake.
	rank    rank
	atLimit bool
}

// Renew renews one connection's grant: at most one request to Reltio's token
// endpoint if all is well. A request with a lease adopts it; one without takes
// it. A renewal due within a few seconds is waited for.
func (r *Renewer) Renew(ctx context.Context, request rotateapi.Request) Report {
	p := &path{Renewer: r, request: request, single: true}
	return p.run(ctx)
}

func (r *Renewer) interval() time.Duration {
	if r.PerSecond <= 0 || r.PerSecond > ratelimit.MaxPerSecond {
		return ratelimit.Interval(ratelimit.MaxPerSecond)
	}
	return ratelimit.Interval(r.PerSecond)
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
	return mathrand.Float64() //nolint:gosec // jitter is no secret
}

// left is how much of the context's time remains at now.
func left(ctx context.Context, now time.Time) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Duration(1<<63 - 1)
	}
	return deadline.Sub(now)
}

// errNoTime says that lease or invocation end before the work would.
var errNoTime = errors.New("renewal: not enough time left to begin")
