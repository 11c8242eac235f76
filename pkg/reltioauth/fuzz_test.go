package reltioauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// knownCode reports whether a code is one of the package's constants.
func knownCode(code reltioauth.ErrorCode) bool {
	switch code {
	case reltioauth.ErrInvalidRequest, reltioauth.ErrInvalidClient, reltioauth.ErrInvalidGrant,
		reltioauth.ErrUnauthorizedClient, reltioauth.ErrUnsupportedGrantType, reltioauth.ErrInvalidScope,
		reltioauth.ErrInvalidToken, reltioauth.ErrUnauthorized, reltioauth.ErrRateLimited,
		reltioauth.ErrMFARequired, reltioauth.ErrInvalidResponse, reltioauth.ErrUnavailable:
		return true
	}
	return false
}

// checkError checks what holds for every error of a call that was answered.
func checkError(t *testing.T, e *reltioauth.Error, sent string) {
	t.Helper()
	if !knownCode(e.Code) || !e.Sent || !e.Answered() {
		t.Errorf("got code %q, sent %t, status %d", e.Code, e.Sent, e.StatusCode)
	}
	if (e.MFA != nil) != (e.Code == reltioauth.ErrMFARequired) {
		t.Errorf("got %v with challenge %v", e.Code, e.MFA)
	}
	if e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour {
		t.Errorf("RetryAfter: got %v", e.RetryAfter)
	}
	texts := []string{e.Description, e.URI}
	if e.Reason() == "" && e.Code != reltioauth.ErrMFARequired {
		t.Errorf("no reason for %v", e)
	}
	if e.MFA != nil {
		texts = append(texts, e.MFA.Type, e.MFA.Status)
	}
	for _, text := range texts {
		if strings.Contains(text, sent) {
			t.Errorf("what was sent, %q, is in %q", sent, text)
		}
		if len([]rune(text)) > 256 || strings.ContainsAny(text, "\r\n\x00") {
			t.Errorf("not one short line: %q", text)
		}
	}
	if len(e.Error()) > 400 {
		t.Errorf("Error() is long: %q", e)
	}
}

// isCredential is what the package promises of a token.
func isCredential(token reltioauth.Secret) bool {
	text := token.Reveal()
	return 1 <= len(text) && len(text) <= 16384 &&
		!strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || '~' < c })
}

func FuzzTokenAnswer(f *testing.F) {
	for _, body := range []string{
		goodAnswer, ``, `{}`, `[]`, `null`, `{"access_token":"a"}`, `{"access_token":"a","expires_in":"60"}`,
		`{"access_token":"a","expires_in":1e400}`, `{"access_token":"a","access_token":"b","refresh_token":"r"}`,
		`{"refresh_token":"r","access_token":"a`, `{"state_token":{"mfaType":"ECHO","expires_in":"600","token":"t"}}`,
		`{"error":"ECHO","error_description":"ECHO"}`, `{"access_token":"a","expires_in":-0.5}`, "\xff{", `{"a":{"a":[`,
		bom + goodAnswer, packed(goodAnswer), packed(goodAnswer)[:60], "{\"x\":\"\xe4\n\",\"scope\":[\"a\",\"b\"],\"access_token\":\"a\"}",
	} {
		f.Add(body, "user-password-canary")
	}
	f.Fuzz(func(t *testing.T, body, sent string) {
		if sent == "" {
			return
		}
		grant := reltioauth.PasswordGrant{Username: "jane", Password: reltioauth.NewSecret(sent)}
		answer := reply{status: 200, body: strings.ReplaceAll(body, "ECHO", sent)}
		token, err := answering(answer).Token(t.Context(), grant)
		if err != nil {
			checkError(t, asError(t, err), sent)
			if token == nil {
				return
			}
			if token.AccessToken.IsZero() && token.RefreshToken.IsZero() {
				t.Error("a token with nothing in it")
			}
		}
		switch {
		case !token.AccessToken.IsZero() && !isCredential(token.AccessToken):
			t.Errorf("access token: got %q", token.AccessToken.Reveal())
		case !token.RefreshToken.IsZero() && !isCredential(token.RefreshToken):
			t.Errorf("refresh token: got %q", token.RefreshToken.Reveal())
		case token.ExpiresIn < 0 || token.ExpiresIn > 31*24*time.Hour || token.ExpiresIn%time.Second != 0:
			t.Errorf("ExpiresIn: got %v", token.ExpiresIn)
		case token.ExpiresInMissing && token.ExpiresIn != 300*time.Second:
			t.Errorf("ExpiresIn: got %v, want 300 s if it is missing", token.ExpiresIn)
		case !token.IssuedAt.Equal(start):
			t.Errorf("IssuedAt: got %v", token.IssuedAt)
		case err == nil && (token.AccessToken.IsZero() || token.ExpiresIn == 0):
			t.Errorf("no error for %q", answer.body)
		}
	})
}

func FuzzErrorAnswer(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `ECHO`, `<html>ECHO`, packed(`{"errorCode":"INVALID_TOKEN"}`), bom + `{"error":"invalid_grant","error_description":"Bad ECHO","error_uri":"ECHO"}`,
		`{"errorCode":404,"errorMessage":"Token is invalid: ECHO"}`, `{"error":"ECHO"}`, `{"error":{"error":"x"}}`,
		`{"error":"invalid_client","error":"ECHO"}`, "{\"error_description\":\"\xffECHO\\u0000ECHO\"}",
	} {
		f.Add(uint16(400), "application/json", "7", body, "user-password-canary")
		f.Add(uint16(429), "text/html", "Mon, 23 Nov 2026 16:00:30 GMT", body, "a")
	}
	f.Fuzz(func(t *testing.T, status uint16, contentType, retryAfter, body, sent string) {
		status = 300 + status%300
		if sent == "" {
			return
		}
		client := answering(reply{
			status: int(status),
			header: http.Header{"Content-Type": {contentType}, "Retry-After": {retryAfter}},
			body:   strings.ReplaceAll(body, "ECHO", sent),
		})
		grant := reltioauth.PasswordGrant{Username: "jane", Password: reltioauth.NewSecret(sent)}
		token, err := client.Token(t.Context(), grant)
		if token != nil || err == nil {
			t.Fatalf("got %v, %v for status %d", token, err, status)
		}
		e := asError(t, err)
		checkError(t, e, sent)
		if (e.Code == reltioauth.ErrRateLimited) != (status == 429) {
			t.Errorf("status %d: got %v", status, e.Code)
		}
		if e.Permanent() && status/100 != 4 {
			t.Errorf("status %d: got %v, which is permanent", status, e.Code)
		}

		info, err := client.Introspect(t.Context(), reltioauth.NewSecret(sent))
		switch {
		case err != nil:
			checkError(t, asError(t, err), sent)
		case info.Active || status != 400 && status != 401:
			t.Errorf("status %d: got active %t", status, info.Active)
		}
	})
}
