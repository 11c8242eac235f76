package reltioauth

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText is how much of a server's text is kept, in characters.
	maxText = 256
	// minExact is the length below which replacing a secret would reveal it:
	// "B[redacted]d credenti[redacted]ls" has the password "a".
	minExact = 4
	// minTokenLike is the length from which a run of token characters may be
	// a token. UUIDs have 36.
	minTokenLike = 16
	// maxWord is the longest run of small letters that may be a word.
	maxWord = 39
)

// redactor removes the secrets of one request from a text.
type redactor struct {
	sent  []string // in every spelling, in small letters, the longest first
	short []string // those of sent that are too short to be replaced
}

// redactor is for the given parameters and the client's credentials.
func (c *Client) redactor(sent ...url.Values) redactor {
	var r redactor
	r.add(c.ClientSecret.Reveal())
	r.add(basicCredentials(c.ClientID, c.ClientSecret))
	for _, values := range sent {
		for key, value := range values {
			if !isPublic(key) {
				r.add(value...)
			}
		}
	}
	slices.SortFunc(r.sent, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return r
}

// isPublic names the parameters that may be shown. A new parameter is secret
// unless it is added here.
func isPublic(parameter string) bool {
	switch parameter {
	case "grant_type", "scope", "client_id", "redirect_uri", "token_type_hint":
		return true
	}
	return false
}

// add adds the secrets in all spellings that a server or a library might use.
func (r *redactor) add(secrets ...string) {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret) // a string can always be encoded
		for _, spelling := range []string{
			secret,
			url.QueryEscape(secret),
			url.PathEscape(secret),
			html.EscapeString(secret),
			string(quoted[1 : len(quoted)-1]),
			base64.StdEncoding.EncodeToString([]byte(secret)),
		} {
			spelling = lower(spelling)
			switch {
			case len(spelling) < minExact:
				r.short = append(r.short, spelling)
			case !slices.Contains(r.sent, spelling):
				r.sent = append(r.sent, spelling)
			}
		}
	}
}

// serverText is the part of a server's text that may be kept: one line, without
// secrets of the request and without anything that looks like a token.
func (r redactor) serverText(text string) string {
	text = oneLine(redactTokens(r.exact(text)))
	text = r.exact(text) // once more: the steps before may have joined the parts of a secret
	if utf8.RuneCountInString(text) > maxText {
		text = string([]rune(text)[:maxText-1]) + "…"
	}
	if r.leaks(text) {
		return ""
	}
	return text
}

// transportCause is the redacted form of an error that may quote a response.
func (r redactor) transportCause(err error) error {
	return newCause(err, r.serverText(err.Error()))
}

// dialCause is the redacted form of an error from before anything was sent. It
// holds no text of a server, and host names may look like tokens.
func (r redactor) dialCause(err error) error {
	text := r.exact(oneLine(err.Error()))
	if r.leaks(text) {
		text = ""
	}
	return newCause(err, text)
}

// exact replaces the secrets of the request.
func (r redactor) exact(text string) string {
	for _, secret := range r.sent {
		text = replaceFold(text, secret)
	}
	return text
}

// leaks reports whether a secret of the request is still in the text: a short
// one, or one that is a part of "[redacted]".
func (r redactor) leaks(text string) bool {
	text = lower(text)
	contained := func(secret string) bool { return strings.Contains(text, secret) }
	return slices.ContainsFunc(r.sent, contained) || slices.ContainsFunc(r.short, contained)
}

// replaceFold replaces a text, given in small letters, in any case.
func replaceFold(text, small string) string {
	var b strings.Builder
	for low := lower(text); ; {
		i := strings.Index(low, small)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		b.WriteString(redacted)
		text, low = text[i+len(small):], low[i+len(small):]
	}
}

// lower makes ASCII letters small. Unlike strings.ToLower, it never changes the
// length.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// redactTokens replaces every run of characters that looks like a token: a
// UUID, a JWT, base64 of any kind.
func redactTokens(text string) string {
	var b strings.Builder
	for text != "" {
		end := strings.IndexFunc(text, func(c rune) bool { return !isTokenRune(c) })
		if end < 0 {
			end = len(text)
		}
		if looksLikeToken(text[:end]) {
			b.WriteString(redacted)
		} else {
			b.WriteString(text[:end])
		}
		next := end
		if end < len(text) {
			_, size := utf8.DecodeRuneInString(text[end:])
			next += size
		}
		b.WriteString(text[end:next])
		text = text[next:]
	}
	return b.String()
}

// isTokenRune reports whether the character is one of RFC 6750's b64token, or "%"
// or "_" for form-encoded and base64url texts.
func isTokenRune(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.ContainsRune("-._~+/=%", c)
}

// looksLikeToken hides too much rather than too little: only short runs, and runs
// of small letters such as "unsupported_grant_type", are words.
func looksLikeToken(run string) bool {
	if len(run) < minTokenLike {
		return false
	}
	if len(run) > maxWord {
		return true
	}
	return strings.ContainsFunc(run[1:], func(c rune) bool {
		return (c < 'a' || 'z' < c) && !strings.ContainsRune("-._/", c)
	})
}

// oneLine replaces every run of unprintable characters and spaces by one space.
func oneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// basicCredentials is the text after "Basic " (RFC 7617).
func basicCredentials(id string, secret Secret) string {
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + secret.Reveal()))
}
