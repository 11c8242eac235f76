package handler

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authorization"
	"github.com/reltio-tokens/reltio-tokens/internal/pages"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The parameters that are read. Others may be there: authorization servers and
// mail programs add their own.
const (
	paramInvitation = "invitation"
	paramCode       = "code"
	paramState      = "state"
	paramError      = "error"
	paramIssuer     = "iss"
	paramUntil      = "until"
)

// The bounds of what a browser brings.
const (
	maxQuery  = 8 << 10
	maxCode   = 4 << 10
	maxIssuer = 512
	maxError  = 128
	// maxUntil is the year 5138, in digits of a number of seconds.
	maxUntil = 11
	// otherError stands for an error code that RFC 6749 does not know.
	otherError = "other"
)

// parseQuery reads a raw query strictly: no parameter twice (RFC 6749, section
// 3.1), percent-encoding and UTF-8 as they have to be, no control characters.
func parseQuery(raw string) (url.Values, bool) {
	values := url.Values{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		before, after, _ := strings.Cut(part, "=")
		name, nameErr := url.QueryUnescape(before)
		value, valueErr := url.QueryUnescape(after)
		if nameErr != nil || valueErr != nil || !plain(name) || !plain(value) || values.Has(name) {
			return nil, false
		}
		values.Set(name, value)
	}
	return values, true
}

// plain reports whether a text is UTF-8 without control characters.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// printable reports whether a text consists of 1 to most printable ASCII
// characters, the space among them: RFC 6749 allows it in a code (VSCHAR) and
// in an error.
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}

func invitationOf(q url.Values) (string, bool) {
	text := q.Get(paramInvitation)
	return text, authorization.ValidText(text)
}

// callbackOf reads what the authorization server sends with the browser: a
// code or an error, never both.
func callbackOf(q url.Values) (authcode.Callback, bool) {
	state, code, failed, issuer := q.Get(paramState), q.Get(paramCode), q.Get(paramError), q.Get(paramIssuer)
	switch {
	case !authorization.ValidText(state):
		return authcode.Callback{}, false
	case q.Has(paramCode) == q.Has(paramError):
		return authcode.Callback{}, false
	case q.Has(paramCode) && !printable(code, maxCode):
		return authcode.Callback{}, false
	case q.Has(paramError) && !printable(failed, maxError):
		return authcode.Callback{}, false
	case q.Has(paramIssuer) && (!printable(issuer, maxIssuer) || strings.Contains(issuer, " ")):
		return authcode.Callback{}, false
	}
	if failed != "" && !pages.KnownCode(failed) {
		failed = otherError // whatever it says, it goes into no log and no page
	}
	return authcode.Callback{
		Code: reltioauth.NewSecret(code), State: reltioauth.NewSecret(state), Error: failed, Issuer: issuer,
	}, true
}

// untilOf reads the moment that the done page shows; zero if it shows none.
func untilOf(q url.Values) (time.Time, bool) {
	text := q.Get(paramUntil)
	if !q.Has(paramUntil) {
		return time.Time{}, true
	}
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil || seconds == 0 || len(text) > maxUntil {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
