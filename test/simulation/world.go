package simulation

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// World is a fleet with everything around it. Make one with New inside a
// bubble.
type World struct {
	cfg   Config
	ctx   context.Context //nolint:containedctx // the root of all invocations
	began time.Time
	// tables is what the processes' table holds now; operators swap it.
	tables  atomic.Pointer[memstore.Table]
	secrets memstore.Secrets
	allowed connection.Hosts
	// hosts by "host:port", conns by name; both fixed before anything runs.
	// Each in its order as well.
	hosts    map[string]*host
	hostList []*host
	conns    map[string]*conn
	connList []*conn
	byClient map[string]*conn
	kept     int // steps, in each ring
	// environments of the issue function; only the director touches the list.
	environments []*environment
	// agenda is what comes next; only the director touches it, and random.
	agenda agenda
	random *rand.Rand
	// running are all goroutines but the director's.
	running sync.WaitGroup
	// calling ends when people are called at once; only Live sets it.
	calling context.Context //nolint:containedctx // it ends a wait of days
	// onToken, if not nil, hears of each token request that arrived.
	onToken func(reltioauthtest.Request)
	// swapped is when the table last got another content.
	swapped atomic.Int64
	// fair: no weather any more. stopped: the world ends early.
	fair    atomic.Bool
	stopped atomic.Bool

	// moments guards taken: the moments at which something will happen.
	moments sync.Mutex
	taken   map[int64]bool

	// mu guards what follows, the judge's part of hosts and connections
	// included.
	mu   sync.Mutex
	made int
	// busy are connections by goroutine.
	busy   map[string]string
	storms []weather
	// warm are environments of the rotate function that wait for an invocation.
	warm []*renewal.Renewer
	// idle are environments of the issue function that no invocation of Invoke uses.
	idle []*environment
	// unwritable is since when Secrets Manager has refused a refresh token of each of them,
	// with no success since.
	unwritable map[*renewal.Renewer]time.Time
	// writable is until when Secrets Manager refuses all writes.
	writable time.Time
	// restorer wrote what is in a table that was swapped.
	restorer *Instance
	// journal has the weather and what operators do to all.
	journal ring
	// mute: until then no event can be expected to be sent.
	mute   time.Time
	global time.Time // until when the world as a whole is disturbed
	breach *Breach
	// refusals by account, then by credentials.
	refusals map[string]map[uint64]*logins
	figures  Figures
}

// host is an authorization server.
type host struct {
	name, url string
	server    *reltioauthtest.Server
	// mu lets one request act at a time, with its fault.
	mu    sync.Mutex
	fault reltioauthtest.Fault

	// The judge's part.
	window      []int64
	pausedUntil time.Time
	disturbed   time.Time
	troubled    time.Time
	trouble     trouble
	refusing    bool
	// refusingSince and probed date what a refusing host gets.
	refusingSince, probed time.Time
	prober                string
	// downSince is since when our own record says that it is down; zero: it does not.
	// asked are the token requests of the last minute.
	downSince time.Time
	asked     []time.Time
	// workedAt is when a refusing host was last seen to work.
	workedAt time.Time
	ring     ring
	// misdated: until then reservations of a wrong clock may be in its record.
	misdated time.Time
	// backlogs were counted lately.
	backlogs []backlog
}

// hostNames are the authorization servers that there can be.
var hostNames = [...]string{"auth.reltio.com", "auth-stg.reltio.com", "auth-eu.reltio.com", "auth-us.reltio.com"}

// New makes a world; with Connections, the fleet that the seed says.
func New(cfg Config) *World {
	w := &World{
		cfg:      cfg,
		ctx:      context.Background(),
		began:    cfg.Now(),
		hosts:    map[string]*host{},
		conns:    map[string]*conn{},
		byClient: map[string]*conn{},
		random:   rand.New(rand.NewPCG(cfg.Seed, 0x5eed)),
		taken:    map[int64]bool{},
		refusals: map[string]map[uint64]*logins{},
		busy:     map[string]string{},

		unwritable: map[*renewal.Renewer]time.Time{},
	}
	for n := range max(1, cfg.Hosts) {
		h := &host{name: hostNames[n] + ":443", url: "https://" + hostNames[n]}
		var seed [32]byte
		seed[0], seed[1], seed[2], seed[3] = byte(cfg.Seed), byte(cfg.Seed>>8), byte(cfg.Seed>>16), byte(n)
		h.server = reltioauthtest.New(reltioauthtest.Config{
			Now: cfg.Now, Rand: rand.NewChaCha8(seed), KeepRequests: 1,
			LockAfter: -1, // the judge counts, and is stricter
			Fault:     func(reltioauthtest.Request) reltioauthtest.Fault { return h.fault },
		})
		w.hosts[h.name] = h
		w.hostList = append(w.hostList, h)
		w.allowed = append(w.allowed, h.name)
	}
	w.tables.Store(new(memstore.Table))
	w.kept = keptUsually
	w.restorer = w.spawn(operatorKind)
	for range 3 {
		w.environments = append(w.environments, w.environment())
	}
	if cfg.Connections > 0 {
		w.Populate(w.fleet(cfg.Connections))
	}
	return w
}

// table is the one that processes reach.
func (w *World) table() *memstore.Table { return w.tables.Load() }

// Breach is the first invariant that broke; nil if none did.
func (w *World) Breach() *Breach {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.breach
}

// Figures are what happened, in numbers.
func (w *World) Figures() Figures {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.figures
}

// Figures counts what happened in a world.
type Figures struct {
	Requests, Granted, Throttled int
	// Refused and Unclear are logins of users, RefusedClients all other requests
	// that were refused.
	Refused, Unclear, RefusedClients  int
	Sweeps, Renewed, LeftOver, Failed int
	Calls, Answers, Errors            int
	Writes, Fenced, Faults, Deaths    int
	// Calling are the events that call a person or an operator.
	Events, Calling, People int
	// Rejected of them say that credentials are.
	Rejected int
	Needed   Needed
	// Parked are refresh tokens that Secrets Manager did not take, Misdated what wrong
	// clocks did.
	Parked, Misdated int
	// Unstored is the metric of that name.
	Unstored int
	// Latest is the longest that a due renewal waited; Window the most token
	// requests that one host got within a second.
	Latest time.Duration
	Window int
	// Digest is made of everything that happened: two runs with the same
	// digest are the same run.
	Digest uint64
}

// stormy reports whether there is any weather.
func (w *World) stormy() bool { return !w.fair.Load() }

// disturb notes that a connection, or a host, cannot be expected to be served
// in time until a moment.
func (w *World) disturb(about string, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disturbLocked(about, until)
}

func (w *World) disturbLocked(about string, until time.Time) {
	if c := w.conns[about]; c != nil {
		c.disturbed = later(c.disturbed, until)
		return
	}
	if h := w.hosts[about]; h != nil {
		h.disturbed = later(h.disturbed, until)
		return
	}
	w.global = later(w.global, until)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// disturbance is the end of everything that kept a connection from being
// served in time; mu is held.
func (w *World) disturbance(c *conn) time.Time {
	return later(later(c.disturbed, w.global), w.hosts[c.host.name].disturbed)
}
