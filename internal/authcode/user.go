package authcode

import (
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
