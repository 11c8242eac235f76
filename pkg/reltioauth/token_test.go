package reltioauth_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestTokenIsReadAsReltioDocumentsIt(t *testing.T) {
	got, err := answering(reply{status: 200, body: goodAnswer}).Token(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	want := &reltioauth.Token{
		AccessToken:  reltioauth.NewSecret("204938ca-2cf7-44b0-b11a-1b4c59984512"),
		TokenType:    "bearer",
		RefreshToken: reltioauth.NewSecret("676742af-989b-4d40-b7cc-f69ccadd45ea"),
		Scope:        "configuration_api entities_api",
		ExpiresIn:    3599 * time.Second,
		IssuedAt:     start,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	if got, want := got.ExpiresAt(), start.Add(3599*time.Second); !got.Equal(want) {
		t.Errorf("ExpiresAt: got %v, want %v", got, want)
	}
	if got, want := got.Fingerprint(), reltioauth.Fingerprint(got.AccessToken); got != want {
		t.Errorf("Fingerprint: got %q, want the access token's, %q", got, want)
	}
}

func TestTokenExpiresIn(t *testing.T) {
	const bad = -1
	for _, test := range []struct {
		name, value string
		want        time.Duration // bad: an error, and 0
		zero        bool          // the error is ErrNoLifeLeft
	}{
		{"number", `3599`, 3599 * time.Second, false},
		{"one second", `1`, time.Second, false},
		{"string", `"3599"`, 3599 * time.Second, false},
		{"fraction dropped", `59.999`, 59 * time.Second, false},
		{"fraction in a string", `"59.999"`, 59 * time.Second, false},
		{"exponent", `3.6e3`, time.Hour, false},
		{"exponent in a string", `"36E+2"`, time.Hour, false},
		{"31 days", `2678400`, 31 * 24 * time.Hour, false},
		{"more than 31 days", `2678401`, 31 * 24 * time.Hour, false},
		{"more than a float", `1e400`, 31 * 24 * time.Hour, false},
		{"more than an exponent", `"1e99999999999999999999"`, 31 * 24 * time.Hour, false},
		{"more digits than an integer", strings.Repeat("9", 5000), 31 * 24 * time.Hour, false},
		{"zero", `0`, bad, true},
		{"zero in a string", `"0"`, bad, true},
		{"less than one", `0.999`, bad, true},
		{"less than a float", `1e-400`, bad, true},
		{"negative zero", `-0`, bad, true},
		{"negative", `-1`, bad, false},
		{"negative and huge", `-1e400`, bad, false},
		{"true", `true`, bad, false},
		{"empty string", `""`, bad, false},
		{"word", `"soon"`, bad, false},
		{"null in a string", `"null"`, bad, false},
		{"infinity", `"Inf"`, bad, false},
		{"not a number", `"NaN"`, bad, false},
		{"hexadecimal", `"0x10"`, bad, false},
		{"underscore", `"3_600"`, bad, false},
		{"plus", `"+3600"`, bad, false},
		{"space before", `" 3600"`, bad, false},
		{"space behind", `"3600 "`, bad, false},
		{"leading zero", `"03600"`, bad, false},
		{"array", `[3600]`, bad, false},
		{"object", `{"seconds":3600}`, bad, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := `{"access_token":"a-token","refresh_token":"r-token","expires_in":` + test.value + `}`
			got, err := answering(reply{status: 200, body: body}).Token(t.Context(), password)
			if got == nil || got.AccessToken.Reveal() != "a-token" || got.RefreshToken.Reveal() != "r-token" {
				t.Fatalf("token: got %v, want both tokens in any case", got)
			}
			if got.ExpiresInMissing {
				t.Error("ExpiresInMissing: got true, want false")
			}
			if test.want != bad {
				if err != nil || got.ExpiresIn != test.want {
					t.Errorf("got %v, %v; want %v, no error", got.ExpiresIn, err, test.want)
				}
				return
			}
			if !errors.Is(err, reltioauth.ErrInvalidResponse) || got.ExpiresIn != 0 {
				t.Errorf("got %v, %v; want 0, %v", got.ExpiresIn, err, reltioauth.ErrInvalidResponse)
			}
			if errors.Is(err, reltioauth.ErrNoLifeLeft) != test.zero {
				t.Errorf("got %v, want %v: %t", err, reltioauth.ErrNoLifeLeft, test.zero)
			}
		})
	}
}

func TestTokenExpiresInMissingCountsFiveMinutes(t *testing.T) {
	for _, body := range []string{
		`{"access_token":"a-token"}`,
		`{"access_token":"a-token","expires_in":null}`,
		`{"access_token":"a-token","Expires_In":60}`,
	} {
		got, err := answering(reply{status: 200, body: body}).Token(t.Context(), password)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		want := &reltioauth.Token{
			AccessToken:      reltioauth.NewSecret("a-token"),
			ExpiresIn:        300 * time.Second,
			ExpiresInMissing: true,
			IssuedAt:         start,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: token (-want +got):\n%s", body, diff)
		}
	}
}

func TestTokenAnswersThatCannotBeUsed(t *testing.T) {
	for _, test := range []struct {
		name, body            string
		wantAccess, wantRefr  string // what is saved of them; neither: no token
		wantCause             string
		wantCode              reltioauth.ErrorCode
		wantDescription, kind string
	}{
		{name: "empty", body: ``, wantCause: "answer: empty"},
		{name: "white space", body: " \r\n\t", wantCause: "answer: empty"},
		{name: "text", body: `OK`, wantCause: "answer: not a JSON object"},
		{name: "array", body: `[{"access_token":"a"}]`, wantCause: "answer: not a JSON object"},
		{name: "string", body: `"access_token"`, wantCause: "answer: not a JSON object"},
		{name: "null", body: `null`, wantCause: "answer: not a JSON object"},
		{name: "empty object", body: `{}`, wantCause: "access_token: missing"},
		{name: "access token null", body: `{"access_token":null}`, wantCause: "access_token: missing"},
		{name: "access token empty", body: `{"access_token":"","refresh_token":"r"}`, wantRefr: "r", wantCause: "access_token: missing"},
		{name: "access token a number", body: `{"access_token":7,"refresh_token":"r"}`, wantRefr: "r", wantCause: "access_token: not a string"},
		{name: "access token with a space", body: `{"access_token":"a b","refresh_token":"r"}`, wantRefr: "r", wantCause: "access_token: too long or characters that no token has"},
		{name: "access token with a line end", body: `{"access_token":"a\r\nX: y"}`, wantCause: "access_token: too long or characters that no token has"},
		{name: "access token with NUL", body: `{"access_token":"a\u0000"}`, wantCause: "access_token: too long or characters that no token has"},
		{name: "access token not ASCII", body: `{"access_token":"ä"}`, wantCause: "access_token: too long or characters that no token has"},
		{name: "access token too long", body: `{"access_token":"` + strings.Repeat("a", 16385) + `"}`, wantCause: "access_token: too long or characters that no token has"},
		{name: "refresh token with a space", body: `{"access_token":"a","refresh_token":"r r"}`, wantAccess: "a", wantCause: "refresh_token: too long or characters that no token has"},
		{name: "refresh token an object", body: `{"access_token":"a","refresh_token":{}}`, wantAccess: "a", wantCause: "refresh_token: not a string"},
		{name: "access token twice", body: `{"access_token":"a","access_token":"b","refresh_token":"r"}`, wantRefr: "r", wantCause: "access_token: repeated"},
		{name: "refresh token three times", body: `{"access_token":"a","refresh_token":"r","refresh_token":"r","refresh_token":"r"}`, wantAccess: "a", wantCause: "refresh_token: repeated"},
		{name: "second value", body: `{"access_token":"a","refresh_token":"r"}{}`, wantAccess: "a", wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "junk behind", body: `{"access_token":"a","refresh_token":"r"}x`, wantAccess: "a", wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "comma too many", body: `{"access_token":"a","refresh_token":"r",}`, wantAccess: "a", wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "ends in a value", body: `{"refresh_token":"r","access_token":"a`, wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "ends behind a key", body: `{"refresh_token":"r","access_token"`, wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "key not a string", body: `{"refresh_token":"r",7:8}`, wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "access token not UTF-8", body: "{\"refresh_token\":\"r\",\"access_token\":\"\xff\"}", wantRefr: "r", wantCause: "access_token: not UTF-8"},
		{name: "access token with a raw NUL", body: "{\"refresh_token\":\"r\",\"access_token\":\"a\x00\"}", wantRefr: "r", wantCause: "access_token: not UTF-8"},
		{name: "a raw NUL between fields", body: "{\"refresh_token\":\"r\",\x00\"access_token\":\"a\"}", wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "expires_in twice", body: `{"access_token":"a","refresh_token":"r","expires_in":60,"expires_in":60}`, wantAccess: "a", wantRefr: "r", wantCause: "expires_in: repeated"},
		{name: "UTF-16", body: "\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", wantCause: "answer: not a JSON object"},
		{name: "two byte order marks", body: bom + bom + goodAnswer, wantCause: "answer: not a JSON object"},
		{name: "packed twice", body: packed(packed(goodAnswer)), wantCause: "answer: not a JSON object"},
		{name: "badly packed", body: "\x1f\x8b\x08" + strings.Repeat("x", 40), wantCause: "answer: cannot be unpacked"},
		{name: "packed, checksum wrong", body: spoiled(packed(`{"refresh_token":"r","access_token":"a"}`)), wantAccess: "a", wantRefr: "r", wantCause: "answer: cannot be unpacked"},
		{name: "packed, more than 1 MiB", body: packed(`{"refresh_token":"r","x":"` + strings.Repeat("x", reltioauth.MaxBody)), wantRefr: "r", wantCause: "answer: more than 1 MiB"},
		{name: "too deep", body: `{"refresh_token":"r","x":` + strings.Repeat("[", 20000), wantRefr: "r", wantCause: "answer: malformed JSON"},
		{name: "an error", body: `{"error":"invalid_grant","error_description":"no"}`, wantCause: "access_token: missing", wantDescription: "no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := answering(reply{status: 200, body: test.body}).Token(t.Context(), password)
			e := asError(t, err)
			if e.Code != reltioauth.ErrInvalidResponse || e.StatusCode != 200 || !e.Sent || e.Permanent() || e.CredentialsRefused() {
				t.Errorf("error: got %+v (%v)", e.Code, e)
			}
			if e.Err == nil || e.Err.Error() != test.wantCause {
				t.Errorf("cause: got %v, want %q", e.Err, test.wantCause)
			}
			if e.Description != test.wantDescription {
				t.Errorf("description: got %q, want %q", e.Description, test.wantDescription)
			}
			if test.wantAccess == "" && test.wantRefr == "" {
				if got != nil {
					t.Errorf("token: got one with %q and %q, want none", got.AccessToken.Reveal(), got.RefreshToken.Reveal())
				}
				return
			}
			if got == nil {
				t.Fatal("token: got none")
			}
			if got.AccessToken.Reveal() != test.wantAccess || got.RefreshToken.Reveal() != test.wantRefr {
				t.Errorf("token: got %q and %q, want %q and %q", got.AccessToken.Reveal(), got.RefreshToken.Reveal(), test.wantAccess, test.wantRefr)
			}
		})
	}
}

func TestTokenAcceptsWhatATokenMayBe(t *testing.T) {
	for _, access := range []string{"a", strings.Repeat("a", 16384), `s.eyJ1IjoxfQ.c2ln-_~+/=`, "!#$~"} {
		body := `{"access_token":"` + access + `","expires_in":60,"refresh_token":null,"nested":{"access_token":[1,{"access_token":"x"}]}}`
		got, err := answering(reply{status: 200, body: body}).Token(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		if got.AccessToken.Reveal() != access || !got.RefreshToken.IsZero() {
			t.Errorf("got %d characters, want %d", len(got.AccessToken.Reveal()), len(access))
		}
	}
}

func TestTokenMFA(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       *reltioauth.MFAChallenge
	}{
		{
			"as documented",
			`{"expires_in":599,"state_token":{"mfaType":"AUTHENTICATOR","expires_in":"600","status":"ENROLL","token":"state-token-canary"}}`,
			&reltioauth.MFAChallenge{Type: "AUTHENTICATOR", Status: "ENROLL", StateToken: reltioauth.NewSecret("state-token-canary"), ExpiresIn: 600 * time.Second},
		},
		{
			"a bare token", `{"state_token":"state-token-canary"}`,
			&reltioauth.MFAChallenge{StateToken: reltioauth.NewSecret("state-token-canary")},
		},
		{
			"without a lifetime", `{"state_token":{"token":"state-token-canary"},"access_token":null}`,
			&reltioauth.MFAChallenge{StateToken: reltioauth.NewSecret("state-token-canary")},
		},
		{"unreadable", `{"state_token":[1]}`, &reltioauth.MFAChallenge{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, err := answering(reply{status: 200, body: test.body}).Token(t.Context(), password)
			if token != nil {
				t.Errorf("token: got one, want none")
			}
			e := asError(t, err)
			if e.Code != reltioauth.ErrMFARequired || !e.Permanent() || e.CredentialsRefused() {
				t.Errorf("got %v, want %v, permanent, not about the credentials", err, reltioauth.ErrMFARequired)
			}
			if diff := cmp.Diff(test.want, e.MFA); diff != "" {
				t.Errorf("challenge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokenWithAccessTokenIsNoMFA(t *testing.T) {
	body := `{"access_token":"a-token","expires_in":60,"state_token":{"token":"x"}}`
	if _, err := answering(reply{status: 200, body: body}).Token(t.Context(), password); err != nil {
		t.Error(err)
	}
}

func TestTokenGrantsThatCannotBeSent(t *testing.T) {
	client := answering(reply{})
	client.Connect = transport(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.ErrUnexpectedEOF
	}).connect
	secret := reltioauth.NewSecret("x")
	for _, test := range []struct {
		grant reltioauth.Grant
		want  string
	}{
		{nil, "reltioauth: token: invalid_request: no grant"},
		{reltioauth.PasswordGrant{Password: secret}, "reltioauth: token (password): invalid_request: username: empty"},
		{reltioauth.PasswordGrant{Username: "u"}, "reltioauth: token (password): invalid_request: password: empty"},
		{reltioauth.PasswordGrant{Username: "u", Password: secret, Params: map[string]reltioauth.Secret{"": secret}}, "reltioauth: token (password): invalid_request: params: an empty name"},
		{reltioauth.PasswordGrant{Params: map[string]reltioauth.Secret{"password": secret, "username": secret}}, "reltioauth: token (password): invalid_request: username: empty"},
		{reltioauth.RefreshTokenGrant{}, "reltioauth: token (refresh_token): invalid_request: refresh_token: empty"},
		{reltioauth.AuthorizationCodeGrant{RedirectURI: "https://a.example"}, "reltioauth: token (authorization_code): invalid_request: code: empty"},
		{reltioauth.AuthorizationCodeGrant{Code: secret}, "reltioauth: token (authorization_code): invalid_request: redirect_uri: empty"},
		{reltioauth.MFAGrant{TOTP: secret}, "reltioauth: token (state_token): invalid_request: state_token: empty"},
		{reltioauth.MFAGrant{StateToken: secret}, "reltioauth: token (state_token): invalid_request: totp: empty"},
	} {
		_, err := client.Token(t.Context(), test.grant)
		e := asError(t, err)
		if e.Error() != test.want || e.Sent || e.Answered() || !e.Permanent() || e.CredentialsRefused() {
			t.Errorf("got %q (sent %t), want %q", e, e.Sent, test.want)
		}
	}
}
