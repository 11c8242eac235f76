package authcode_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// shapes are those of checkToken's response; %q is the user.
func shapes() map[string]string {
	return map[string]string{
		"Reltio's":        `{"clientId":"client-1","expiration":1999999999,"user":{"customer":"c","username":%q,"tenants":["t"]}}`,
		"the framework's": `{"aud":["r"],"user_name":%q,"scope":["read"],"active":true,"exp":1999999999,"authorities":["ROLE_USER"],"client_id":"client-1"}`,
		"RFC 7662's":      `{"active":true,"client_id":"client-1","username":%q,"scope":"read","sub":"Z5O3upPC88QrAjx00dis"}`,
	}
}

// checked makes checkToken answer with a shape that names a user.
func (w *world) checked(shape, user string) {
	w.answer(reltioauthtest.OpCheckToken, body(fmt.Sprintf(shape, user)))
}

// Whatever the shape of checkToken's response, its user is recognised.
func TestTheUserInEachShape(t *testing.T) {
	for name, shape := range shapes() {
		tests := map[string]struct {
			first, expected, user string
			replace               bool
			want                  authcode.Outcome
			stored                string
		}{
			"the first one is stored":              {user: "ann", want: authcode.Done, stored: "ann"},
			"the first one again":                  {first: "ann", user: "ann", want: authcode.Done, stored: "ann"},
			"a second one does not replace it":     {first: "ann", user: "ben", want: authcode.WrongUser, stored: "ann"},
			"a second one who may replace it":      {first: "ann", user: "ben", replace: true, want: authcode.Done, stored: "ben"},
			"the expected one":                     {expected: "ann", user: "ann", want: authcode.Done, stored: "ann"},
			"another than expected":                {expected: "ann", user: "ben", want: authcode.WrongUser},
			"another than expected, to replace it": {expected: "ann", user: "ben", replace: true, want: authcode.WrongUser},
		}
		for state, test := range tests {
			t.Run(name+", "+state, func(t *testing.T) {
				bubble(t, func(w *world) {
					if test.first != "" {
						w.checked(shape, test.first)
						w.connected(test.first)
					}
					if test.expected != "" {
						w.connect("acme", with(secret(), "expected_user", test.expected))
					}
					before := w.grant()
					w.checked(shape, test.user)
					w.expect(w.journey(w.inviteTo("acme", test.replace), test.user), test.want)
					after := w.grant()
					if after.User != test.stored {
						t.Errorf("user %q is stored, want %q", after.User, test.stored)
					}
					if test.want != authcode.Done {
						w.wantNothingStored(before.Fingerprint, before.SecretVersion)
					}
				})
			})
		}
	}
}

// wantNothingStored expects the grant as it was, and that what Reltio gave since
// is revoked.
func (w *world) wantNothingStored(fingerprint, version string) {
	w.t.Helper()
	if g := w.grant(); g.Fingerprint != fingerprint || g.SecretVersion != version {
		w.t.Errorf("grant %+v: something was stored", g)
	}
	if fingerprint == "" {
		w.wantValid(0, 0)
	} else {
		w.wantValid(1, 1)
	}
}

// unclears are answers of checkToken that do not say who has logged in.
func unclears() map[string]reltioauthtest.Fault {
	status := func(status int, text string) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: text}
	}
	const page = "<!DOCTYPE html><html><body>Sign in</body></html>"
	return map[string]reltioauthtest.Fault{
		"403, the framework's default":       status(403, `{"timestamp":"2026-01-01","status":403,"error":"Forbidden","path":"/oauth/checkToken"}`),
		"403 in OAuth's words":               says(403, "access_denied"),
		"403, a page":                        status(403, page),
		"401, the client in OAuth's words":   says(401, "invalid_client"),
		"401, the client in the framework's": says(401, "unauthorized"),
		"401, the framework's default":       status(401, `{"timestamp":"2026-01-01","status":401,"error":"Unauthorized","path":"/oauth/checkToken"}`),
		"401, a page":                        status(401, page),
		"401, nothing":                       status(401, ""),
		"400 about the request":              status(400, `{"error":"invalid_request","error_description":"Required request parameter 'token'"}`),
		"400, the token is not known":        says(400, "invalid_token"),
		"404":                                status(404, page),
		"405":                                says(405, "method_not_allowed"),
		"415":                                status(415, ""),
		"429":                                status(429, `{"error":"too_many_requests"}`),
		"302 to a login page":                {Kind: reltioauthtest.FaultStatus, Status: 302, Header: http.Header{"Location": {"https://auth.reltio.com/login"}}},
		"500":                                says(500, "server_error"),
		"503, a page":                        status(503, page),
		"200, a page":                        status(200, page),
		"200, nothing":                       status(200, ""),
		"200, not active":                    status(200, `{"active":false}`),
		"200, no user":                       status(200, `{"clientId":"client-1","scopes":["a"]}`),
		"200, an empty user":                 status(200, `{"user":{"username":""},"user_name":"","username":""}`),
		"200, a user of another type":        status(200, `{"user":["ann"],"user_name":{"n":"ann"},"username":1}`),
		"200, an array":                      status(200, `[{"user_name":"ann"}]`),
		"200, an error":                      status(200, `{"error":"invalid_token","user_name":"ann"}`),
		"silence":                            {Hold: time.Minute},
		"cut off":                            {Kind: reltioauthtest.FaultCut},
	}
}

// Without a definite response no user takes a known or expected user's place: the
// tokens are revoked, and the link works again. If no user is known or expected,
// the grant is stored without a user. The log says why.
func TestNoDefiniteAnswer(t *testing.T) {
	tests := map[string]struct {
		known    bool
		expected string
		replace  bool
		want     authcode.Outcome
	}{
		"nobody is known":                   {want: authcode.Done},
		"one is expected":                   {expected: "ann", want: authcode.UserUnknown},
		"one is known":                      {known: true, want: authcode.UserUnknown},
		"one is known and may be replaced":  {known: true, replace: true, want: authcode.UserUnknown},
		"one is known, another is expected": {known: true, expected: "ben", want: authcode.UserUnknown},
	}
	for name, fault := range unclears() {
		for state, test := range tests {
			t.Run(name+", "+state, func(t *testing.T) {
				bubble(t, func(w *world) {
					if test.known {
						w.connected("ann")
					}
					if test.expected != "" {
						w.connect("acme", with(secret(), "expected_user", test.expected))
					}
					before, sent := w.grant(), w.exchanges()
					w.answer(reltioauthtest.OpCheckToken, fault)
					link := w.inviteTo("acme", test.replace)
					cb := w.login(w.begin(link), "ann")
					a := w.complete(cb)
					w.expect(a, test.want)
					if a.Err == nil {
						t.Error("the log is not told why nobody is known")
					}
					after := w.grant()
					w.wantExchanges(sent + 1)
					if after.User != before.User {
						t.Errorf("user %q is stored, want %q", after.User, before.User)
					}
					if test.want == authcode.Done {
						if !after.Valid(time.Now()) {
							t.Error("no token is stored")
						}
						return
					}
					w.wantNothingStored(before.Fingerprint, before.SecretVersion)
					w.expect(w.complete(cb), authcode.UserUnknown) // a reload
					if _, outcome, _ := w.flow.Preview(t.Context(), link); outcome != authcode.Done {
						t.Errorf("the link: %s, want it to work again", outcome)
					}
				})
			})
		}
	}
}

// Once a user is named, a grant that was stored without one belongs to that user.
func TestAUserIsNamedLater(t *testing.T) {
	bubble(t, func(w *world) {
		w.answer(reltioauthtest.OpCheckToken, says(403, "access_denied"))
		w.connected("ann")
		w.heal()
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		if g := w.grant(); g.User != "ann" {
			t.Errorf("user %q", g.User)
		}
		w.expect(w.journey(w.invite(), "ben"), authcode.WrongUser)
	})
}
