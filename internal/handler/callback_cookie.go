package handler

import (
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

const (
	// cookiePrefix: a browser accepts a __Host- cookie only from this exact host,
	// and sends it to no other.
	cookiePrefix = "__Host-reltio-"
	// maxCookies is how many logins one browser may have in progress.
	maxCookies = 5
	// cookieHash is how many characters of the state's hash are in a cookie's
	// name.
	cookieHash = 16
)

// doneCookie is the cookie of a browser that has connected a connection. Its value
// is the connection's name, which is no secret.
const doneCookie = cookiePrefix + "done"

var cookieName = regexp.MustCompile(`^` + cookiePrefix + `[0-9a-f]{16}$`)

// nameOf is the name of an authorization request's cookie.
func nameOf(state reltioauth.Secret) string {
	return cookiePrefix + authrequest.HashOf(state)[:cookieHash]
}

// redirectCookies are the cookie of an authorization redirect, and the deletions
// of cookies above the maximum: the first ones that the browser has sent.
func redirectCookies(r *http.Request, d authcode.AuthorizationRedirect) []*http.Cookie {
	var held []string
	for _, c := range r.Cookies() {
		if cookieName.MatchString(c.Name) && !slices.Contains(held, c.Name) {
			held = append(held, c.Name)
		}
	}
	cookies := []*http.Cookie{cookie(nameOf(d.State), d.Binding.Reveal(), int(authrequest.RequestLife/time.Second))}
	for len(held) >= maxCookies {
		cookies = append(cookies, cookie(held[0], "", -1)) // written as Max-Age=0
		held = held[1:]
	}
	return cookies
}

func cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// doneCookies remember for the last page which connection a browser has connected.
func doneCookies(connection string) []*http.Cookie {
	if connection == "" {
		return nil
	}
	return []*http.Cookie{cookie(doneCookie, connection, int(authrequest.RequestLife/time.Second))}
}

// doneOf is the connection that this browser has connected; empty if there is
// none.
func doneOf(r *http.Request) string {
	c, err := r.Cookie(doneCookie)
	if err != nil || !issueapi.ValidConnection(c.Value) {
		return ""
	}
	return c.Value
}

// bindingOf is the value of the state's cookie; zero if there is none that can be
// ours.
func bindingOf(r *http.Request, state reltioauth.Secret) reltioauth.Secret {
	c, err := r.Cookie(nameOf(state))
	if err != nil || !authrequest.ValidText(c.Value) {
		return reltioauth.Secret{}
	}
	return reltioauth.NewSecret(c.Value)
}
