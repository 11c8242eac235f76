package reltioauth_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestRefusalsOfATokenRequest(t *testing.T) {
	for _, test := range []struct {
		name        string
		status      int
		body        string
		code        reltioauth.ErrorCode
		description string
	}{
		// What Reltio documents.
		{"wrong password", 400, `{"error":"invalid_grant","error_description":"Invalid Username or Password"}`, reltioauth.ErrInvalidGrant, "Invalid Username or Password"},
		{"no client header", 401, `{"error":"unauthorized","error_description":"Full authentication is required to access this resource"}`, reltioauth.ErrUnauthorized, "Full authentication is required to access this resource"},
		{"wrong client secret", 401, `{"error":"invalid_client","error_description":"Bad client credentials"}`, reltioauth.ErrInvalidClient, "Bad client credentials"},
		{"dead refresh token", 401, `{"error":"invalid_token","error_description":"Invalid refresh token: 676742af-989b-4d40-b7cc-f69ccadd45ea"}`, reltioauth.ErrInvalidToken, "Invalid refresh token: [redacted]"},
		{"malformed", 400, `{"error":"invalid_request"}`, reltioauth.ErrInvalidRequest, "invalid_request"},
		{"client may not", 400, `{"error":"unauthorized_client"}`, reltioauth.ErrUnauthorizedClient, "unauthorized_client"},
		{"grant type", 400, `{"error":"unsupported_grant_type"}`, reltioauth.ErrUnsupportedGrantType, "unsupported_grant_type"},
		{"scope", 400, `{"error":"invalid_scope","error_description":null}`, reltioauth.ErrInvalidScope, "invalid_scope"},
		{"other shape", 404, `{"errorCode":404,"errorMessage":"No such client"}`, reltioauth.ErrUnavailable, "No such client"},
		{"other shape with a word", 400, `{"errorCode":"invalid_grant","errorMessage":"no"}`, reltioauth.ErrInvalidGrant, "no"},
		{"rate", 429, `{"error":"invalid_client"}`, reltioauth.ErrRateLimited, "invalid_client"},
		{"rate without a body", 429, ``, reltioauth.ErrRateLimited, ""},
		{"rate as a page", 429, `<html>slow down</html>`, reltioauth.ErrRateLimited, ""},
		// What says nothing about the credentials.
		{"server error with a word", 500, `{"error":"invalid_grant"}`, reltioauth.ErrUnavailable, "invalid_grant"},
		{"maintenance", 503, `upstream connect error`, reltioauth.ErrUnavailable, ""},
		{"page with a refusing status", 401, ` <!DOCTYPE html><p>{"error":"invalid_client"}`, reltioauth.ErrUnavailable, ""},
		{"page with status 200", 200, `<html></html>`, reltioauth.ErrUnavailable, ""},
		{"empty 400", 400, ``, reltioauth.ErrUnavailable, ""},
		{"empty 401", 401, ``, reltioauth.ErrUnavailable, ""},
		{"unknown word", 400, `{"error":"server_error"}`, reltioauth.ErrUnavailable, "server_error"},
		{"word of this package", 400, `{"error":"mfa_required"}`, reltioauth.ErrUnavailable, "mfa_required"},
		{"other capitals", 400, `{"error":"Invalid_Grant"}`, reltioauth.ErrInvalidGrant, "Invalid_Grant"},
		{"all capitals", 400, `{"error":" INVALID_GRANT "}`, reltioauth.ErrInvalidGrant, "INVALID_GRANT"},
		{"other shape in capitals", 400, `{"errorCode":"INVALID_GRANT"}`, reltioauth.ErrInvalidGrant, "INVALID_GRANT"},
		{"a known word behind an unknown one", 400, `{"error":"Bad Request","errorCode":"invalid_grant"}`, reltioauth.ErrInvalidGrant, "Bad Request"},
		{"the framework's default entry point", 401, `{"timestamp":1,"status":401,"error":"Unauthorized","path":"/oauth/token"}`, reltioauth.ErrUnauthorized, "Unauthorized"},
		{"another field twice", 400, `{"x":1,"error":"invalid_grant","x":2}`, reltioauth.ErrInvalidGrant, "invalid_grant"},
		{"a description that is no UTF-8", 400, "{\"error\":\"invalid_grant\",\"error_description\":\"Ung\xfcltig\"}", reltioauth.ErrInvalidGrant, "invalid_grant"},
		{"XML", 400, `<oauth><error>invalid_grant</error></oauth>`, reltioauth.ErrUnavailable, ""},
		{"word twice", 400, `{"error":"invalid_grant","error":"invalid_grant"}`, reltioauth.ErrUnavailable, ""},
		{"word of a wrong type", 400, `{"error":["invalid_grant"]}`, reltioauth.ErrUnavailable, ""},
		{"truncated", 400, `{"error":"invalid_grant"`, reltioauth.ErrUnavailable, "invalid_grant"},
		{"array", 400, `[{"error":"invalid_grant"}]`, reltioauth.ErrUnavailable, ""},
		{"token in a refusal", 400, goodAnswer, reltioauth.ErrUnavailable, ""},
		{"token in a redirect", 307, goodAnswer, reltioauth.ErrUnavailable, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, err := answering(reply{status: test.status, body: test.body}).Token(t.Context(), password)
			if token != nil {
				t.Errorf("token: got one, want none")
			}
			e := asError(t, err)
			if e.Code != test.code || e.Description != test.description {
				t.Errorf("got %q, %q; want %q, %q", e.Code, e.Description, test.code, test.description)
			}
			if !e.Sent || !e.Answered() || e.CutOff() || e.StatusCode != test.status || e.GrantType != "password" || e.Op != "token" {
				t.Errorf("got sent %t, status %d, %s (%s)", e.Sent, e.StatusCode, e.Op, e.GrantType)
			}
			if !errors.Is(err, test.code) || errors.Is(err, reltioauth.ErrorCode("")) {
				t.Errorf("errors.Is does not match the code %q alone", test.code)
			}
			if test.description != "" && test.description != string(test.code) && strings.Contains(e.Error(), test.description) {
				t.Errorf("Error() repeats the description: %q", e)
			}
		})
	}
}

func TestErrorPermanentAndCredentials(t *testing.T) {
	for _, test := range []struct {
		code        reltioauth.ErrorCode
		permanent   bool
		credentials bool // on any grant
		ofPassword  bool // on the password grant
	}{
		{reltioauth.ErrInvalidRequest, true, false, false},
		{reltioauth.ErrInvalidClient, true, true, true},
		{reltioauth.ErrInvalidGrant, true, false, true},
		{reltioauth.ErrUnauthorizedClient, true, true, true},
		{reltioauth.ErrUnsupportedGrantType, true, false, false},
		{reltioauth.ErrInvalidScope, true, false, false},
		{reltioauth.ErrInvalidToken, true, false, false},
		{reltioauth.ErrUnauthorized, true, true, true},
		{reltioauth.ErrMFARequired, true, false, false},
		{reltioauth.ErrRateLimited, false, false, false},
		{reltioauth.ErrInvalidResponse, false, false, false},
		{reltioauth.ErrUnavailable, false, false, false},
	} {
		for grant, credentials := range map[string]bool{
			"": test.credentials, "refresh_token": test.credentials, "authorization_code": test.credentials, "password": test.ofPassword,
		} {
			e := &reltioauth.Error{Code: test.code, GrantType: grant}
			if e.Permanent() != test.permanent || e.CredentialsRefused() != credentials {
				t.Errorf("%s (%s): got permanent %t, credentials %t; want %t, %t", test.code, grant, e.Permanent(), e.CredentialsRefused(), test.permanent, credentials)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		e    reltioauth.Error
		want string
	}{
		{reltioauth.Error{Op: "authorize", Code: reltioauth.ErrInvalidRequest, Err: reltioauth.ErrInvalidScope}, "reltioauth: authorize: invalid_request: invalid_scope"},
		{reltioauth.Error{Op: "dial", Code: reltioauth.ErrUnavailable, Err: io.EOF}, "reltioauth: dial: unavailable: EOF"},
		{reltioauth.Error{Op: "token", GrantType: "password", Code: reltioauth.ErrInvalidGrant, StatusCode: 400, Description: "Bad credentials"}, "reltioauth: token (password): invalid_grant (HTTP 400)"},
		{reltioauth.Error{Op: "checkToken", Code: reltioauth.ErrRateLimited, StatusCode: 429, RetryAfter: time.Second}, "reltioauth: checkToken: rate_limited (HTTP 429)"},
	} {
		if got := test.e.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		name, header string
		want         time.Duration
	}{
		{"none", "", 0},
		{"seconds", "7", 7 * time.Second},
		{"zero", "0", 0},
		{"spaces", "  7 ", 7 * time.Second},
		{"24 h", "86400", 24 * time.Hour},
		{"more", "86401", 24 * time.Hour},
		{"more than a duration", "9223372037", 24 * time.Hour},
		{"more than an integer", strings.Repeat("9", 400), 24 * time.Hour},
		{"negative", "-5", 0},
		{"fraction", "1.5", 0},
		{"words", "soon", 0},
		{"date", "Mon, 23 Nov 2026 16:00:30 GMT", 30 * time.Second},
		{"date of RFC 850", "Monday, 23-Nov-26 16:01:00 GMT", time.Minute},
		{"date of C", "Mon Nov 23 16:00:10 2026", 10 * time.Second},
		{"this moment", "Mon, 23 Nov 2026 16:00:00 GMT", 0},
		{"date in the past", "Mon, 23 Nov 2026 15:59:59 GMT", 0},
		{"date long ago", "Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"date far ahead", "Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour},
		{"half a date", "Mon, 23 Nov 2026", 0},
	} {
		header := http.Header{}
		if test.header != "" {
			header.Set("Retry-After", test.header)
		}
		for _, status := range []int{429, 503} {
			_, err := answering(reply{status: status, header: header}).Token(t.Context(), password)
			if got := asError(t, err).RetryAfter; got != test.want {
				t.Errorf("%s (%d): got %v, want %v", test.name, status, got, test.want)
			}
		}
	}
}

func TestRetryAfterTakesTheFirst(t *testing.T) {
	header := http.Header{"Retry-After": {"3", "9"}}
	_, err := answering(reply{status: 429, header: header}).Token(t.Context(), password)
	if got, want := asError(t, err).RetryAfter, 3*time.Second; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDescriptionsAreRedactedAndTidied(t *testing.T) {
	grant := reltioauth.PasswordGrant{Username: "Jane.Doe", Password: reltioauth.NewSecret("Winter 2026!")}
	for _, test := range []struct{ name, sent, want string }{
		{"what was sent", "No user jane.doe with password winter 2026!", "No user [redacted] with password [redacted]"},
		{"form-encoded", "password=Winter+2026%21&username=Jane.Doe", "password=[redacted]&username=[redacted]"},
		{"put together by tidying", `Winter\n2026!`, "[redacted]"},
		{"a UUID", "Token is invalid: 204938ca-2cf7-44b0-b11a-1b4c59984512.", "Token is invalid: [redacted]"},
		{"a UUID in quotes", "“204938ca-2cf7-44b0-b11a-1b4c59984512”", "“[redacted]”"},
		{"a Reltio token", "s.eyJ1c2VyIjoiamFuZSJ9.c2lnbmF0dXJl expired", "[redacted] expired"},
		{"letters only", "dGhpc2lzYXRva2Vu", "[redacted]"},
		{"words", "Client acme-integration may not use unsupported_grant_type", "Client acme-integration may not use unsupported_grant_type"},
		{"a long run of small letters", strings.Repeat("a", 40), "[redacted]"},
		{"control characters", `a\u0000b\r\n\tc\u200bd`, "a b c d"},
		{"other alphabets", "Ungültiges Kennwort – パスワード", "Ungültiges Kennwort – パスワード"},
		{"long", strings.Repeat("é ", 400), strings.Repeat("é ", 127) + "é…"},
	} {
		body := `{"error":"invalid_grant","error_description":"` + test.sent + `","error_uri":"` + test.sent + `"}`
		_, err := answering(reply{status: 400, body: body}).Token(t.Context(), grant)
		if e := asError(t, err); e.Description != test.want || e.URI != test.want {
			t.Errorf("%s:\ngot  %q\nand  %q\nwant %q", test.name, e.Description, e.URI, test.want)
		}
	}
}

func TestErrorURISurvives(t *testing.T) {
	body := `{"error":"invalid_scope","error_uri":"https://docs.reltio.com/errors#scope"}`
	_, err := answering(reply{status: 400, body: body}).Token(t.Context(), password)
	if got, want := asError(t, err).URI, "https://docs.reltio.com/errors#scope"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Replacing a secret of one letter would spell it out, and one that is a part
// of "[redacted]" cannot be replaced: then nothing is said.
func TestDescriptionsWithSecretsThatAreWords(t *testing.T) {
	for _, password := range []string{"a", "abc", "redacted", "[red"} {
		grant := reltioauth.PasswordGrant{Username: "jane", Password: reltioauth.NewSecret(password)}
		body := `{"error":"invalid_grant","error_description":"abc is no password, nor is [redacted]"}`
		_, err := answering(reply{status: 400, body: body}).Token(t.Context(), grant)
		if got := asError(t, err).Description; got != "" {
			t.Errorf("password %q: got %q, want nothing", password, got)
		}
	}
}
