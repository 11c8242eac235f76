package renewal

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// progress is what one renewal has done so far, and what is still asked of it. It
// is a value: each interpretation of a response returns the next one.
type progress struct {
	// asked is what the renewal was asked for; origin says by whom.
	asked  rotateapi.Request
	origin origin
	phase  phase
	// token is what is known of the access token that the caller reported.
	token tokenState
	// refused is what was refused in this renewal.
	refused refusedState
	// spent are the fingerprints of refresh tokens that were refused in this
	// renewal.
	spent []string
	// loginEnd: a login was refused, or may not be sent, while the refresh token
	// is valid and is used instead. It is the renewal's end if the refresh token
	// does not work either.
	loginEnd *end
	// loggedIn: a login of this renewal was accepted. Only then is a refresh
	// token revoked. loginGrant is the grant with the token of a login whose
	// refresh token is about to be revoked; the zero Grant if there is none.
	loggedIn   bool
	loginGrant grant.Grant
	// challenge is the state token of a login whose second step follows; zero: none.
	// codeAt is when this renewal last sent a code of the user's authenticator.
	challenge reltioauth.Secret
	codeAt    time.Time
	// probing: the host is down or its circuit is open, and this renewal is the one
	// probe. lastLogin: it may not be, because the user has one login left.
	probing, lastLogin bool
	// waited: it has waited for its due moment, or until it may probe.
	waited bool
}

// origin is who asked for a renewal.
type origin int

const (
	// byName: a caller or an operator, for this connection.
	byName origin = iota
	// bySweep: a sweep that found the grant in the index.
	bySweep
	// asProbe: a sweep, as the one probe of a host whose circuit is open.
	asProbe
)

// phase says how the next pass begins.
type phase int

const (
	// deciding: it decides whether the grant is due.
	deciding phase = iota
	// continuing: the pass before decided that another request follows at once.
	continuing
	// repeating: the pass before got the old token with no time left. The grant
	// is renewed again when it is due, whatever else was asked for.
	repeating
)

// tokenState is what is known of the current access token; each state includes the
// ones before it from inactive on.
type tokenState int

const (
	// unjudged: nothing is known.
	unjudged tokenState = iota
	// unsettled: a check was inconclusive, so that another token is requested.
	unsettled
	// inactive: a check found it inactive.
	inactive
	// reasked: it was inactive, and came again.
	reasked
	// revoked: it came again and was revoked, and another one is requested for the
	// last time.
	revoked
)

// refusedState is what was refused in this renewal.
type refusedState int

const (
	// notRefused: no refusal was counted.
	notRefused refusedState = iota
	// refusedNow: a request that cannot lock a user was refused.
	refusedNow
	// refreshUnclear: it was a refresh, and the response was unclear.
	refreshUnclear
)

// saw notes what the stored grant shows of its token: an earlier check may have
// found it inactive.
func (p progress) saw(o observation) progress {
	if o.stored.Unexpired(o.now) && !o.stored.Valid(o.now) {
		p.token = max(p.token, inactive)
	}
	return p
}

// reset forgets what is known of the tokens of another identity.
func (p progress) reset() progress {
	p.token, p.spent = unjudged, nil
	return p
}

// then is the progress when another pass follows.
func (p progress) then(next phase) progress {
	p.phase = next
	if next == repeating {
		p.asked.Force, p.asked.MinTTLSeconds = false, 0
	}
	return p
}

// without is the progress after a refresh token was refused. The probe, if this
// was one, was that one request.
func (p progress) without(t grant.RefreshToken) progress {
	p.spent = append(slices.Clone(p.spent), t.Fingerprint())
	return p
}

// reported reports whether the end of the current token may have another cause
// than the renewal, so that it shows nothing about the mode.
func (p progress) reported() bool {
	return p.token >= inactive || p.asked.RejectedFingerprint != ""
}
