package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// A mutant is a known mistake, planted between the product and the world. The
// simulation has to find each of them.
type mutant struct {
	plant func() func(*Ports)
	// invariants by any of which it may be found.
	invariants string
}

func mutants() map[string]mutant {
	return map[string]mutant{
		// While Secrets Manager refuses writes, a lost lease costs a refresh token (I5).
		"a lease that ends while waiting for its slot": {plain(shortLease), "I2 I5 I6"},
		"a counter written after the answer":           {plain(lateCounter), "I3"},
		"a duplicate event sharing its epoch":          {plain(sharedEpoch), "I2 I6 I12"},
		"the older refresh token tried first":          {plain(olderFirst), "I5"},
		"a waiting connection outside the index":       {plain(outsideIndex), "I8 I12"},
		"revoke before the login was seen to work":     {plain(revokeFirst), "I5"},
		"a token asked for on every call":              {plain(everyCall), "I2 I9"},
		"an early window against the same token":       {plain(earlyWindow), "I2 I9"},
		"the refresh token deleted after an error":     {plain(deletedAfterError), "I5 I12"},
		"a key that lacks a parameter":                 {sharedKey, "I1"},
		"a lock shorter than the work, unfenced":       {plain(unfenced), "I2 I5 I6"},
		"a rotated pair lost to validation":            {plain(validatedFirst), "I5"},
		"the other client authentication tried":        {plain(otherStyle), "I3 I2"},
		"an error while the stored token lives":        {plain(strict), "I7"},
		"a dead connection retried endlessly":          {plain(endlessly), "I2 I3"},
		"a 429 answered by a convoy":                   {plain(convoy), "I2 I4"},
		"a budget that everybody ignores":              {plain(noRateLimit), "I4"},
		"a token handed out past its end":              {plain(pastEnd), "I1"},
		"events that nobody sends":                     {plain(silent), "I12"},
		"a host that is down never asked again":        {plain(neverProbe), "I8 I12"},
		"an outage that no response ends":              {plain(neverUp), "I3 I8 I12"},
		"a token's life counted ten seconds short":     {plain(tenSecondsShort), "I7"},
	}
}

func plain(plant func(*Ports)) func() func(*Ports) { return func() func(*Ports) { return plant } }

// Each known mistake is found within a few seeds, and nothing is found without
// one (that is what the other tests say).
func TestMutants(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("-short or -race: it takes a minute and runs in make sim")
	}
	all := mutants()
	maps.Copy(all, misreadings())
	maps.Copy(all, losses())
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(100); seed < 100+mutantSeeds; seed++ {
				cfg := usual(seed)
				cfg.Loose, cfg.Stormy, cfg.Mutate = false, true, m.plant()
				b := lifeOf(t, cfg)
				if b == nil {
					continue
				}
				if !strings.Contains(m.invariants, b.Invariant) {
					t.Errorf("found as %s, want one of %s: %s", b.Invariant, m.invariants, b)
					return
				}
				t.Logf("seed %d finds it after %s: %s: %s (%s)", seed, b.After.Round(time.Second), b.Invariant, b.What, b.Connection)
				return
			}
			t.Errorf("not found by %d seeds", mutantSeeds)
		})
	}
}

// Without a mistake nothing is found in the worlds in which mutants are.
func TestNoMutant(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("-short or -race: it takes a minute and runs in make sim")
	}
	for seed := uint64(100); seed < 100+mutantSeeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			cfg := usual(seed)
			cfg.Loose, cfg.Stormy = false, true
			if b := lifeOf(t, cfg); b != nil {
				t.Error(b)
			}
		})
	}
}

// mutantSeeds are how many worlds a mistake is looked for in.
const mutantSeeds = 24

// lifeOf is a world's breach.
func lifeOf(t *testing.T, cfg Config) (b *Breach) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		cfg.Now = time.Now
		w := New(cfg)
		w.Live()
		b = w.Breach()
	})
	return b
}

// leases lets single methods be changed.
type leases struct {
	lease.Store
	take   func(context.Context, lease.Request) (lease.Lease, error)
	adopt  func(context.Context, lease.Lease, lease.Request) (lease.Lease, error)
	extend func(context.Context, lease.Lease, int64, time.Time) (lease.Lease, error)
}

func (l *leases) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	if l.take == nil {
		return l.Store.TakeLease(ctx, r)
	}
	return l.take(ctx, r)
}

func (l *leases) AdoptLease(ctx context.Context, given lease.Lease, r lease.Request) (lease.Lease, error) {
	if l.adopt == nil {
		return l.Store.AdoptLease(ctx, given, r)
	}
	return l.adopt(ctx, given, r)
}

func (l *leases) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
	if l.extend == nil {
		return l.Store.ExtendLease(ctx, held, epoch, until)
	}
	return l.extend(ctx, held, epoch, until)
}

// shortLease: the lease's end in the store is near; the holder believes in the
// full term.
func shortLease(p *Ports) {
	const short = 20 * time.Millisecond
	s := p.Leases
	believed := func(l lease.Lease, err error, r lease.Request) (lease.Lease, error) {
		if err == nil {
			l.Until = r.Until
		}
		return l, err
	}
	p.Leases = &leases{
		Store: s,
		take: func(ctx context.Context, r lease.Request) (lease.Lease, error) {
			l, err := s.TakeLease(ctx, lease.Request{Connection: r.Connection, Owner: r.Owner, Floor: r.Floor, Now: r.Now, Until: r.Now.Add(short)})
			return believed(l, err, r)
		},
		adopt: func(ctx context.Context, given lease.Lease, r lease.Request) (lease.Lease, error) {
			l, err := s.AdoptLease(ctx, given, lease.Request{Connection: r.Connection, Owner: r.Owner, Now: r.Now, Until: r.Now.Add(short)})
			return believed(l, err, r)
		},
		extend: func(_ context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
			held.Until, held.Epoch = until, max(epoch, held.Epoch)
			return held, nil
		},
	}
}

// unfenced: the same, and the table takes every write.
func unfenced(p *Ports) {
	shortLease(p)
	s, locks := p.Grants, p.Leases
	p.Grants = &grants{Store: s, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		err := s.PutGrant(ctx, held, g)
		if !errors.Is(err, grant.ErrFenced) {
			return err
		}
		now, err := s.Grant(ctx, g.Connection, grant.Strong)
		if err != nil {
			return err
		}
		held.Epoch, held.Owner = now.Epoch, now.Owner
		return s.PutGrant(ctx, held, g)
	}}
	p.Leases = locks
}

// sharedEpoch: an adopted lease keeps owner and epoch, so that a second
// delivery adopts it again.
func sharedEpoch(p *Ports) {
	s := p.Leases
	p.Leases = &leases{Store: s, adopt: func(ctx context.Context, given lease.Lease, r lease.Request) (lease.Lease, error) {
		return s.ExtendLease(ctx, lease.Lease{Connection: r.Connection, Owner: given.Owner, Epoch: given.Epoch}, given.Epoch, r.Until)
	}}
}

// grants lets single methods be changed.
type grants struct {
	grant.Store
	get func(grant.Grant) grant.Grant
	put func(context.Context, lease.Lease, grant.Grant) error
}

func (s *grants) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	g, err := s.Store.Grant(ctx, name, c)
	if err == nil && s.get != nil {
		g = s.get(g)
	}
	return g, err
}

func (s *grants) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	if s.put == nil {
		return s.Store.PutGrant(ctx, held, g)
	}
	return s.put(ctx, held, g)
}

// written lets g be changed before it is stored.
func written(p *Ports, change func(grant.Grant) grant.Grant) {
	s := p.Grants
	p.Grants = &grants{Store: s, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		return s.PutGrant(ctx, held, change(g))
	}}
}

// outsideIndex: what waits has no index entry.
func outsideIndex(p *Ports) {
	written(p, func(g grant.Grant) grant.Grant {
		if g.Waiting() && len(g.Unpublished) == 0 {
			g.Shard, g.DueAt = "", time.Time{}
		}
		return g
	})
}

// revokeFirst: a refresh token that a login is to replace is revoked before it.
func revokeFirst(p *Ports) {
	vault, w := p.RefreshTokens, p.By.w
	exchanged(p, func(inner reltioauth.Transport, r *http.Request) (*http.Response, error) {
		client, _, _ := r.BasicAuth()
		c := w.byClient[client]
		if c == nil || c.Type != connection.Password || credentialsOf(r) == 0 {
			return inner.RoundTrip(r)
		}
		if old, err := vault.Current(r.Context(), c.name); err == nil && !old.Token.IsZero() {
			revoke := again(r)
			revoke.URL.Path = "/oauth/revoke"
			form := url.Values{"token": {old.Token.Reveal()}}.Encode()
			revoke.Body, revoke.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
			revoke.GetBody = nil
			if _, err := inner.RoundTrip(revoke); err != nil {
				return nil, err
			}
		}
		return inner.RoundTrip(r)
	})
}

// earlyWindow: the last minutes of a token are always tried, though the server
// gives the same one.
func earlyWindow(p *Ports) {
	s := p.Grants
	p.Grants = &grants{Store: s, get: func(g grant.Grant) grant.Grant {
		g.LoginMode, g.RefreshMode, g.RepeatedUntil = grant.Unknown, grant.Unknown, time.Time{}
		return g
	}, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		if g.HasToken() && !g.Waiting() && g.Status != grant.StatusPaused && !g.RetryAt.After(g.DueAt) && g.Relogin == "" {
			if early := g.ExpiresAt.Add(-5 * time.Minute); early.Before(g.DueAt) {
				g.DueAt = early
			}
		}
		return s.PutGrant(ctx, held, g)
	}}
}

// endlessly: a failure has no consequences: what is read of it is due at once.
func endlessly(p *Ports) {
	now, s := p.Now, p.Grants
	p.Grants = &grants{Store: s, get: func(g grant.Grant) grant.Grant {
		if g.Waiting() || g.Status == grant.StatusFailing {
			g.Status, g.RetryAt, g.TriedAt = grant.StatusFailing, now(), time.Time{}
		}
		return g
	}, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		if g.Waiting() || g.Status == grant.StatusFailing {
			g.DueAt = now()
		}
		return s.PutGrant(ctx, held, g)
	}}
}

// strict: a caller is told of trouble though the token is valid.
func strict(p *Ports) {
	if p.By.kind != "issue" {
		return
	}
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		if g.Failing() {
			g = g.WithoutToken()
		}
		return g
	}}
}

// pastEnd: a token is handed out for a minute after its end.
func pastEnd(p *Ports) {
	if p.By.kind != "issue" {
		return
	}
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		g.ExpiresAt = g.ExpiresAt.Add(time.Minute)
		return g
	}}
}

// sharedKey: what one connection's caller read answers those of others with the
// same server and grant type for a while.
func sharedKey() func(*Ports) {
	var mu sync.Mutex
	seen := map[string]grant.Grant{}
	return func(p *Ports) {
		if p.By.kind != "issue" {
			return
		}
		p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
			mu.Lock()
			defer mu.Unlock()
			key := string(g.LoginMode)
			if other, ok := seen[key]; ok && other.Valid(p.By.w.now()) {
				other.Connection, other.Aliases = g.Connection, g.Aliases
				return other
			}
			if g.Valid(p.By.w.now()) {
				seen[key] = g
			}
			return g
		}}
	}
}

// accounts counts late: what is counted before the answer stays in memory until
// the grant is written.
type accounts struct {
	lockout.Store
	mu   sync.Mutex
	open map[string]lockout.Try
}

func (a *accounts) CountLogin(_ context.Context, t lockout.Try) (lockout.Record, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[t.Connection] = t
	return lockout.Record{Connection: t.Connection, CredentialsHash: t.CredentialsHash, Attempts: 1, Unclear: 1, TriedAt: t.Now}, nil
}

func (a *accounts) SettleLogin(ctx context.Context, t lockout.Try, o lockout.Outcome) error {
	a.mu.Lock()
	if o == lockout.Nothing || o == lockout.Accepted {
		delete(a.open, t.Connection)
	}
	a.mu.Unlock()
	return a.Store.SettleLogin(ctx, t, o)
}

func lateCounter(p *Ports) {
	a := &accounts{Store: p.Lockouts, open: map[string]lockout.Try{}}
	p.Lockouts = a
	s := p.Grants
	p.Grants = &grants{Store: s, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		a.mu.Lock()
		t, ok := a.open[g.Connection]
		delete(a.open, g.Connection)
		a.mu.Unlock()
		if ok {
			if r, err := a.Store.CountLogin(ctx, t); errors.Is(err, lockout.ErrAtLimit) || err == nil && r.Attempts >= t.Limit {
				g = g.Failed(grant.StatusCredentialsRejected, g.Error(p.Now()), p.Now(), 0, 0)
				g = g.Announced(grant.Grant{}, p.Now(), false).Indexed(p.Now())
			}
		}
		return s.PutGrant(ctx, held, g)
	}}
}

// refreshTokenMutant lets reads be changed.
type refreshTokenMutant struct {
	grant.RefreshTokenStore
	current func(context.Context, string) (grant.RefreshToken, error)
	version func(context.Context, string, string) (grant.RefreshToken, error)
}

func (v *refreshTokenMutant) Current(ctx context.Context, name string) (grant.RefreshToken, error) {
	return v.current(ctx, name)
}

func (v *refreshTokenMutant) Version(ctx context.Context, name, version string) (grant.RefreshToken, error) {
	return v.version(ctx, name, version)
}

// olderFirst: of the two versions the older one comes first, and is believed
// when the server refuses it.
func olderFirst(p *Ports) {
	s := p.RefreshTokens
	p.RefreshTokens = &refreshTokenMutant{
		RefreshTokenStore: s,
		current: func(ctx context.Context, name string) (grant.RefreshToken, error) {
			g, err := p.Grants.Grant(ctx, name, grant.Strong)
			if err == nil && g.SecretVersion != "" {
				return s.Version(ctx, name, g.SecretVersion)
			}
			return s.Current(ctx, name)
		},
		version: s.Version,
	}
}

// lineMutant lets the exchange be changed.
type lineMutant struct {
	reltioauth.Transport
	trip func(reltioauth.Transport, *http.Request) (*http.Response, error)
}

func (l *lineMutant) RoundTrip(r *http.Request) (*http.Response, error) {
	return l.trip(l.Transport, r)
}

func exchanged(p *Ports, trip func(reltioauth.Transport, *http.Request) (*http.Response, error)) {
	connect := p.Connect
	p.Connect = func(ctx context.Context, u *url.URL) (reltioauth.Transport, error) {
		inner, err := connect(ctx, u)
		if err != nil {
			return nil, err
		}
		return &lineMutant{Transport: inner, trip: trip}, nil
	}
}

// again is a copy of a request that can be sent once more.
func again(r *http.Request) *http.Request {
	next := r.Clone(r.Context())
	if r.GetBody != nil {
		next.Body, _ = r.GetBody()
	}
	return next
}

// convoy: a 429 is answered by five more requests.
func convoy(p *Ports) {
	exchanged(p, func(inner reltioauth.Transport, r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		for range 5 {
			if err != nil || response.StatusCode != http.StatusTooManyRequests {
				break
			}
			response, err = inner.RoundTrip(again(r))
		}
		return response, err
	})
}

// otherStyle: a refused client is tried once more with its credentials in the
// body.
func otherStyle(p *Ports) {
	exchanged(p, func(inner reltioauth.Transport, r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		if err != nil || response.StatusCode/100 != 4 || r.URL.Path != "/oauth/token" {
			return response, err
		}
		id, secret, _ := r.BasicAuth()
		next := again(r)
		body, err := io.ReadAll(next.Body)
		if err != nil {
			return nil, err
		}
		form := string(body) + "&" + url.Values{"client_id": {id}, "client_secret": {secret}}.Encode()
		next.Header.Del("Authorization")
		next.Body = io.NopCloser(strings.NewReader(form))
		next.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(form)), nil }
		next.ContentLength = int64(len(form))
		return inner.RoundTrip(next)
	})
}

// validatedFirst: an answer whose expires_in is no number is thrown away whole.
func validatedFirst(p *Ports) {
	exchanged(p, func(inner reltioauth.Transport, r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || strings.Contains(string(body), `"expires_in":"soon"`) {
			return nil, errors.New("unusable")
		}
		response.Body = io.NopCloser(strings.NewReader(string(body)))
		return response, nil
	})
}

// deletedAfterError: a network error costs the refresh token.
func deletedAfterError(p *Ports) {
	failed := false
	exchanged(p, func(inner reltioauth.Transport, r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		failed = err != nil
		return response, err
	})
	s, vault := p.Grants, p.RefreshTokens
	p.Grants = &grants{Store: s, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		if failed && g.Status == grant.StatusFailing && g.HasRefreshToken() {
			failed = false
			current, err := vault.Current(ctx, g.Connection)
			if err != nil {
				return err
			}
			if _, err := vault.Put(ctx, g.Connection, grant.RefreshToken{LoggedInAt: p.Now(), Epoch: current.Epoch + 1}); err != nil {
				return err
			}
			g.RefreshFingerprint, g.SecretVersion = "", ""
			g = g.Indexed(p.Now()) // what it forgot changes when it is due
		}
		return s.PutGrant(ctx, held, g)
	}}
}

// rotator lets requests be changed.
type rotator struct {
	rotateapi.Function
	change func(rotateapi.Request) rotateapi.Request
}

func (f *rotator) Rotate(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
	return f.Function.Rotate(ctx, f.change(r))
}

func (f *rotator) RotateLater(ctx context.Context, r rotateapi.Request) error {
	return f.Function.RotateLater(ctx, f.change(r))
}

// everyCall: each call has the token renewed.
func everyCall(p *Ports) {
	if p.By.kind != "issue" {
		return
	}
	p.Rotate = &rotator{Function: p.Rotate, change: func(r rotateapi.Request) rotateapi.Request {
		r.Force = true
		return r
	}}
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		if g.Status == grant.StatusOK {
			g = g.WithoutToken()
		}
		return g
	}}
}

// unlimited gives every request its slot at once.
type unlimited struct{ ratelimit.Store }

func (b unlimited) Reserve(_ context.Context, _ string, w ratelimit.Window) (time.Time, error) {
	return w.Earliest, nil
}

func noRateLimit(p *Ports) { p.RateLimits = unlimited{p.RateLimits} }

// tenSecondsShort: a token is believed to end ten seconds before it does, so that its
// refresh is sent while the server still takes it.
func tenSecondsShort(p *Ports) {
	s := p.Grants
	p.Grants = &grants{Store: s, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		before, err := s.Grant(ctx, g.Connection, grant.Strong)
		if (err == nil || errors.Is(err, grant.ErrNotFound)) && g.Fingerprint != before.Fingerprint {
			g.ExpiresAt = g.ExpiresAt.Add(-10 * time.Second)
			g = g.Indexed(p.Now())
		}
		return s.PutGrant(ctx, held, g)
	}}
}

// silent: events are dropped.
func silent(p *Ports) { p.Events = nil }

var _ connection.Secrets = (*stores)(nil)
