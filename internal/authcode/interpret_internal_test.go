package authcode

import (
	"fmt"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

var (
	errReltio error = &reltioauth.Error{Code: reltioauth.ErrInvalidGrant, StatusCode: 400, Sent: true}
	errLimit  error = &reltioauth.Error{Code: reltioauth.ErrRateLimited, StatusCode: 429, Sent: true}
)

// again is the observation if Reltio gave the old refresh token.
func again(o *observation) {
	o.token.RefreshToken = o.known.Token
	*o = o.keeping(4)
}

// gave is the observation if Reltio responded so to the exchange.
func (o *observation) gave(token *reltioauth.Token, err error) {
	o.exchanged = exchanged{}
	*o, o.err = o.responded(token, err), err
}

func TestPlanOfTheResponse(t *testing.T) {
	refreshOnly := &reltioauth.Token{RefreshToken: reltioauth.NewSecret("refresh-2"), IssuedAt: planned}
	plans{
		{"not sent", exchange, func(o *observation) { o.gave(nil, errUnsent) }, "busy: give back"},
		{"refused", exchange, func(o *observation) { o.gave(nil, errReltio) }, "exchange_failed: discard, reinvite, remember"},
		{"an unusable access token alone", exchange, func(o *observation) {
			o.gave(&reltioauth.Token{AccessToken: reltioauth.NewSecret("token-2")}, errReltio)
		}, "exchange_failed: discard, reinvite, remember"},
		{"a refresh token alone", exchange, func(o *observation) { o.gave(refreshOnly, errReltio) }, "ask user"},
		{"throttled", exchange, func(o *observation) { o.gave(nil, errLimit) }, "record throttle"},
		{"throttled, recorded", recordThrottle, func(o *observation) { o.gave(nil, errLimit) }, "exchange_failed: discard, reinvite, remember"},
		{"throttled, not recorded", recordThrottle, func(o *observation) {
			o.gave(nil, errLimit)
			o.err = errStore
		}, "exchange_failed: discard, reinvite, remember"},
		{"the present token without life left", exchange, func(o *observation) {
			o.gave(&reltioauth.Token{AccessToken: o.grant.AccessToken, IssuedAt: planned}, fmt.Errorf("token: %w", reltioauth.ErrNoLifeLeft))
		}, "ask user"},
		{"another token without life left", exchange, func(o *observation) {
			o.gave(&reltioauth.Token{AccessToken: reltioauth.NewSecret("token-2")}, fmt.Errorf("token: %w", reltioauth.ErrNoLifeLeft))
		}, "exchange_failed: discard, reinvite, remember"},
	}.run(t)
}

func TestPlanOfTheUser(t *testing.T) {
	const revoked = ": discard, record success, reinvite, remember"
	plans{
		{"the known user", askUser, nil, "read again"},
		{"another user", askUser, func(o *observation) { o.user = "ben" }, "wrong_user" + revoked},
		{"another user, with an invitation to replace the user", askUser, func(o *observation) {
			o.user, o.invitation.ReplaceUser = "ben", true
		}, "read again"},
		{"another user, the grant is another identity's", askUser, func(o *observation) {
			o.user = "ben"
			foreigner(o)
		}, "read again"},
		{"no name, and one is known", askUser, func(o *observation) { *o = o.named("", errNameless) }, "user_unknown" + revoked},
		{"no name, and none is known", askUser, func(o *observation) {
			o.grant.User = ""
			*o = o.named("", errNameless)
		}, "read again"},
		{"no name, and one is expected", askUser, func(o *observation) {
			c := *o.connection
			c.ExpectedUser, o.connection, o.grant.User = "ann", &c, ""
			*o = o.named("", errNameless)
		}, "user_unknown" + revoked},
		{"no name, but the present token came again", askUser, func(o *observation) {
			o.inHand = true
			*o = o.named("", errNameless)
		}, "read again"},
	}.run(t)
}

func TestPlanOfTheStore(t *testing.T) {
	sees := func(s sight) func(o *observation) {
		return func(o *observation) { o.writeErr, o.sight = errStore, s }
	}
	const closing = "reinvite, record success, remember"
	plans{
		{"a new refresh token", readAgain, nil, "keep"},
		{"no refresh token, and there was one", readAgain, func(o *observation) {
			o.token.RefreshToken = reltioauth.Secret{}
			*o = o.keeping(4)
		}, "keep"},
		{"there was never a refresh token", readAgain, func(o *observation) {
			o.token.RefreshToken, o.known = reltioauth.Secret{}, grant.RefreshToken{}
			*o = o.keeping(4)
		}, "write"},
		{"the old refresh token", readAgain, again, "withdraw token"},
		{"the old refresh token, expired by our count", readAgain, func(o *observation) {
			o.known.LoggedInAt = planned.Add(-o.connection.RefreshTokenLife)
			o.grant.LoggedInAt = o.known.LoggedInAt
			again(o)
		}, "keep"},
		{"the old refresh token, which the grant points at", readAgain, func(o *observation) {
			o.token.RefreshToken, o.known = o.known.Token, grant.RefreshToken{Token: reltioauth.NewSecret("refresh-3"), Epoch: 9}
			*o = o.keeping(10)
		}, "withdraw token"},
		{"the old refresh token at the second login", readAgain, func(o *observation) {
			o.request.Second = true
			again(o)
		}, "write"},
		{"the old refresh token alone", readAgain, func(o *observation) {
			o.failed = errReltio
			again(o)
		}, "exchange_failed: " + closing},
		{"the refresh token is neither stored nor parked", keep, fails(errStore), "unstored: discard, " + closing},
		{"the refresh token is parked", keep, func(o *observation) { o.parked = errStore }, "write"},
		{"stored", write, nil, "done: record success, remember"},
		{"stored with the old refresh token", write, func(o *observation) {
			o.request.Second = true
			again(o)
		}, "done_same_token: record success, remember"},
		{"the write failed", write, fails(errStore), "verify"},
		{"the write happened nevertheless", verify, sees(present), "done: record success, remember"},
		{"it did not happen", verify, sees(absent), "unstored: give up, " + closing},
		{"another callback has stored the same tokens", verify, sees(elsewhere), "unstored: " + closing},
		{"whether it happened is unknown", verify, sees(unseen), "unstored: " + closing},
		{"the token is withdrawn", withdrawToken, again, "redirect again"},
		{"the token is not withdrawn", withdrawToken, fails(errStore), "unstored: " + closing},
		{"redirected", redirectAgain, again, "again: revoke known, " + closing},
		{"not redirected", redirectAgain, fails(errStore), "unstored: " + closing},
	}.run(t)
}
