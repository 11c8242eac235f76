package renewal

import (
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// authenticator is the type of a challenge that a code of the user's authenticator
// completes (documented by Reltio). Of other types, like a code by mail, no program
// can send one.
const authenticator = "AUTHENTICATOR"

// secondStep returns the state token of a login to which the server responded with a
// challenge, if this connection can go on: it has the key of the user's
// authenticator, and the state token lives until the next unused code is sent. Each
// login has one second step.
func (i interpretation) secondStep() (reltioauth.Secret, bool) {
	var e *reltioauth.Error
	if i.connection.TOTPSecret.IsZero() || !i.step.challenge.IsZero() || !errors.As(i.response.err, &e) || e.MFA == nil {
		return reltioauth.Secret{}, false
	}
	c := e.MFA
	lives := c.ExpiresIn == 0 || c.ExpiresIn > i.codeWait(i.observation)+ratelimit.MaxWait
	return c.StateToken, c.Type == authenticator && !c.StateToken.IsZero() && lives
}

// codeWait is how long to wait for a code that was not used yet: that of the last
// login may have been, or one that this renewal has sent.
func (p progress) codeWait(o observation) time.Duration {
	return codeWait(o.now, p.codeAt, o.grant.LoggedInAt)
}

// codeWait is the time until a period begins in which none of the codes was sent.
func codeWait(now time.Time, sent ...time.Time) time.Duration {
	period := now.Truncate(connection.TOTPPeriod)
	for _, at := range sent {
		if !at.Before(period) && !at.After(now) {
			return period.Add(connection.TOTPPeriod).Sub(now)
		}
	}
	return 0
}
