package renewal

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// look is what a renewal reads next, the cheapest first.
type look int

const (
	nothing look = iota
	// theGrant: the grant, with a strongly consistent read.
	theGrant
	// theDueMoment: the grant is due within seconds; it is waited for.
	theDueMoment
	// theVersion: the version of the connection's secret.
	theVersion
	// endingConnection and endingTokens: the connection's secret and the refresh
	// tokens of a grant that is not due, but in the index because its refresh
	// token ends.
	endingConnection
	endingTokens
	// theConnection: the connection's secret.
	theConnection
	// theTombstone and theReset: the refresh tokens of another identity are
	// retired, and its grant is replaced by an empty one.
	theTombstone
	theReset
	// theHost: the authorization server's record.
	theHost
	// theTokens: the refresh tokens, stored or parked.
	theTokens
	// theTokenStore: whether Secrets Manager takes refresh tokens again.
	theTokenStore
)

// observation is what a renewal knows: what it has read in this pass, and what
// stays the same for all passes. It is a value; decisions read nothing else.
type observation struct {
	// now is when it was last read, chance a number in [0, 1) for jitter.
	now    time.Time
	chance float64
	// loginAttempts is how many logins may be refused; announces says that events
	// are sent to operators.
	loginAttempts int
	announces     bool

	// seen is what was read last; err says why it could not be read.
	seen look
	err  error

	// found is the grant as this renewal found it, stored as last read or written,
	// grant its next state.
	found, stored, grant grant.Grant
	// version is the version of the connection's secret, and lookedAt when only
	// that was asked for. connection is the parsed secret; nil: not read. malformed says why it cannot be parsed. cameBack:
	// the secret was missing until now.
	version    string
	lookedAt   time.Time
	connection *connection.Connection
	malformed  error
	cameBack   bool
	// host is the authorization server's record.
	host   ratelimit.Record
	tokens tokens
}

// tokens are the refresh tokens of a connection as they were last read, and what
// became of the last one that had to be stored.
type tokens struct {
	// usable are those to try, the most promising first.
	usable []grant.RefreshToken
	// highest is the highest epoch seen in Secrets Manager, newest the version
	// that has it, lastParked the epoch of the one that was parked last, if none
	// is now.
	highest    int64
	newest     grant.RefreshToken
	lastParked int64
	// refusing: Secrets Manager has refused this process's last write.
	refusing bool
	// unkept says why Secrets Manager does not have the refresh token; nil: it
	// has it. parked: the table has it instead. lost: neither has it.
	unkept       error
	parked, lost bool
	// writeErr is the error of the last write to Secrets Manager; nil: it
	// succeeded, or there was none.
	writeErr error
}

// with is the observation with the connection to which the grant
// belongs.
func (o observation) with(c *connection.Connection) observation {
	o.connection, o.cameBack = c, !o.grant.SecretMissingAt.IsZero()
	o.grant = o.grant.Configured(c)
	if o.cameBack {
		o.grant = o.grant.SecretFound()
	}
	return o
}

// read is the observation after the grant was read or written.
func (o observation) read(g grant.Grant) observation {
	o.stored, o.grant = g, g
	return o
}

// person reports whether it is known that a person authorizes the connection.
func (o observation) person() bool { return o.connection != nil && !o.connection.LogsInAlone() }

// awaitsFactor reports whether a login with this version of the secret was
// answered by a demand for a second factor, and no operator has resumed the
// connection since: Reltio would send a code at each further login.
func (o observation) awaitsFactor() bool {
	return o.connection.HasUser() && o.grant.SecondFactorVersion != "" && o.grant.SecondFactorVersion == o.connection.Version
}

// refreshToken is the first refresh token that is worth trying: not expired, and
// not refused in this renewal. After a refresh the server may have restarted the
// refresh token's life, and a grant that was lost does not know its start: such a
// refresh token is tried until it is refused.
func (o observation) refreshToken(spent []string) (grant.RefreshToken, bool) {
	g := o.grant
	renewed := (g.Rotates || !g.HasRefreshToken()) && g.Status != grant.StatusReauthorize
	for _, t := range o.tokens.usable {
		ended := !renewed && !t.LoggedInAt.Add(o.connection.RefreshTokenLife).After(o.now)
		if !ended && !slices.Contains(spent, t.Fingerprint()) {
			return t, true
		}
	}
	return grant.RefreshToken{}, false
}

// wellBefore reports whether the grant was healthy when this renewal began, with a
// token that the present version of its secret had got.
func (o observation) wellBefore() bool {
	b, c := o.found, o.connection
	return b.Status == grant.StatusOK && b.Failures == 0 && b.HasToken() &&
		b.ConnectionVersion == c.Version && b.Identity == c.IdentityHash()
}

// loginWaits reports whether a login that is to replace a refresh token would wait
// because the host's circuit is open, while refreshes go on. At ReloginLogin the
// refresh token was revoked.
func (o observation) loginWaits() bool {
	return o.host.CircuitOpen() && o.connection.HasUser() && o.grant.Relogin != grant.ReloginLogin
}

// capped reports whether a 429 now means that the client has as many tokens as
// Reltio allows it.
func (o observation) capped() bool {
	return o.connection.GrantType == connection.ClientCredentials && o.grant.Throttles+1 >= capAfter &&
		o.host.OthersServed(o.connection.ClientKey())
}

// view is what a decision is made from.
type view struct {
	observation
	progress
}

// reported reports whether the request names the stored token as rejected, and its
// deadline has not passed.
func (v view) reported() bool {
	return v.asked.RejectedFingerprint != "" && v.grant.Unexpired(v.now) &&
		v.grant.Fingerprint == v.asked.RejectedFingerprint
}

// try is the login about to be sent. A probe never takes a user's last attempt.
func (v view) try() lockout.Try {
	t := v.tryOf(v.connection)
	if v.probing {
		t.Spare = 1
	}
	return t
}

func (v view) tryOf(c *connection.Connection) lockout.Try {
	return lockout.Try{
		AccountHash:     c.AccountHash(),
		CredentialsHash: c.CredentialsHash(),
		Connection:      c.Name,
		Limit:           v.loginAttempts,
		Now:             v.now,
		Forced:          v.asked.Force && v.origin != asProbe,
	}
}

// noLogin is the end of the renewal without a login, if no login may be sent; nil
// if one may.
func (v view) noLogin() *end {
	if v.loginEnd == nil && v.awaitsFactor() {
		return v.stillAwaitsFactor()
	}
	return v.loginEnd
}
