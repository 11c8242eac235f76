package handler

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The parameters that are read. A query may hold others: authorization servers,
// mail programs and proxies add their own.
const (
	paramInvitation = "invitation"
	paramCode       = "code"
	paramState      = "state"
	paramError      = "error"
	paramIssuer     = "iss"
	paramUntil      = "until"
)

// The bounds of a browser's parameters.
const (
	maxQuery  = 8 << 10
	maxCode   = 4 << 10
	maxIssuer = 512
	maxError  = 128
	// maxUntil is the year 5138, in digits of a number of seconds.
	maxUntil = 11
	// otherError stands for an error code that RFC 6749 does not define.
	otherError = "other"
)

// params are the parameters of a query that a page reads, by name.
type params map[string]string

// has reports whether a parameter was sent.
func (p params) has(name string) bool {
	_, ok := p[name]
	return ok
}

// readQuery reads the named parameters of a raw query. It fails if one of them is
// repeated (RFC 6749, section 3.1), if its percent-encoding or its UTF-8 is
// broken, or if it holds a control character. All other parameters are ignored,
// whatever their bytes (RFC 6749, section 4.1.2): a person's login must not fail
// because of a parameter that no page reads.
func readQuery(raw string, names ...string) (params, bool) {
	read := params{}
	for part := range strings.SplitSeq(raw, "&") {
		before, after, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(before)
		if err != nil || !slices.Contains(names, name) {
			continue
		}
		value, err := url.QueryUnescape(after)
		switch {
		case err != nil || !plain(value):
			return nil, false
		case value == "" && omitted(name):
		case read.has(name):
			return nil, false
		default:
			read[name] = value
		}
	}
	return read, true
}

// omitted reports whether the parameter counts as not sent when it is empty
// (RFC 6749, section 3.1). Where the others are required, an empty one is
// malformed.
func omitted(name string) bool { return name == paramCode || name == paramError }

// plain reports whether a text is UTF-8 without control characters. It refuses
// the replacement character, which API Gateway writes into its event for bytes
// that were not UTF-8.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return unicode.IsControl(c) || c == utf8.RuneError
	})
}

// printable reports whether a text consists of 1 to most printable ASCII
// characters, including the space: RFC 6749 allows it in a code (VSCHAR).
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}

// invitationOf reads the invitation of a link.
func invitationOf(raw string) (string, bool) {
	q, ok := readQuery(raw, paramInvitation)
	return q[paramInvitation], ok && authrequest.ValidText(q[paramInvitation])
}

// callbackOf reads what the authorization server sends with the browser: a code
// or an error, never both.
func callbackOf(raw string) (authcode.Callback, bool) {
	q, ok := readQuery(raw, paramCode, paramState, paramError, paramIssuer)
	state, code, failed, issuer := q[paramState], q[paramCode], q[paramError], q[paramIssuer]
	switch {
	case !ok, !authrequest.ValidText(state):
		return authcode.Callback{}, false
	case q.has(paramCode) == q.has(paramError):
		return authcode.Callback{}, false
	case q.has(paramCode) && !printable(code, maxCode):
		return authcode.Callback{}, false
	case len(failed) > maxError:
		return authcode.Callback{}, false
	case q.has(paramIssuer) && (!printable(issuer, maxIssuer) || strings.Contains(issuer, " ")):
		return authcode.Callback{}, false
	}
	if failed != "" && !pages.KnownCode(failed) {
		failed = otherError // its text is shown in no log and no page
	}
	return authcode.Callback{
		Code: reltioauth.NewSecret(code), State: reltioauth.NewSecret(state), Error: failed, Issuer: issuer,
	}, true
}

// untilOf reads the moment that the done page shows. It is zero if the query
// holds none that can be shown.
func untilOf(raw string) time.Time {
	q, _ := readQuery(raw, paramUntil)
	text := q[paramUntil]
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil || seconds == 0 || len(text) > maxUntil {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
