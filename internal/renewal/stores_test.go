package renewal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The operations of a renewal, as the log names them.
const (
	takeLease    = "lease.take"
	adoptLease   = "lease.adopt"
	extendLease  = "lease.extend"
	releaseLease = "lease.release"
	readGrant    = "grant.read"
	putGrant     = "grant.put"
	queryDue     = "grant.due"
	countLogin   = "account.count"
	readAccount  = "account.read"
	uncountLogin = "account.uncount"
	refuseLogin  = "account.refused"
	doubtLogin   = "account.unclear"
	acceptLogin  = "account.accepted"
	clearLogins  = "account.clear"
	forgiveLogin = "account.forgive"
	moveClaim    = "account.move"
	readBudget   = "budget.read"
	reserve      = "budget.reserve"
	throttled    = "budget.throttled"
	refusedHost  = "budget.refused"
	unanswered   = "budget.unanswered"
	answeredHost = "budget.answered"
	succeeded    = "budget.succeeded"
	probe        = "budget.probe"
	readSecret   = "secret.read"
	readVersion  = "secret.version"
	tokenCurrent = "vault.current"
	tokenVersion = "vault.version"
	tokenPut     = "vault.put"
	readParked   = "parking.read"
	park         = "parking.park"
	unpark       = "parking.unpark"
	connect      = "connect"
	sendToken    = "/oauth/token"
	sendCheck    = "/oauth/checkToken"
	sendRevoke   = "/oauth/revoke"
)

// errDown is what a store answers that does not work.
var errDown = apierr.New(apierr.StoreUnavailable, "out of order")

// outside is all that a Renewer reaches, with a hook before and after each
// operation, and a log of them in their order.
type outside struct {
	*memstore.Table
	*memstore.Secrets
	// before keeps an operation from happening, after keeps its answer back.
	before, after func(op string) error
	// hangs: a write into Secrets Manager is not answered within any caller's time.
	hangs bool

	mu  sync.Mutex
	log []string
}

// do runs an operation between its hooks.
func (o *outside) do(op string, run func() error) error {
	o.mu.Lock()
	o.log = append(o.log, op)
	before, after := o.before, o.after
	o.mu.Unlock()
	if before != nil {
		if err := before(op); err != nil {
			return err
		}
	}
	err := run()
	if after != nil {
		if err := after(op); err != nil {
			return err
		}
	}
	return err
}

// count is how often an operation was begun.
func (o *outside) count(op string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, logged := range o.log {
		if logged == op {
			n++
		}
	}
	return n
}

// only is the log without the operations that are not asked for.
func (o *outside) only(ops ...string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var log []string
	for _, op := range o.log {
		if slices.Contains(ops, op) {
			log = append(log, op)
		}
	}
	return log
}

func (o *outside) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = nil
}

// fail lets the operations fail as long as lasts says so.
func (o *outside) fail(lasts func() bool, ops ...string) {
	o.before = func(op string) error {
		if slices.Contains(ops, op) && lasts() {
			return errDown
		}
		return nil
	}
}

func always() bool { return true }

// times is true for the first n calls.
func times(n int) func() bool {
	return func() bool { n--; return n >= 0 }
}

// until is true up to a moment.
func until(t time.Time) func() bool { return func() bool { return time.Now().Before(t) } }

func (o *outside) Grant(ctx context.Context, name string, c grant.Consistency) (g grant.Grant, err error) {
	err = o.do(readGrant, func() error { g, err = o.Table.Grant(ctx, name, c); return err })
	return g, err
}

// ReadBatch reads what the hooks do not keep from being read; they see one read of the
// grant.
func (o *outside) ReadBatch(ctx context.Context, name string, hosts []string) (b grant.Batch, err error) {
	err = o.do(readGrant, func() error { b, err = o.Table.ReadBatch(ctx, name, hosts); return err })
	if o.before != nil {
		b.Parked, b.Hosts = nil, nil
	}
	return b, err
}

func (o *outside) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	return o.do(putGrant, func() error { return o.Table.PutGrant(ctx, held, g) })
}

func (o *outside) DueGrants(ctx context.Context, s grant.Shard, now time.Time, after *grant.Due, limit int) (due []grant.Due, err error) {
	err = o.do(queryDue, func() error { due, err = o.Table.DueGrants(ctx, s, now, after, limit); return err })
	return due, err
}

func (o *outside) TakeLease(ctx context.Context, r lease.Request) (l lease.Lease, err error) {
	err = o.do(takeLease, func() error { l, err = o.Table.TakeLease(ctx, r); return err })
	return l, err
}

func (o *outside) AdoptLease(ctx context.Context, given lease.Lease, r lease.Request) (l lease.Lease, err error) {
	err = o.do(adoptLease, func() error { l, err = o.Table.AdoptLease(ctx, given, r); return err })
	return l, err
}

func (o *outside) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, end time.Time) (l lease.Lease, err error) {
	err = o.do(extendLease, func() error { l, err = o.Table.ExtendLease(ctx, held, epoch, end); return err })
	return l, err
}

func (o *outside) ReleaseLease(ctx context.Context, held lease.Lease) error {
	return o.do(releaseLease, func() error { return o.Table.ReleaseLease(ctx, held) })
}

func (o *outside) Account(ctx context.Context, hash string) (r lockout.Record, err error) {
	err = o.do(readAccount, func() error { r, err = o.Table.Account(ctx, hash); return err })
	return r, err
}

func (o *outside) CountLogin(ctx context.Context, t lockout.Try) (r lockout.Record, err error) {
	err = o.do(countLogin, func() error { r, err = o.Table.CountLogin(ctx, t); return err })
	return r, err
}

// settling names the operations that settle a login by what it came to.
var settling = map[lockout.Outcome]string{
	lockout.Nothing: uncountLogin, lockout.Refused: refuseLogin, lockout.Unclear: doubtLogin,
	lockout.Accepted: acceptLogin, lockout.Resumed: clearLogins, lockout.Forgiven: forgiveLogin,
}

func (o *outside) SettleLogin(ctx context.Context, t lockout.Try, outcome lockout.Outcome) error {
	return o.do(settling[outcome], func() error { return o.Table.SettleLogin(ctx, t, outcome) })
}

func (o *outside) MoveClaim(ctx context.Context, hash, from, to string) error {
	return o.do(moveClaim, func() error { return o.Table.MoveClaim(ctx, hash, from, to) })
}

func (o *outside) Budget(ctx context.Context, name string) (r ratelimit.Record, err error) {
	err = o.do(readBudget, func() error { r, err = o.Table.Budget(ctx, name); return err })
	return r, err
}

func (o *outside) Reserve(ctx context.Context, name string, w ratelimit.Window) (at time.Time, err error) {
	err = o.do(reserve, func() error { at, err = o.Table.Reserve(ctx, name, w); return err })
	return at, err
}

func (o *outside) Throttled(ctx context.Context, name string, t ratelimit.Throttle) (r ratelimit.Record, err error) {
	err = o.do(throttled, func() error { r, err = o.Table.Throttled(ctx, name, t); return err })
	return r, err
}

func (o *outside) Refused(ctx context.Context, name, c string, now time.Time) (r ratelimit.Record, err error) {
	err = o.do(refusedHost, func() error { r, err = o.Table.Refused(ctx, name, c, now); return err })
	return r, err
}

func (o *outside) Succeeded(ctx context.Context, name, client string) error {
	return o.do(succeeded, func() error { return o.Table.Succeeded(ctx, name, client) })
}

func (o *outside) Unanswered(ctx context.Context, name string, now time.Time) error {
	return o.do(unanswered, func() error { return o.Table.Unanswered(ctx, name, now) })
}

func (o *outside) Answered(ctx context.Context, name string) error {
	return o.do(answeredHost, func() error { return o.Table.Answered(ctx, name) })
}

func (o *outside) Probe(ctx context.Context, name string, now time.Time, every time.Duration) (mine bool, err error) {
	err = o.do(probe, func() error { mine, err = o.Table.Probe(ctx, name, now, every); return err })
	return mine, err
}

func (o *outside) Connection(ctx context.Context, name string) (s connection.Source, err error) {
	err = o.do(readSecret, func() error { s, err = o.Secrets.Connection(ctx, name); return err })
	return s, err
}

func (o *outside) ConnectionVersion(ctx context.Context, name string) (v string, err error) {
	err = o.do(readVersion, func() error { v, err = o.Secrets.ConnectionVersion(ctx, name); return err })
	return v, err
}

func (o *outside) Current(ctx context.Context, name string) (r grant.RefreshToken, err error) {
	err = o.do(tokenCurrent, func() error { r, err = o.Secrets.Current(ctx, name); return err })
	return r, err
}

func (o *outside) Version(ctx context.Context, name, version string) (r grant.RefreshToken, err error) {
	err = o.do(tokenVersion, func() error { r, err = o.Secrets.Version(ctx, name, version); return err })
	return r, err
}

func (o *outside) Put(ctx context.Context, name string, r grant.RefreshToken) (version string, err error) {
	err = o.do(tokenPut, func() error {
		if o.hangs {
			<-ctx.Done()
			return errDown
		}
		version, err = o.Secrets.Put(ctx, name, r)
		return err
	})
	return version, err
}

func (o *outside) Parked(ctx context.Context, name string) (r grant.RefreshToken, err error) {
	err = o.do(readParked, func() error { r, err = o.Table.Parked(ctx, name); return err })
	return r, err
}

func (o *outside) Park(ctx context.Context, name string, r grant.RefreshToken) error {
	return o.do(park, func() error { return o.Table.Park(ctx, name, r) })
}

func (o *outside) Unpark(ctx context.Context, name string, epoch int64) error {
	return o.do(unpark, func() error { return o.Table.Unpark(ctx, name, epoch) })
}

// connector puts the hooks around a way to a server.
func (o *outside) connector(next reltioauth.Connector) reltioauth.Connector {
	return func(ctx context.Context, u *url.URL) (t reltioauth.Transport, err error) {
		err = o.do(connect, func() error { t, err = next(ctx, u); return err })
		if err != nil {
			return nil, err
		}
		return &wire{Transport: t, o: o}, nil
	}
}

// wire is an open connection with the hooks around its requests.
type wire struct {
	reltioauth.Transport
	o *outside
}

func (w *wire) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	sent := false
	err = w.o.do(r.URL.Path, func() error {
		sent = true
		answer, err = w.Transport.RoundTrip(r)
		return err
	})
	if err != nil && !sent {
		err = fmt.Errorf("%w: %w", reltioauth.ErrNotSent, err)
	}
	return answer, err
}
