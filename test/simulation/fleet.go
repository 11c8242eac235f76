package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Spec is a connection and its side of the server.
type Spec struct {
	Name string
	Type connection.GrantType
	// Host is the number of its authorization server.
	Host      int
	Behaviour reltioauthtest.Behaviour
	// TTL and RefreshTTL of its client's tokens; 0 means an hour and 28 days.
	// The secret's refresh_token_days says the same as RefreshTTL.
	TTL, RefreshTTL time.Duration
	// MultiToken is the client's cap.
	MultiToken int
	// User is the account; empty means one of its own.
	User string
	// Wrong: the secret has a wrong password, or a wrong client secret.
	Wrong bool
	// Aliases of the issue function that may have it.
	Aliases []string
}

// conn is a connection as the world knows it: what its secret says, what the
// server takes, and the judge's memory of it.
type conn struct {
	Spec
	name string
	host *host
	// client, clientSecret, user and password stand in the secret; takes and
	// takesClient are what the server takes. Operators and people change them.
	// Guarded by the world's mu.
	client, clientSecret, user, password string
	takes, takesClient                   string
	made                                 int
	// gone: the secret is deleted. broken: it cannot be parsed. paused by an
	// operator. mending: a person or an operator is about to put it right.
	gone, broken, paused, mending bool

	judged
}

func (c *conn) about() string {
	return fmt.Sprintf("%s: %s at %s, token %s, refresh %s, %+v", c.name, c.Type, c.host.name, c.ttl(), c.refreshTTL(), c.Behaviour)
}

// account is the user whose logins are counted; empty for a client's own.
func (c *conn) account() string {
	if c.Type == connection.Password {
		return c.user
	}
	return ""
}

func (c *conn) ttl() time.Duration {
	if c.TTL == 0 {
		return time.Hour
	}
	return c.TTL
}

func (c *conn) refreshTTL() time.Duration {
	if c.RefreshTTL == 0 {
		return 28 * Day
	}
	return c.RefreshTTL
}

// fleet is what the seed makes.
func (w *World) fleet(n int) []Spec {
	specs := make([]Spec, n)
	for i := range specs {
		specs[i] = w.spec(i)
	}
	return specs
}

func (w *World) spec(n int) Spec {
	r := w.random
	s := Spec{Name: fmt.Sprintf("c%04d", n), Host: r.IntN(len(w.hostList)), TTL: time.Hour, RefreshTTL: 28 * Day}
	switch p := r.Float64(); {
	case p < 0.4:
		s.Type = connection.ClientCredentials
	case p < 0.75:
		s.Type = connection.Password
	default:
		s.Type = connection.AuthorizationCode
	}
	switch p := r.IntN(40); { // the shortest are renewed often enough as it is
	case p < 1:
		s.TTL = 5 * time.Minute
	case p < 5:
		s.TTL = 20 * time.Minute
	case p < 9:
		s.TTL = 2 * time.Hour
	case p < 13:
		s.TTL = 12 * time.Hour
	}
	if r.IntN(4) == 0 {
		s.RefreshTTL = time.Duration(1+r.IntN(6)) * Day
	}
	if s.Type == connection.ClientCredentials && r.IntN(5) == 0 {
		s.MultiToken = 2 + r.IntN(5)
	}
	if r.IntN(6) == 0 {
		s.Aliases = []string{"blue", "green"}[:1+r.IntN(2)]
	}
	s.Wrong = !w.cfg.Stores && s.Type != connection.AuthorizationCode && r.IntN(15) == 0
	s.Behaviour = w.behaviour()
	if s.TTL < time.Hour {
		s.Behaviour.ReuseRevokes = false // the sandbox would remember thousands of tokens
	}
	return s
}

// behaviour is one of a server: mostly the framework, in one of its settings.
// A server's behaviour that is not known of any, and that no client could serve with, stays out: that a
// inactive token is given again until its end.
func (w *World) behaviour() reltioauthtest.Behaviour {
	r := w.random
	if r.IntN(8) < 3 {
		return w.dressed(w.documented())
	}
	b := reltioauthtest.Behaviour{
		NoEntryPoint:         r.IntN(6) == 0,
		ServerErrorAtRefresh: r.IntN(4) == 0,
		CheckDenied:          r.IntN(4) == 0,
		UUIDs:                r.IntN(4) == 0,
	}
	if r.IntN(3) == 0 {
		b.RefreshTokens, b.RestartClock = reltioauthtest.Rotate, true
	}
	if r.IntN(8) == 0 {
		b.Errors = reltioauthtest.Framework23Errors
	}
	return w.dressed(b)
}

// documented is one of a server that speaks as Reltio documents, and differs
// from the framework in whatever may differ.
func (w *World) documented() reltioauthtest.Behaviour {
	r := w.random
	b := reltioauthtest.Behaviour{
		Login:             w.renewal(),
		Refresh:           w.renewal(),
		Code:              w.renewal(),
		LoginRefreshToken: w.renewal(),
		CodeRefreshToken:  reltioauthtest.NewToken,
		RefreshTokens:     reltioauthtest.Rotation(r.IntN(2)),
		RestartClock:      r.IntN(4) == 0,
		ReuseRevokes:      r.IntN(4) == 0,
		KilledTokens:      reltioauthtest.KilledTokens(r.IntN(2)),
		ExpiresInString:   r.IntN(6) == 0,
		OmitRefreshToken:  r.IntN(12) == 0,

		OmitRefreshTokenOnRefresh: r.IntN(8) == 0,
		ManagementErrors:          r.IntN(4) == 0,
		CheckDenied:               r.IntN(8) == 0,
	}
	b = b.OrDocumented()
	b.RevokeSparesRefreshToken = r.IntN(2) == 0
	if b.RefreshTokens == reltioauthtest.Rotate {
		b.OmitRefreshTokenOnRefresh = false // no client could go on
		if r.IntN(2) == 0 {
			b.RotationGrace = 10 * time.Minute
		}
	}
	if r.IntN(3) == 0 {
		b.DeadRefreshStatus, b.DeadTokenStatus = http.StatusUnauthorized, http.StatusUnauthorized
	}
	return b
}

// renewal is one of the ways of a Renewal that a server may have.
func (w *World) renewal() reltioauthtest.Renewal {
	return reltioauthtest.SameToken + reltioauthtest.Renewal(w.random.IntN(3))
}

// dressed is the server behind something that changes how its responses look,
// as a few are.
func (w *World) dressed(b reltioauthtest.Behaviour) reltioauthtest.Behaviour {
	r := w.random
	if r.IntN(5) == 0 {
		b.DressRefusals = reltioauthtest.DressGzip + reltioauthtest.Dress(r.IntN(int(reltioauthtest.DressScopeList-reltioauthtest.DressGzip)))
	}
	if r.IntN(5) == 0 {
		tokens := []reltioauthtest.Dress{
			reltioauthtest.DressGzip, reltioauthtest.DressHTMLLabel, reltioauthtest.DressByteOrderMark,
			reltioauthtest.DressScopeList, reltioauthtest.DressTokenTypeNumber, reltioauthtest.DressLatin1,
		}
		b.DressTokens = tokens[r.IntN(len(tokens))]
	}
	return b
}

// readable reports whether the words of the server's refusals arrive.
func (c *conn) readable() bool { return c.Behaviour.DressRefusals < reltioauthtest.DressPage }

// Populate adds connections, all at once, before anything runs.
func (w *World) Populate(specs []Spec) {
	clients := make(map[*host][]reltioauthtest.Client)
	users := make(map[*host][]reltioauthtest.User)
	for _, s := range specs {
		c := w.newConn(s)
		clients[c.host] = append(clients[c.host], c.registration())
		if c.Type == connection.ClientCredentials || s.User != "" && w.shared(c) {
			continue
		}
		users[c.host] = append(users[c.host],
			reltioauthtest.User{Username: c.user, Password: reltioauth.NewSecret(c.takes)},
			reltioauthtest.User{Username: c.other(), Password: reltioauth.NewSecret(c.takes)})
	}
	if len(w.connList) > many {
		w.kept = keptOfMany
	}
	for _, h := range w.hostList {
		h.server.Configure(func(cfg *reltioauthtest.Config) {
			cfg.Clients = append(cfg.Clients, clients[h]...)
			cfg.Users = append(cfg.Users, users[h]...)
		})
	}
	for _, s := range specs {
		w.writeSecret(w.conns[s.Name])
	}
}

// shared reports whether another connection named the same user before.
func (w *World) shared(c *conn) bool {
	for _, other := range w.connList {
		if other == c {
			return false
		}
		if other.user == c.user && other.host == c.host {
			return true
		}
	}
	return false
}

func (w *World) newConn(s Spec) *conn {
	h := w.hostList[s.Host]
	c := &conn{
		Spec: s, name: s.Name, host: h,
		client: "client-" + s.Name, clientSecret: "client-secret-1", takesClient: "client-secret-1",
		user: s.User, password: "password-1", takes: "password-1",
	}
	if c.user == "" {
		c.user = c.first()
	}
	c.mistake()
	c.begin()
	w.conns[c.name], w.byClient[c.client] = c, c
	w.connList = append(w.connList, c)
	return c
}

// mistake puts it into the secret of a connection whose operator makes one.
func (c *conn) mistake() {
	switch {
	case !c.Wrong:
	case c.Type == connection.ClientCredentials:
		c.clientSecret = "wrong"
	default:
		c.password = "wrong"
	}
}

// first and other are the users to whom an operator gives the connection,
// one after the other.
func (c *conn) first() string { return "user-" + c.name }
func (c *conn) other() string { return "other-" + c.name }

func (c *conn) registration() reltioauthtest.Client {
	b := c.Behaviour
	return reltioauthtest.Client{
		ID: c.client, Secret: reltioauth.NewSecret(c.takesClient), AccessTokenTTL: c.ttl(),
		RefreshTokenTTL: c.refreshTTL(), MultiToken: c.MultiToken, Behaviour: &b,
	}
}

// writeSecret is what an operator does; mu is not held.
func (w *World) writeSecret(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.made++
	c.wrote(w.now(), c.identity())
	if c.stored.Status == grant.StatusUnknown { // nothing was left of what was refused before
		c.row, c.failures, c.notBefore = 0, 0, time.Time{}
	}
	w.noteLocked(nil, step{op: "operator", about: c.name, text: "writes the secret"})
	_, _ = w.secrets.PutConnection(w.ctx, c.name, reltioauth.NewSecret(c.secretText())) // it never fails
}

// identity is whose tokens the secret asks for; empty for a secret that cannot
// be read.
func (c *conn) identity() string {
	switch {
	case c.broken || c.gone:
		return ""
	case c.Type == connection.Password:
		return c.client + "/" + c.user
	default:
		return c.client
	}
}

func (c *conn) secretText() string {
	if c.broken {
		return `{"grant_type":"password"`
	}
	fields := map[string]any{
		"grant_type": c.Type, "client_id": c.client, "client_secret": c.clientSecret, "auth_url": c.host.url,
	}
	switch c.Type {
	case connection.Password:
		fields["username"], fields["password"] = c.user, c.password
	case connection.AuthorizationCode:
		fields["tenant_id"] = "tenant-" + c.name
	case connection.ClientCredentials:
	}
	if c.Type != connection.ClientCredentials && c.refreshTTL() != 28*Day {
		fields["refresh_token_days"] = c.refreshTTL().Hours() / 24
	}
	if len(c.Aliases) > 0 {
		fields["aliases"] = c.Aliases
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return ""
	}
	return string(text)
}
