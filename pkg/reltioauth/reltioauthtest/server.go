package reltioauthtest

import (
	"context"
	"html/template"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Server is the sandbox. It is an http.Handler for the paths below /oauth/
// and safe for concurrent use. Make one with [New] or [NewServer].
type Server struct {
	settings atomic.Pointer[settings]
	outage   atomic.Pointer[Outage]
	page     *template.Template // the login page
	listener listener

	// configuring serializes Configure, including its function.
	configuring sync.Mutex

	// mu guards all fields below. It is held neither while a request waits nor
	// while a function of the Config other than Rand runs.
	mu     sync.Mutex
	last   time.Time // the latest moment seen; time never goes backwards
	work   int       // requests since the last sweep
	tokens tokenStore
	logins map[string]*loginState   // by userKey
	codes  map[string]*code         // by fingerprint
	signed map[string]string        // users who stay logged in, by their cookie's fingerprint
	states map[string]*pendingLogin // by the state token's fingerprint
	limits map[string]*slidingCount // by client, or all under ""
	record record
}

// New makes a server. Call it through [Server.Connector], or make it listen with
// [Server.Start].
func New(cfg Config) *Server {
	s := &Server{
		page:   template.Must(template.New("login").Parse(loginPage)),
		tokens: newTokenStore(),
		logins: make(map[string]*loginState),
		codes:  make(map[string]*code),
		signed: make(map[string]string),
		states: make(map[string]*pendingLogin),
		limits: make(map[string]*slidingCount),
		record: newRecord(cfg.KeepRequests),
	}
	s.settings.Store(newSettings(cfg))
	return s
}

// Configure changes the server while it runs: change edits a copy of the Config,
// which then replaces the old one. A request in progress keeps the old one.
// Replace lists and pointers inside a Client or User; do not change them in
// place. Existing tokens do not change. change must not call Configure,
// SetPassword or SetClientSecret.
func (s *Server) Configure(change func(*Config)) {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	cfg := clone(s.settings.Load().Config)
	change(&cfg)
	s.settings.Store(newSettings(cfg))
}

// Client returns a client of this server, ready for use: over the network if the
// server has been started, else through its Connector. A client that the server
// does not know will be refused.
func (s *Server) Client(id string) *reltioauth.Client {
	set := s.settings.Load()
	client := &reltioauth.Client{ClientID: id, AuthURL: s.URL(), Now: set.Now}
	if client.AuthURL == "" {
		client.Connect = s.Connector()
	}
	if known := set.clients[id]; known != nil {
		client.ClientSecret = known.Secret
		client.ClientAuth = known.styles()[0]
		client.TokenInQuery = set.behaviour(id).TokenPlace == QueryOnly
	}
	return client
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(s.settings.Load(), r)
	s.arrive(c)
	a := s.handle(r.Context(), c)
	s.finish(c, a)
	a.send(w)
}

// arrive dates, counts and records the request.
func (s *Server) arrive(c *call) {
	now := c.set.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.req.At = s.tick(now)
	if c.req.Op == OpToken {
		c.limited = !s.admit(c)
	}
	c.number = s.record.begin(c.req)
}

// tick is the server's time: the clock's, but never backwards. The caller holds
// mu.
func (s *Server) tick(now time.Time) time.Time {
	if now = now.Round(0); now.After(s.last) {
		s.last = now
	}
	return s.last
}

// handle handles a request that has arrived, including faults.
func (s *Server) handle(ctx context.Context, c *call) answer {
	fault := s.faultFor(c)
	if wait(ctx, fault.Delay) != nil {
		return answer{cut: true, outcome: OutcomeAbandoned}
	}
	a := answer{}
	if fault.acts() {
		a = s.act(c, fault)
		c.verdict = a.outcome
		a = c.dressed(a)
	}
	if wait(ctx, fault.Hold) != nil {
		return answer{cut: true, outcome: OutcomeAbandoned}
	}
	if fault.replaces() {
		return fault.answer()
	}
	if fault.Kind == FaultTruncate {
		a.truncate, a.outcome = true, OutcomeCut
	}
	return a
}

// act does what the request asks for, or refuses it.
func (s *Server) act(c *call, fault Fault) answer {
	now := c.set.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.tick(now)
	s.sweepSometimes(c)
	if c.limited || (fault.Kind == FaultRateLimit && c.req.Op == OpToken) {
		return c.tooMany(OutcomeRateLimited)
	}
	c.fault = fault
	if err := s.refusal(c); err != nil {
		return c.refused(err)
	}
	a, err := s.endpoint(c)
	if err != nil {
		return c.refused(err)
	}
	return a
}

// refusal is the refusal during an outage that refuses every request.
func (s *Server) refusal(c *call) error {
	switch kind := c.fault.Kind; {
	case kind == FaultInvalidClient && c.req.Op != OpSSO && c.req.Op != OpLogin:
		return c.badClient()
	case kind != FaultInvalidGrant || c.req.Op != OpToken:
		return nil
	}
	switch c.req.GrantType {
	case grantPassword:
		return s.badLogin(c, c.set.users[c.req.User])
	case grantRefreshToken:
		return c.invalidRefreshToken(c.form.Get("refresh_token"))
	case grantAuthorizationCode:
		return c.invalidCode(c.form.Get("code"))
	}
	return nil
}

// endpoint calls the operation's own code. The caller holds mu.
func (s *Server) endpoint(c *call) (answer, error) {
	if err := c.readable(); err != nil {
		return answer{}, err
	}
	switch c.req.Op {
	case OpToken:
		return s.token(c)
	case OpRevoke:
		return s.revoke(c)
	case OpCheckToken:
		return s.checkToken(c)
	case OpSSO:
		return s.ssoPage(c)
	case OpLogin:
		return s.ssoLogin(c)
	default:
		return answer{}, &refusal{status: http.StatusNotFound, code: "not_found", text: "No such resource", management: true}
	}
}

// finish records how the request ended.
func (s *Server) finish(c *call, a answer) {
	c.req.Outcome = a.outcome
	c.req.Acted = c.verdict == OutcomeOK || c.verdict == OutcomeMFARequired
	if !a.cut && !a.truncate {
		c.req.Status = a.status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.finish(c.number, c.req, refusalOf(c, a))
}

// sweepSometimes removes everything that has expired. It reads all tokens, so it
// runs only after about as many requests as there are tokens. The caller holds
// mu.
func (s *Server) sweepSometimes(c *call) {
	s.work++
	if s.work < 1024 || s.work < len(s.tokens.access)+len(s.tokens.refresh)+len(s.codes)+len(s.states)+len(s.limits) {
		return
	}
	s.work = 0
	s.tokens.sweep(c.set, c.now)
	for fingerprint, code := range s.codes {
		if !c.now.Before(code.ends) {
			delete(s.codes, fingerprint)
		}
	}
	for fingerprint, pending := range s.states {
		if !c.now.Before(pending.ends) {
			delete(s.states, fingerprint)
		}
	}
	for client, count := range s.limits {
		if count.at(c.now) == 0 {
			delete(s.limits, client)
		}
	}
}
