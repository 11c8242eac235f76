package renewal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

var planned = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

var errStore = apierr.New(apierr.StoreUnavailable, "the store is down")

// parsed is a connection of a grant type.
func parsed(t *testing.T, fields string) *connection.Connection {
	t.Helper()
	c, err := connection.Parse("acme", connection.Source{
		Value: reltioauth.NewSecret(`{"client_id":"client-1","client_secret":"s",` + fields + `}`), Version: "secret-1",
	}, connection.Hosts{"auth.reltio.com:443"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	byPassword = `"grant_type":"password","username":"ann","password":"p"`
	byClient   = `"grant_type":"client_credentials"`
	byPerson   = `"grant_type":"authorization_code","tenant_id":"tenant"`
)

// observing is the observation of a grant with half an hour left, a refresh token
// and no trouble, after a look.
func observing(t *testing.T, fields string, seen look) observation {
	t.Helper()
	c := parsed(t, fields)
	g := grant.Grant{
		Connection: "acme", Status: grant.StatusOK, Identity: c.IdentityHash(), ConnectionVersion: c.Version,
		AccessToken: reltioauth.NewSecret("token-1"), Fingerprint: "sha256:one", Version: 7,
		IssuedAt: planned.Add(-30 * time.Minute), ExpiresAt: planned.Add(30 * time.Minute),
		RefreshMode: grant.AtEnd, LoginMode: grant.AtEnd,
	}
	o := observation{now: planned, loginAttempts: 2, announces: true, seen: seen, connection: c, version: c.Version}
	if c.Refreshes() {
		r := grant.RefreshToken{Token: reltioauth.NewSecret("refresh-1"), LoggedInAt: planned.Add(-24 * time.Hour), Epoch: 3, Identity: c.IdentityHash(), Version: "v1"}
		g = g.WithRefreshToken(r, c.RefreshTokenLife)
		o.tokens = tokens{usable: []grant.RefreshToken{r}, newest: r, highest: 3}
	}
	o = o.read(g)
	o.found = g
	return o
}

// over makes the access token of an observation end a while ago.
func over(o *observation) {
	o.grant.IssuedAt, o.grant.ExpiresAt = planned.Add(-61*time.Minute), planned.Add(-time.Minute)
	o.stored = o.grant
}

// become gives the grant a status that it has had since before the renewal.
func (o *observation) become(s grant.Status) {
	over(o)
	o.grant.Status, o.grant.Failures, o.grant.RetryAt = s, 1, planned.Add(-time.Second)
	o.grant.LastError = apierr.ReauthorizationRequired
	o.stored, o.found = o.grant, o.grant
}

// open opens the circuit of the host.
func open(o *observation) { o.host.Refused = []string{"a", "b", "c"} }

// told says an action in words.
func told(a action) string {
	looks := map[look]string{
		theGrant: "the grant", theDueMoment: "the clock", theVersion: "the version", endingConnection: "the ending connection",
		endingTokens: "the ending tokens", theConnection: "the connection", theTombstone: "the tombstone", theReset: "the reset",
		theHost: "the host", theTokens: "the refresh tokens", theTokenStore: "the token store",
	}
	steps := map[kind]string{login: "login", refresh: "refresh", check: "check", revokeAccess: "revoke access", revokeRefresh: "revoke refresh", knock: "knock"}
	switch {
	case a.look != nothing:
		return "read " + looks[a.look]
	case a.end == nil && a.step.probe > 0:
		return "probe with " + steps[a.step.kind]
	case a.end == nil:
		return steps[a.step.kind]
	case a.end.err == nil:
		return string(a.end.outcome)
	}
	return fmt.Sprintf("%s: %s", a.end.outcome, a.end.err.Type)
}

// plans is a table of decisions: what was seen, and what is done.
type plans map[string]struct {
	fields string
	seen   look
	change func(o *observation, p *progress)
	want   string
}

func (rows plans) run(t *testing.T) {
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			o, p := observing(t, row.fields, row.seen), progress{}
			if row.change != nil {
				row.change(&o, &p)
			}
			before := fmt.Sprintf("%+v %+v", o, p)
			if got := told(plan(o, p)); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if after := fmt.Sprintf("%+v %+v", o, p); after != before {
				t.Error("a plan has changed what it was made from")
			}
		})
	}
}

// When a grant is renewed, and what has to be read for that.
func TestPlanWhen(t *testing.T) {
	plans{
		"nothing is known":            {byPassword, nothing, nil, "read the grant"},
		"the grant cannot be read":    {byPassword, theGrant, func(o *observation, _ *progress) { o.err, o.grant = errStore, grant.Grant{} }, "failed: StoreUnavailable"},
		"the lease was lost":          {byPassword, theGrant, func(o *observation, _ *progress) { o.err = lease.ErrLost }, "contended"},
		"paused by an operator":       {byPassword, theGrant, func(o *observation, p *progress) { o.become(grant.StatusPaused); p.asked.Force = true }, "unchanged: ConnectionPaused"},
		"not due":                     {byPassword, theGrant, nil, "unchanged"},
		"not due, forced":             {byPassword, theGrant, func(_ *observation, p *progress) { p.asked.Force = true }, "read the connection"},
		"not due, min_ttl, in at_end": {byPassword, theGrant, func(_ *observation, p *progress) { p.asked.MinTTLSeconds = 3000 }, "unchanged"},
		"not due, min_ttl, in overlap": {byPassword, theGrant, func(o *observation, p *progress) {
			o.grant.RefreshMode, o.grant.IssuedAt = grant.Overlap, planned.Add(-40*time.Minute)
			p.asked.MinTTLSeconds = 3000
		}, "read the connection"},
		"due in seconds, asked by name": {byPassword, theGrant, func(o *observation, _ *progress) { o.grant.ExpiresAt = planned.Add(2 * time.Second) }, "read the clock"},
		"due in seconds, found by a sweep": {byPassword, theGrant, func(o *observation, p *progress) {
			o.grant.ExpiresAt = planned.Add(2 * time.Second)
			p.origin = bySweep
			o.stored.DueAt = planned.Add(3 * time.Second)
		}, "unchanged"},
		"the due moment came":                {byPassword, theDueMoment, nil, "read the connection"},
		"no time to wait for the due moment": {byPassword, theDueMoment, func(o *observation, _ *progress) { o.err = errNoTime }, "left_over"},
		"due":                                {byPassword, theGrant, func(o *observation, _ *progress) { over(o) }, "read the connection"},
		"due, and before retry_at": {byPassword, theGrant, func(o *observation, _ *progress) {
			o.become(grant.StatusFailing)
			o.grant.RetryAt = planned.Add(time.Minute)
			o.grant.LastError = apierr.ReltioUnavailable
		}, "unchanged: ReltioUnavailable"},
		"the pass before decided":         {byPassword, theGrant, func(_ *observation, p *progress) { p.phase = continuing }, "read the connection"},
		"a repeated token is not due yet": {byPassword, theGrant, func(_ *observation, p *progress) { p.asked.Force = true; *p = p.then(repeating) }, "unchanged"},
		"waits for a person":              {byPerson, theGrant, func(o *observation, _ *progress) { o.become(grant.StatusReauthorize); o.grant.TriedAt = planned }, "read the version"},
		"waits, the secret is the same": {byPerson, theVersion, func(o *observation, _ *progress) {
			o.become(grant.StatusReauthorize)
			o.grant.LastError = apierr.ReauthorizationRequired
		}, "unchanged: ReauthorizationRequired"},
		"waits, the secret is another": {byPerson, theVersion, func(o *observation, _ *progress) { o.become(grant.StatusReauthorize); o.version = "secret-2" }, "read the connection"},
		"waits, the secret is missing": {byPerson, theVersion, func(o *observation, _ *progress) { o.become(grant.StatusReauthorize); o.err = connection.ErrNotFound }, "failed: ReauthorizationRequired"},
		"waits, it was missing a minute ago": {byPerson, theVersion, func(o *observation, _ *progress) {
			o.become(grant.StatusReauthorize)
			o.err, o.grant.SecretMissingAt = connection.ErrNotFound, planned.Add(-time.Minute)
		}, "failed: UnknownConnection"},
		"a refresh token ends, a sweep": {byPerson, theGrant, func(o *observation, p *progress) { p.origin = bySweep; o.stored.DueAt = planned }, "read the ending connection"},
		"it has ended":                  {byPerson, endingConnection, func(o *observation, p *progress) { p.origin = bySweep; o.grant.RefreshExpiresAt = planned }, "read the ending tokens"},
		"it has ended, and was the last": {byPerson, endingTokens, func(o *observation, p *progress) {
			p.origin = bySweep
			o.grant.RefreshExpiresAt = planned
			o.tokens.usable = nil
		}, "reauthorize: ReauthorizationRequired"},
		"its connection cannot be read": {byPerson, endingConnection, func(o *observation, p *progress) { p.origin = bySweep; o.err = errStore }, "left_over: StoreUnavailable"},
	}.run(t)
}

// A token that a caller reports.
func TestPlanReported(t *testing.T) {
	report := func(p *progress) { p.asked.RejectedFingerprint = "sha256:one" }
	plans{
		"not the current one":               {byPassword, theGrant, func(_ *observation, p *progress) { p.asked.RejectedFingerprint = "sha256:two" }, "unchanged"},
		"the current one":                   {byPassword, theGrant, func(_ *observation, p *progress) { report(p) }, "read the connection"},
		"checked a moment ago":              {byPassword, theGrant, func(o *observation, p *progress) { report(p); o.grant = o.grant.CheckedAs(grant.Active, planned) }, "unchanged"},
		"before retry_at":                   {byPassword, theGrant, func(o *observation, p *progress) { report(p); o.grant.RetryAt = planned.Add(time.Minute) }, "unchanged"},
		"it is checked":                     {byPassword, theHost, func(_ *observation, p *progress) { report(p) }, "check"},
		"the host is throttled":             {byPassword, theHost, func(o *observation, p *progress) { report(p); o.host.PausedUntil = planned.Add(time.Second) }, "left_over: RateLimited"},
		"forced: it is not checked":         {byPassword, theHost, func(_ *observation, p *progress) { report(p); p.asked.Force = true }, "read the refresh tokens"},
		"no verdict: it is asked for":       {byPassword, theHost, func(_ *observation, p *progress) { report(p); p.token = unsettled }, "read the refresh tokens"},
		"inactive: it is asked for":         {byPassword, theHost, func(_ *observation, p *progress) { report(p); p.token = inactive }, "read the refresh tokens"},
		"inactive, no refresh token":        {byClient, theHost, func(_ *observation, p *progress) { report(p); p.token = inactive }, "login"},
		"inactive, and came again":          {byPassword, theHost, func(_ *observation, p *progress) { report(p); p.token = reasked }, "revoke access"},
		"revoked, and asked for once":       {byPassword, theTokens, func(_ *observation, p *progress) { report(p); p.token = revoked }, "refresh"},
		"the refresh tokens cannot be read": {byPassword, theTokens, func(o *observation, p *progress) { report(p); o.err = errStore }, "failed: StoreUnavailable"},
	}.run(t)
}

// Whose grant it is, and whether its secret is there.
func TestPlanConnection(t *testing.T) {
	plans{
		"its own":                    {byPassword, theConnection, nil, "read the host"},
		"another identity":           {byPassword, theConnection, func(o *observation, _ *progress) { o.grant.Identity = "other" }, "read the tombstone"},
		"its tokens are retired":     {byPassword, theTombstone, nil, "read the reset"},
		"the grant is another's now": {byPassword, theReset, nil, "read the host"},
		"they cannot be retired":     {byPassword, theTombstone, func(o *observation, _ *progress) { o.err = errStore }, "failed: StoreUnavailable"},
		"the lease was lost":         {byPassword, theTombstone, func(o *observation, _ *progress) { o.err = lease.ErrLost }, "contended"},
		"missing, first look":        {byPassword, theConnection, func(o *observation, _ *progress) { o.err = connection.ErrNotFound }, "failed: UnknownConnection"},
		"unreadable":                 {byPassword, theConnection, func(o *observation, _ *progress) { o.err = errStore }, "failed: StoreUnavailable"},
		"malformed":                  {byPassword, theConnection, func(o *observation, _ *progress) { o.malformed = apierr.New(apierr.InvalidConnection, "x: y") }, "failed: InvalidConnection"},
		"came back, not due":         {byPassword, theConnection, func(o *observation, _ *progress) { o.cameBack = true }, "unchanged"},
		"came back, forced":          {byPassword, theConnection, func(o *observation, p *progress) { o.cameBack = true; p.asked.Force = true }, "read the host"},
		"the host cannot be read":    {byPassword, theHost, func(o *observation, _ *progress) { o.err = errStore }, "failed: StoreUnavailable"},
		"an error of no known kind":  {byPassword, theHost, func(o *observation, _ *progress) { o.err = errors.New("x") }, "failed: Internal"},
	}.run(t)
}

// Which token request is sent.
func TestPlanRequest(t *testing.T) {
	spend := func(o *observation, p *progress) { *p = p.without(o.tokens.usable[0]) }
	plans{
		"client credentials":                  {byClient, theHost, func(o *observation, _ *progress) { over(o) }, "login"},
		"a refresh token":                     {byPassword, theTokens, func(o *observation, _ *progress) { over(o) }, "refresh"},
		"a refresh token of a person":         {byPerson, theTokens, func(o *observation, _ *progress) { over(o) }, "refresh"},
		"none, a password":                    {byPassword, theTokens, func(o *observation, _ *progress) { over(o); o.tokens.usable = nil }, "login"},
		"none, a person":                      {byPerson, theTokens, func(o *observation, _ *progress) { over(o); o.tokens.usable = nil }, "reauthorize: ReauthorizationRequired"},
		"refused in this renewal, a password": {byPassword, theTokens, func(o *observation, p *progress) { over(o); spend(o, p) }, "login"},
		"refused in this renewal, a person":   {byPerson, theTokens, func(o *observation, p *progress) { over(o); spend(o, p) }, "reauthorize: ReauthorizationRequired"},
		"expired": {byPerson, theTokens, func(o *observation, _ *progress) {
			over(o)
			o.tokens.usable[0].LoggedInAt = planned.Add(-29 * 24 * time.Hour)
		}, "reauthorize: ReauthorizationRequired"},
		"expired, but the server restarts its life": {byPerson, theTokens, func(o *observation, _ *progress) {
			over(o)
			o.grant.Rotates = true
			o.tokens.usable[0].LoggedInAt = planned.Add(-29 * 24 * time.Hour)
		}, "refresh"},
		"unclear twice, a password":                  {byPassword, theTokens, func(o *observation, _ *progress) { over(o); o.grant.Refusals = 2 }, "login"},
		"unclear twice, a person":                    {byPerson, theTokens, func(o *observation, _ *progress) { over(o); o.grant.Refusals = 2 }, "refresh"},
		"unclear twice, and no login may be sent":    {byPassword, theTokens, func(o *observation, p *progress) { over(o); o.grant.Refusals = 2; p.loginEnd = o.claimed("other") }, "refresh"},
		"no refresh token, and no login may be sent": {byPassword, theTokens, func(o *observation, p *progress) { over(o); o.tokens.usable = nil; p.loginEnd = o.claimed("other") }, "failed: InvalidConnection"},
		"a second factor is needed": {byPassword, theTokens, func(o *observation, _ *progress) {
			over(o)
			o.tokens.usable = nil
			o.grant.SecondFactorVersion = "secret-1"
		}, "failed: MFARequired"},
		"a second factor was needed, another secret": {byPassword, theTokens, func(o *observation, _ *progress) {
			over(o)
			o.tokens.usable = nil
			o.grant.SecondFactorVersion = "secret-0"
		}, "login"},
		"the refresh token is to be replaced": {byPassword, theTokens, func(o *observation, _ *progress) { over(o); o.grant.Relogin = grant.ReloginDue }, "login"},
		"the login gave it again":             {byPassword, theTokens, func(o *observation, p *progress) { over(o); o.grant.Relogin = grant.ReloginRevoke; p.loggedIn = true }, "revoke refresh"},
		"the login gave it again, no slot for the next": {byPassword, theTokens, func(o *observation, p *progress) {
			over(o)
			o.grant.Relogin = grant.ReloginRevoke
			p.loggedIn = true
			o.host.Next = planned.Add(8 * time.Second)
		}, "left_over: RateLimited"},
		"a crash before the revocation":              {byPassword, theTokens, func(o *observation, _ *progress) { over(o); o.grant.Relogin = grant.ReloginRevoke }, "login"},
		"it was revoked":                             {byPassword, theTokens, func(o *observation, _ *progress) { over(o); o.grant.Relogin = grant.ReloginLogin }, "login"},
		"a valid token, and it waited":               {byPerson, theTokens, func(o *observation, _ *progress) { o.found.Status, o.found.Failures = grant.StatusReauthorize, 1 }, "unchanged"},
		"a refresh token was found again":            {byPerson, theTokens, func(o *observation, _ *progress) { o.grant.RefreshFingerprint = "" }, "unchanged"},
		"it rotates, and Secrets Manager refuses":    {byPerson, theTokens, func(o *observation, _ *progress) { over(o); o.grant.Rotates, o.tokens.refusing = true, true }, "read the token store"},
		"Secrets Manager takes refresh tokens again": {byPerson, theTokenStore, func(o *observation, _ *progress) { over(o); o.grant.Rotates = true }, "refresh"},
		"Secrets Manager refuses again, a person": {byPerson, theTokenStore, func(o *observation, _ *progress) {
			over(o)
			o.grant.Rotates, o.tokens.refusing, o.err = true, true, errStore
		}, "failed: StoreUnavailable"},
		"Secrets Manager refuses again, a password": {byPassword, theTokenStore, func(o *observation, _ *progress) {
			over(o)
			o.grant.Rotates, o.tokens.refusing, o.err = true, true, errStore
		}, "login"},
		"Secrets Manager has just refused the parked one": {byPerson, theTokens, func(o *observation, _ *progress) {
			over(o)
			o.grant.Rotates, o.tokens.refusing, o.tokens.unkept = true, true, errStore
		}, "failed: StoreUnavailable"},
	}.run(t)
}

// Who may ask a host whose circuit is open.
func TestPlanAtARefusingHost(t *testing.T) {
	alone := func(o *observation) { over(o); open(o); o.tokens.usable = nil }
	plans{
		"a refresh, never refused":              {byPassword, theTokens, func(o *observation, _ *progress) { over(o); open(o) }, "refresh"},
		"a client, never refused":               {byClient, theHost, func(o *observation, _ *progress) { over(o); open(o) }, "login"},
		"a client that it has refused":          {byClient, theHost, func(o *observation, _ *progress) { over(o); open(o); o.grant.Refusals = 1 }, "probe with login"},
		"a client that is in its list":          {byClient, theHost, func(o *observation, _ *progress) { over(o); open(o); o.host.Refused[0] = "acme" }, "probe with login"},
		"it was probed a moment ago":            {byClient, theHost, func(o *observation, _ *progress) { over(o); open(o); o.grant.Refusals, o.host.ProbedAt = 1, planned }, "left_over: RateLimited"},
		"a client, found by a sweep":            {byClient, theHost, func(o *observation, p *progress) { over(o); open(o); o.grant.Refusals, p.origin = 1, bySweep }, "left_over: RateLimited"},
		"a client, chosen by the sweep":         {byClient, theHost, func(o *observation, p *progress) { over(o); open(o); o.grant.Refusals, p.origin = 1, asProbe }, "probe with login"},
		"a user's login":                        {byPassword, theTokens, func(o *observation, _ *progress) { alone(o) }, "left_over: RateLimited"},
		"a user's login, forced":                {byPassword, theTokens, func(o *observation, p *progress) { alone(o); p.asked.Force = true }, "probe with login"},
		"a user's login, chosen by the sweep":   {byPassword, theTokens, func(o *observation, p *progress) { alone(o); p.origin = asProbe }, "probe with login"},
		"this renewal is the probe":             {byPassword, theTokens, func(o *observation, p *progress) { alone(o); p.probing = true }, "login"},
		"a re-login waits, the refresh goes on": {byPassword, theTokens, func(o *observation, _ *progress) { over(o); open(o); o.grant.Relogin = grant.ReloginDue }, "refresh"},
		"a check is no token request": {byPassword, theHost, func(o *observation, p *progress) {
			open(o)
			o.grant.Refusals = 1
			p.asked.RejectedFingerprint = "sha256:one"
		}, "check"},
	}.run(t)
}

// Who may ask a host that is down: a caller before a sweep, who has no token before
// who has one, and a user's login last.
func TestPlanAtAHostThatIsDown(t *testing.T) {
	down := func(ago time.Duration) func(*observation, *progress) {
		return func(o *observation, _ *progress) {
			over(o)
			o.host.DownSince, o.host.ProbedAt = planned.Add(-5*time.Minute), planned.Add(-ago)
		}
	}
	and := func(f func(*observation, *progress), more func(o *observation, p *progress)) func(*observation, *progress) {
		return func(o *observation, p *progress) { f(o, p); more(o, p) }
	}
	swept := func(_ *observation, p *progress) { p.origin = bySweep }
	valid := func(o *observation, _ *progress) { o.grant.ExpiresAt = planned.Add(time.Minute) }
	logsIn := func(o *observation, _ *progress) { o.tokens.usable = nil }
	last := func(o *observation, p *progress) { o.tokens.usable = nil; p.lastLogin = true }
	long := func(o *observation, _ *progress) { o.host.DownSince = planned.Add(-11 * time.Minute) }
	refused := func(o *observation, _ *progress) { open(o); o.grant.Refusals = 1 }
	reported := func(_ *observation, p *progress) { p.asked.RejectedFingerprint = "sha256:one" }
	const s = time.Second
	plans{
		"a moment after another":           {byClient, theHost, down(3 * s), "failed: ReltioUnavailable"},
		"a moment after another, forced":   {byClient, theHost, and(down(3*s), func(_ *observation, p *progress) { p.asked.Force = true }), "read the clock"},
		"forced, and it has waited":        {byClient, theHost, and(down(3*s), func(_ *observation, p *progress) { p.asked.Force, p.waited = true, true }), "failed: ReltioUnavailable"},
		"a sweep, a moment after another":  {byClient, theHost, and(down(3*s), swept), "left_over: ReltioUnavailable"},
		"5 s later, a client":              {byClient, theHost, down(5 * s), "probe with login"},
		"5 s later, a refresh":             {byPassword, theTokens, down(5 * s), "probe with refresh"},
		"5 s later, a sweep":               {byClient, theHost, and(down(5*s), swept), "left_over: ReltioUnavailable"},
		"5.25 s later, a sweep":            {byClient, theHost, and(down(5250*time.Millisecond), swept), "probe with login"},
		"5 s later, its token is valid":    {byClient, theHost, and(down(5*s), valid), "read the clock"},
		"5.25 s later, its token is valid": {byClient, theHost, and(down(5250*time.Millisecond), valid), "probe with login"},
		"5.25 s later, a sweep, and valid": {byClient, theHost, and(and(down(5250*time.Millisecond), valid), swept), "left_over: ReltioUnavailable"},
		"5 s later, a user's login":        {byPassword, theTokens, and(down(5*s), logsIn), "read the clock"},
		"5.75 s later, a user's login":     {byPassword, theTokens, and(down(5750*time.Millisecond), logsIn), "probe with login"},
		"8 s later, a user's last login":   {byPassword, theTokens, and(down(8*s), last), "failed: ReltioUnavailable"},
		"10 s later, a user's last login":  {byPassword, theTokens, and(down(10*s), last), "probe with knock"},
		"13 s later, down for long":        {byClient, theHost, and(down(13*s), long), "failed: ReltioUnavailable"},
		"15 s later, down for long":        {byClient, theHost, and(down(15*s), long), "probe with login"},
		"30 s later, long, a last login":   {byPassword, theTokens, and(and(down(30*s), long), last), "probe with knock"},
		"5 s later, it has failed":         {byClient, theHost, and(down(5*s), func(o *observation, _ *progress) { o.grant.Failures = 1 }), "read the clock"},
		"5.5 s later, it has failed":       {byClient, theHost, and(down(5500*time.Millisecond), func(o *observation, _ *progress) { o.grant.Failures = 1 }), "probe with login"},
		"a check, a moment after another":  {byClient, theHost, and(and(down(3*s), valid), reported), "failed: ReltioUnavailable"},
		"a check, 6 s later":               {byClient, theHost, and(and(down(6*s), valid), reported), "probe with check"},
		"it refuses too, a client refused": {byClient, theHost, and(down(49*s), refused), "left_over: RateLimited"},
		"it refuses too, 50 s later":       {byClient, theHost, and(down(50*s), refused), "probe with login"},
		"a probe that a wrong clock left":  {byClient, theHost, and(down(5*s), func(o *observation, _ *progress) { o.host.ProbedAt = planned.Add(time.Hour) }), "probe with login"},
		"this renewal is the probe":        {byClient, theHost, and(down(0), func(_ *observation, p *progress) { p.probing = true }), "login"},
	}.run(t)
}
