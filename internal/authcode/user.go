package authcode

import (
	"cmp"
	"context"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Why the user is unknown although Reltio's checkToken responded. Other reasons
// are errors of package reltioauth.
var (
	errInactive error = apierr.New(apierr.ReltioUnavailable, "checkToken: the new token is not active")
	errNameless error = apierr.New(apierr.ReltioUnavailable, "checkToken: the response names no user")
)

// verdict is the decision about the user who has logged in.
type verdict int

const (
	// fits: the grant may be stored, with the user's name if there is one.
	fits verdict = iota
	// foreign: the connection belongs to another user.
	foreign
	// unclear: the user's name is needed, and Reltio did not give it.
	unclear
)

// judgeUser decides whether the user who has logged in may store a grant. Each
// name may be empty. expected is the connection's setting, known the user of the
// present grant, and said the name that checkToken gave. With replace, another
// named user may take the place of known. An unnamed user may not: a second
// person would silently pass for the first.
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

// checkUser finds out who has logged in, before anything is stored. If Reltio
// gave the present access token again just before its end (inHand), the user is
// the known one.
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

// whoLoggedIn introspects the access token for its user. Without a definite
// response the name is empty and the error says why.
func (v *callback) whoLoggedIn(ctx context.Context) (string, error) {
	ctx, cancel := v.within(ctx, checkTime, storeTime+revokeTime+closingTime)
	defer cancel()
	if err := v.unthrottled(ctx); err != nil {
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
