package connection

import (
	"encoding/base32"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	// maxParams bounds how many parameters a connection adds to its logins.
	maxParams = 8
	// minTOTPKey and maxTOTPKey bound the key of an authenticator, in bytes.
	// RFC 4226 asks for 16; authenticators with 10 are in use.
	minTOTPKey = 10
	maxTOTPKey = 128
)

// param is what the name of an additional parameter looks like.
var param = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// ownParams are the parameters that this service sends by itself to an
// authorization server, with logins or otherwise.
var ownParams = []string{ //nolint:gochecknoglobals // a constant table
	"grant_type", "client_id", "client_secret", "username", "password", "scope", "refresh_token",
	"code", "redirect_uri", "code_verifier", "state_token", "totp", "token", "token_type_hint",
}

// tokenParams are sent with logins. Their names are not shown in problems, since
// a secret may have been pasted there; those of ownParams are.
func (p parser) tokenParams() map[string]reltioauth.Secret {
	const field = "token_params"
	inner := p.o.Object(field)
	if inner == nil {
		return nil
	}
	names, params := inner.Names(), map[string]reltioauth.Secret{}
	for _, name := range names {
		params[name] = reltioauth.NewSecret(inner.String(name))
	}
	if len(names) == 0 || len(names) > maxParams {
		p.o.Problem(field, fmt.Sprintf("must have 1 to %d parameters", maxParams))
	}
	if len(inner.Problems()) > 0 {
		p.o.Problem(field, "must have each name once, with a text")
	}
	for _, name := range names {
		switch {
		case slices.Contains(ownParams, name):
			p.o.Problem(field, "must not have "+name+", which this service sends itself")
		case !param.MatchString(name):
			p.o.Problem(field, "must have names of small letters, digits and underscores, at most 32, a letter first")
		}
		p.bounded(field, params[name].Reveal())
		p.plain(field, params[name].Reveal())
	}
	return params
}

// apiURL is an address as callers get it.
func (p parser) apiURL() string {
	text := p.optional("api_url")
	if text == "" {
		return ""
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Opaque != "" || strings.ContainsFunc(text, odd):
		p.o.Problem("api_url", "must be an https address")
	case u.User != nil:
		p.o.Problem("api_url", "must not have a user or a password in it")
	case strings.ContainsAny(text, "?#"):
		p.o.Problem("api_url", "must not have a query or a fragment")
	}
	if err == nil {
		p.apiHost(u)
	}
	return text
}

func (p parser) apiHost(u *url.URL) {
	_, ok := normalHost(u.Hostname())
	if !ok || u.Port() == "" && strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port()) {
		p.o.Problem("api_url", "must be an https address")
	}
}

// totpSecret is the key of an authenticator as it is shown when one is set up:
// base32 of RFC 4648, in groups or not, in small letters or not, with padding or
// not.
func (p parser) totpSecret() reltioauth.Secret {
	const field = "totp_secret"
	if !p.o.Has(field) {
		return reltioauth.Secret{}
	}
	text := p.requiredAny(field)
	if strings.HasPrefix(strings.ToLower(text), "otpauth:") {
		p.o.Problem(field, "must be the secret in the otpauth address, not the address")
		return reltioauth.Secret{}
	}
	text = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(text, " ", ""), "="))
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || len(key) < minTOTPKey || len(key) > maxTOTPKey {
		p.o.Problem(field, "must be the authenticator's secret in base32: at least 16 letters A to Z and digits 2 to 7")
		return reltioauth.Secret{}
	}
	return reltioauth.NewSecret(text)
}
