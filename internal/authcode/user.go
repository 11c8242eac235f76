package authcode

import (
	"cmp"
	"context"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Why nobody is known to have logged in though Reltio's checkToken was
// answered. Other reasons are errors of package reltioauth.
var (
	errInactive error = apierr.New(apierr.ReltioUnavailable, "checkToken: the new token is not active")
	errNameless error = apierr.New(apierr.ReltioUnavailable, "checkToken: the response names no user")
)

// verdict is what is known of the user who has logged in.
type verdict int

const (
	// fits: the grant may be stored, with the user if one is named.
	fits verdict = iota
	// foreign: another user than the one that the connection belongs to.
	foreign
	// unclear: it matters who it was, and Reltio did not say.
	unclear
)

// judgeUser decides whether the user who has logged in may store a grant. All
// names may be empty. expected is the connection's setting, known the user of the
// grant that is there, and said the name that checkToken gave. replace lets
// another user take known's place, but no user that is not named: else a second
// person would become the first silently.
func judgeUser(expected, known, said string, replace bool) verdict {
	wanted := expected
	if wanted == "" && !replace {
		wanted = known
	}
	switch {
	case said == "" && (expected != "" || known != ""):
		return unclear
	case wanted == "" || strings.EqualFold(said, wanted):
		return fits
	default:
		return foreign
	}
}

// checkUser finds out who has logged in, before anything is stored. The token in
// hand at its very end is that of the user who is known.
func (v *callback) checkUser(ctx context.Context, inHand bool) (CallbackResult, bool) {
	known := ""
	if v.g.Identity == v.c.IdentityHash() {
		known = v.g.User
	}
	v.user, v.nameless = v.whoLoggedIn(ctx)
	if v.user == "" && inHand && known != "" {
		v.user, v.nameless = known, nil
	}
	switch judgeUser(v.c.ExpectedUser, known, v.user, v.invitation.ReplaceUser) {
	case unclear:
		return CallbackResult{Outcome: UserUnknown, Err: cmp.Or(v.nameless, v.failed)}, true
	case foreign:
		return CallbackResult{Outcome: WrongUser, Err: v.failed}, true
	default:
		return CallbackResult{}, false
	}
}

// whoLoggedIn asks whose the access token is. Without a definite answer the
// name is empty and the error says why.
func (v *callback) whoLoggedIn(ctx context.Context) (string, error) {
	ctx, cancel := v.within(ctx, checkTime, storeTime+revokeTime+closingTime)
	defer cancel()
	if err := v.unpaused(ctx); err != nil {
		return "", err
	}
	info, err := v.client().Introspect(ctx, v.token.AccessToken)
	switch {
	case err != nil:
		return "", err
	case !info.Active:
		return "", errInactive
	case info.Username == "":
		return "", errNameless
	}
	return info.Username, nil
}
