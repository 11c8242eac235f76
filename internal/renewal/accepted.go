package renewal

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// acceptance is a response that is a token: a new access token, or the same one
// again. old is the grant before it.
type acceptance struct {
	interpretation
	old grant.Grant
}

// result stores the token. If the reported token came again it is revoked, and
// another one is requested, once.
func (a acceptance) result() result {
	old, sent := a.old, a.response.token.IssuedAt
	next := old.Accept(a.response.token)
	if text := a.useless(next, sent); text != "" {
		a.grant = a.withKept(old)
		return a.ends(a.ended(grant.StatusFailing, apierr.New(apierr.ReltioUnavailable, text)))
	}
	next, about := a.observed(a.healthy(next), sent)
	next = a.rotated(next)
	next.Relogin = ""
	if a.step.kind == login {
		a.loggedIn = true
		if a.response.keepErr == nil { // without a stored refresh token there is none to revoke
			next.Relogin = reloginAfter(old, next)
		}
	}
	if next.Relogin == grant.ReloginRevoke {
		a.loginGrant = next
		next = next.WithoutToken()
	} else if a.reloginNext(next) {
		next.Relogin = grant.ReloginDue
	}
	return a.decideReported(next, about)
}

// healthy is the accepted grant, healthy except for what could not be stored, and for
// the login that should have replaced the refresh token.
func (a acceptance) healthy(next grant.Grant) grant.Grant {
	next = next.Healthy()
	if a.step.kind == refresh { // a refresh shows nothing about logins
		next.SecondFactorVersion = a.old.SecondFactorVersion
	}
	next = a.withKept(next)
	if a.tokens.unkept != nil {
		next = next.Failed(grant.StatusFailing, apierr.Of(a.tokens.unkept), a.now, 0, a.chance)
	}
	if no := a.noLogin(); no != nil && a.old.Relogin != "" {
		next.Status = grant.StatusFailing
		next.LastError, next.LastErrorMessage = no.err.Type, no.err.Message
	}
	return next
}

// withKept is a grant with the refresh token that was kept, if one could be.
func (a acceptance) withKept(g grant.Grant) grant.Grant {
	if a.response.keepErr != nil {
		return g
	}
	return g.WithRefreshToken(a.response.kept, a.connection.RefreshTokenLife)
}

// rotated notes whether the server gives a new refresh token at each refresh.
func (a acceptance) rotated(next grant.Grant) grant.Grant {
	given := a.response.token.RefreshToken
	renewed := !given.IsZero() && !given.Equal(a.step.refresh.Token)
	next.Rotates = a.step.kind == refresh && (renewed || a.old.Rotates)
	return next
}

// decideReported decides what follows an accepted token.
func (a acceptance) decideReported(next grant.Grant, about *lesson) result {
	same := next.Fingerprint == a.old.Fingerprint && a.old.HasToken()
	insists := same && a.progress.token >= inactive
	switch {
	case insists && a.progress.token == revoked:
		next = next.AskedAs(grant.Inactive, a.now)
	case same && a.progress.token == unsettled && next.Valid(a.now):
		next = next.AskedAs(grant.Active, a.now)
	}
	e := &end{outcome: rotateapi.Renewed, err: apierr.Of(a.tokens.unkept)}
	if same {
		e.outcome = rotateapi.Unchanged
	}
	r := result{progress: a.progress, grant: next, store: true, given: true, end: e, lesson: about}
	switch {
	case insists && a.progress.token != revoked:
		r.again, r.progress = true, a.then(continuing)
		r.progress.token = reasked
	case next.Relogin == grant.ReloginRevoke:
		r.again, r.progress = true, a.then(continuing)
	case a.repeats(next):
		r.again, r.progress = true, a.then(repeating)
	}
	return r
}

// useless says why an accepted token is of no use and the next request would give
// the same; empty if it can be used, or if the next request may give a better one.
func (a acceptance) useless(next grant.Grant, sent time.Time) string {
	switch {
	case a.old.Stuck(next, sent):
		return "Reltio gives a token again that has ended"
	case a.old.Fleeting(next, a.now):
		return "Reltio gives tokens that end before they can be used"
	}
	return ""
}

// observed is the grant with what the response itself shows about the mode, and the
// question that remains.
func (a acceptance) observed(next grant.Grant, sent time.Time) (grant.Grant, *lesson) {
	refreshed := a.step.kind == refresh
	mode := a.old.ModeOf(refreshed)
	shown := a.old.Observe(next, mode, sent, a.progress.reported())
	if shown == grant.SameToken {
		return next.WithMode(refreshed, grant.AtEnd, sent), nil
	}
	if mode == grant.AtEnd && a.old.Valid(sent) {
		next.EarlyAskedAt = sent // this was the week's early renewal
	}
	if shown != grant.AskAboutOld {
		return next, nil
	}
	return next, &lesson{old: a.old, refresh: refreshed}
}

// repeats reports whether this renewal requests again after a token that came again
// with no time left: if a caller waits for it, and it is due within seconds.
func (a acceptance) repeats(g grant.Grant) bool {
	return a.origin == byName && !g.Valid(a.now) && g.Due().Sub(a.now) <= waitForDue
}

// reloginNext reports whether the token is the last one before a connection that
// logs in without a person replaces its refresh token.
func (a acceptance) reloginNext(g grant.Grant) bool {
	return a.connection.LogsInAlone() && g.HasRefreshToken() && !g.ReloginAt().After(g.ExpiresAt)
}

// reloginAfter is the step that follows a login: none if it gave a new refresh
// token, else the revocation of the old one. A login after the revocation is the
// last step whatever it gives.
func reloginAfter(old, next grant.Grant) grant.Relogin {
	sameRefresh := next.RefreshFingerprint != "" && next.RefreshFingerprint == old.RefreshFingerprint
	if sameRefresh && (old.Relogin == grant.ReloginDue || old.Relogin == grant.ReloginRevoke) {
		return grant.ReloginRevoke
	}
	return ""
}

// keepable is the refresh token after a response, and whether it has to be written.
// An unchanged one is not written. A refresh does not restart its life, and neither
// does a login that gives it again.
func (v view) keepable(s step, token *reltioauth.Token) (next grant.RefreshToken, write bool) {
	given := token.RefreshToken
	if s.kind == refresh {
		if given.IsZero() || given.Equal(s.refresh.Token) {
			// An unchanged one is written only to come before one that was
			// refused, or to add its identity.
			return s.refresh, s.refresh.Epoch < v.tokens.highest || s.refresh.Identity == ""
		}
		return grant.RefreshToken{Token: given, LoggedInAt: s.refresh.LoggedInAt}, true
	}
	if given.IsZero() {
		// A login without a refresh token ends the earlier ones. A tombstone
		// that is there already stays.
		return grant.RefreshToken{LoggedInAt: token.IssuedAt, Version: v.grant.SecretVersion}, len(v.tokens.usable) > 0
	}
	for i, known := range v.tokens.usable {
		ended := !known.LoggedInAt.Add(v.connection.RefreshTokenLife).After(token.IssuedAt)
		spent := slices.Contains(v.spent, known.Fingerprint())
		if known.Token.Equal(given) && !ended && !spent && v.grant.Relogin != grant.ReloginLogin {
			return known, i > 0 || known.Identity == ""
		}
	}
	return grant.RefreshToken{Token: given, LoggedInAt: token.IssuedAt}, true
}
