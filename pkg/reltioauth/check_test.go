package reltioauth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestCheckOfALivingToken(t *testing.T) {
	at := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, body string
		want       reltioauth.TokenInfo
	}{
		{
			"all that is known",
			`{"clientId":"acme","expiration":1795453200000,"scopes":["a","b"],"roles":["ROLE_API"],
			"user":{"customer":"Acme","username":"jane","email":"jane@acme.example","tenants":["t1","t2"]}}`,
			reltioauth.TokenInfo{
				ClientID: "acme", ExpiresAt: at, Scopes: []string{"a", "b"}, Roles: []string{"ROLE_API"},
				Customer: "Acme", Username: "jane", Email: "jane@acme.example", Tenants: []string{"t1", "t2"},
			},
		},
		{"nothing", `{}`, reltioauth.TokenInfo{}},
		{"nulls", `{"clientId":null,"expiration":null,"scopes":null,"roles":null,"user":null,"error":null,"active":null}`, reltioauth.TokenInfo{}},
		{"active", `{"active":true}`, reltioauth.TokenInfo{}},
		{"other types", `{"clientId":7,"expiration":true,"scopes":7,"roles":[7],"user":{"username":[],"tenants":7}}`, reltioauth.TokenInfo{}},
		{"user is a string", `{"user":"jane"}`, reltioauth.TokenInfo{}},
		{"scopes in a string", `{"scopes":"a b"}`, reltioauth.TokenInfo{Scopes: []string{"a", "b"}}},
		{"roles with their tenants", `{"roles":{"ROLE_B":["t1"],"ROLE_A":[]}}`, reltioauth.TokenInfo{Roles: []string{"ROLE_A", "ROLE_B"}}},
		{"expiration in seconds", `{"expiration":1795453200}`, reltioauth.TokenInfo{ExpiresAt: at}},
		{"expiration in a string", `{"expiration":"1795453200000"}`, reltioauth.TokenInfo{ExpiresAt: at}},
		{"expiration as a date", `{"expiration":"2026-11-23T18:00:00+01:00"}`, reltioauth.TokenInfo{ExpiresAt: at}},
		{"expiration with a fraction", `{"expiration":1795453200.9}`, reltioauth.TokenInfo{ExpiresAt: at}},
		{"expiration zero", `{"expiration":0}`, reltioauth.TokenInfo{}},
		{"expiration negative", `{"expiration":-1795453200}`, reltioauth.TokenInfo{}},
		{"expiration huge", `{"expiration":1e300}`, reltioauth.TokenInfo{}},
		{"expiration more than a float", `{"expiration":1e400}`, reltioauth.TokenInfo{}},
		{"expiration in words", `{"expiration":"soon"}`, reltioauth.TokenInfo{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := answering(reply{status: 200, body: test.body}).Check(t.Context(), reltioauth.NewSecret("t"))
			if err != nil {
				t.Fatal(err)
			}
			test.want.Active = true
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("info (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckHasThreeAnswers(t *testing.T) {
	const alive, dead = "alive", "dead"
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string // alive, dead, or the error's code
	}{
		{"object", 200, `{"clientId":"a"}`, alive},
		{"inactive", 200, `{"active":false,"clientId":"a"}`, dead},
		{"invalid_token", 401, `{"error":"invalid_token","error_description":"Token is invalid"}`, dead},
		{"invalid_token 400", 400, `{"error":"invalid_token"}`, dead},
		{"not found", 404, `{"errorCode":404,"errorMessage":"Token not found"}`, dead},
		{"not allowed", 403, `{"errorCode":403,"errorMessage":"no"}`, dead},
		{"other shape", 401, `{"errorCode":401,"errorMessage":"no"}`, dead},
		{"other word", 400, `{"error":"invalid_request"}`, dead},
		{"empty 400", 400, ``, dead},
		{"empty 401", 401, ``, dead},
		{"text", 410, `gone`, dead},
		{"client refused", 401, `{"error":"invalid_client"}`, "invalid_client"},
		{"client refused with another status", 400, `{"error":"invalid_client"}`, dead},
		{"no credentials with another status", 403, `{"error":"unauthorized"}`, dead},
		{"no credentials", 401, `{"error":"unauthorized"}`, "unauthorized"},
		{"rate", 429, `{"error":"invalid_token"}`, "rate_limited"},
		{"page 404", 404, `<html>`, "unavailable"},
		{"page 200", 200, `<html>`, "unavailable"},
		{"too large", 400, strings.Repeat("x", reltioauth.MaxBody+1), "unavailable"},
		{"redirect", 302, ``, "unavailable"},
		{"server error", 500, `{"error":"invalid_token"}`, "unavailable"},
		{"empty 200", 200, ``, "invalid_response"},
		{"array", 200, `[]`, "invalid_response"},
		{"truncated", 200, `{"clientId":"a"`, "invalid_response"},
		{"key twice", 200, `{"active":true,"active":false}`, "invalid_response"},
		{"an error with 200", 200, `{"error":"invalid_token"}`, "invalid_response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			info, err := answering(reply{status: test.status, body: test.body}).Check(t.Context(), reltioauth.NewSecret("t"))
			got := dead
			switch {
			case err != nil:
				e := asError(t, err)
				got = string(e.Code)
				if info != nil || e.Op != "checkToken" || e.StatusCode != test.status {
					t.Errorf("got %+v with %v", info, err)
				}
			case info.Active:
				got = alive
			}
			if got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
}

func TestCheckOfNothing(t *testing.T) {
	_, err := answering(reply{status: 200, body: `{}`}).Check(t.Context(), reltioauth.Secret{})
	if e := asError(t, err); !errors.Is(err, reltioauth.ErrInvalidRequest) || e.Sent {
		t.Errorf("got %v, want %v, not sent", err, reltioauth.ErrInvalidRequest)
	}
}
