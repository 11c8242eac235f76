package reltioauth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestIntrospectAValidToken(t *testing.T) {
	at := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, body string
		want       reltioauth.Introspection
	}{
		{
			"all that is known",
			`{"clientId":"acme","expiration":1795453200000,"scopes":["a","b"],"roles":["ROLE_API"],
			"user":{"customer":"Acme","username":"jane","email":"jane@acme.example","tenants":["t1","t2"]}}`,
			reltioauth.Introspection{
				ClientID: "acme", ExpiresAt: at, Scopes: []string{"a", "b"}, Roles: []string{"ROLE_API"},
				Customer: "Acme", Username: "jane", Email: "jane@acme.example", Tenants: []string{"t1", "t2"},
			},
		},
		{"nothing", `{}`, reltioauth.Introspection{}},
		{"nulls", `{"clientId":null,"expiration":null,"scopes":null,"roles":null,"user":null,"error":null,"active":null}`, reltioauth.Introspection{}},
		{"active", `{"active":true}`, reltioauth.Introspection{}},
		{"other types", `{"clientId":7,"expiration":true,"scopes":7,"roles":[7],"user":{"username":[],"tenants":7}}`, reltioauth.Introspection{}},
		{
			"the framework's shape",
			`{"active":true,"client_id":"acme","exp":1795453200,"scope":["a","b"],"user_name":"jane","authorities":["ROLE_API"]}`,
			reltioauth.Introspection{ClientID: "acme", ExpiresAt: at, Scopes: []string{"a", "b"}, Username: "jane"},
		},
		{
			"the shape of RFC 7662",
			`{"active":true,"client_id":"acme","exp":1795453200,"scope":"a b","username":"jane"}`,
			reltioauth.Introspection{ClientID: "acme", ExpiresAt: at, Scopes: []string{"a", "b"}, Username: "jane"},
		},
		{
			"all shapes at once",
			`{"clientId":"1","client_id":"2","expiration":1795453200,"exp":1,"scopes":["1"],"scope":"2","user":{"username":"1"},"user_name":"2","username":"3"}`,
			reltioauth.Introspection{ClientID: "1", ExpiresAt: at, Scopes: []string{"1"}, Username: "1"},
		},
		{"user_name before username", `{"user":{"username":null},"user_name":"2","username":"3"}`, reltioauth.Introspection{Username: "2"}},
		{"the first name that can be used", `{"user":{"username":7},"user_name":"\ud800","username":"3"}`, reltioauth.Introspection{Username: "3"}},
		{"a name that is no UTF-8", "{\"user\":{\"username\":\"J\xf6rg\"},\"clientId\":\"a\"}", reltioauth.Introspection{ClientID: "a"}},
		{"a name twice", `{"user":{"username":"1","username":"2"},"user_name":"3"}`, reltioauth.Introspection{Username: "3"}},
		{"fields that are not read", "{\"x\":\"\xe4\",\"x\":[],\"error\":null,\"user_name\":\"jane\"}", reltioauth.Introspection{Username: "jane"}},
		{"user is a string", `{"user":"jane"}`, reltioauth.Introspection{}},
		{"scopes in a string", `{"scopes":"a b"}`, reltioauth.Introspection{Scopes: []string{"a", "b"}}},
		{"roles with their tenants", `{"roles":{"ROLE_B":["t1"],"ROLE_A":[]}}`, reltioauth.Introspection{Roles: []string{"ROLE_A", "ROLE_B"}}},
		{"expiration in seconds", `{"expiration":1795453200}`, reltioauth.Introspection{ExpiresAt: at}},
		{"expiration in a string", `{"expiration":"1795453200000"}`, reltioauth.Introspection{ExpiresAt: at}},
		{"expiration as a date", `{"expiration":"2026-11-23T18:00:00+01:00"}`, reltioauth.Introspection{ExpiresAt: at}},
		{"expiration with a fraction", `{"expiration":1795453200.9}`, reltioauth.Introspection{ExpiresAt: at}},
		{"expiration zero", `{"expiration":0}`, reltioauth.Introspection{}},
		{"expiration negative", `{"expiration":-1795453200}`, reltioauth.Introspection{}},
		{"expiration huge", `{"expiration":1e300}`, reltioauth.Introspection{}},
		{"expiration more than a float", `{"expiration":1e400}`, reltioauth.Introspection{}},
		{"expiration in words", `{"expiration":"soon"}`, reltioauth.Introspection{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := answering(reply{status: 200, body: test.body}).Introspect(t.Context(), reltioauth.NewSecret("t"))
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
	const valid, inactive = "valid", "inactive"
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string // valid, inactive, or the error's code
	}{
		{"object", 200, `{"clientId":"a"}`, valid},
		{"active is null", 200, `{"active":null}`, valid},

		// What alone is a definite no.
		{"inactive", 200, `{"active":false,"clientId":"a"}`, inactive},
		{"invalid_token 401", 401, `{"error":"invalid_token","error_description":"Token is invalid"}`, inactive},
		{"invalid_token 400", 400, `{"error":"invalid_token","error_description":"Token was not recognised"}`, inactive},
		{"invalid_token in capitals", 400, `{"error":"INVALID_TOKEN"}`, inactive},
		{"invalid_token in the other shape", 400, `{"errorCode":"invalid_token"}`, inactive},
		{"invalid_token, packed", 400, packed(`{"error":"invalid_token"}`), inactive},
		{"invalid_token behind a byte order mark", 400, bom + `{"error":"invalid_token"}`, inactive},

		// No verdict: the client, who may ask, the way of asking.
		{"not permitted, the framework's default", 403, `{"timestamp":1,"status":403,"error":"Forbidden","path":"/oauth/checkToken"}`, "unavailable"},
		{"invalid_token with 403", 403, `{"error":"invalid_token"}`, "invalid_token"},
		{"invalid_token with 404", 404, `{"error":"invalid_token"}`, "invalid_token"},
		{"not found", 404, `{"errorCode":404,"errorMessage":"Token not found"}`, "unavailable"},
		{"method", 405, `{"error":"method_not_allowed"}`, "unavailable"},
		{"media type", 415, ``, "unavailable"},
		{"gone", 410, `gone`, "unavailable"},
		{"other shape 401", 401, `{"errorCode":401,"errorMessage":"no"}`, "unavailable"},
		{"the framework's default entry point", 401, `{"timestamp":1,"status":401,"error":"Unauthorized","message":"Unauthorized"}`, "unauthorized"},
		{"a parameter is missing", 400, `{"timestamp":1,"status":400,"error":"Bad Request","message":"Required request parameter 'token'"}`, "unavailable"},
		{"other word", 400, `{"error":"invalid_request"}`, "invalid_request"},
		{"empty 400", 400, ``, "unavailable"},
		{"empty 401", 401, ``, "unavailable"},
		{"client refused", 401, `{"error":"invalid_client"}`, "invalid_client"},
		{"client refused with another status", 400, `{"error":"invalid_client"}`, "invalid_client"},
		{"no credentials", 401, `{"error":"unauthorized"}`, "unauthorized"},
		{"no credentials with another status", 403, `{"error":"unauthorized"}`, "unauthorized"},
		{"rate", 429, `{"error":"invalid_token"}`, "rate_limited"},
		{"page 404", 404, `<html>`, "unavailable"},
		{"page 400 with the word", 400, `<html>{"error":"invalid_token"}`, "unavailable"},
		{"page 200", 200, `<html>`, "unavailable"},
		{"too large", 400, strings.Repeat("x", reltioauth.MaxBody+1), "unavailable"},
		{"redirect", 302, ``, "unavailable"},
		{"server error", 500, `{"error":"invalid_token"}`, "unavailable"},
		{"empty 200", 200, ``, "invalid_response"},
		{"array", 200, `[]`, "invalid_response"},
		{"truncated", 200, `{"clientId":"a"`, "invalid_response"},
		{"active twice", 200, `{"active":true,"active":false}`, "invalid_response"},
		{"active in a string", 200, `{"active":"false"}`, "invalid_response"},
		{"an error with 200", 200, `{"error":"invalid_token"}`, "invalid_response"},
		{"an error with 200, twice", 200, `{"error":"invalid_token","error":null}`, "invalid_response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			info, err := answering(reply{status: test.status, body: test.body}).Introspect(t.Context(), reltioauth.NewSecret("t"))
			got := inactive
			switch {
			case err != nil:
				e := asError(t, err)
				got = string(e.Code)
				if info != nil || e.Op != "checkToken" || e.StatusCode != test.status {
					t.Errorf("got %+v with %v", info, err)
				}
			case info.Active:
				got = valid
			}
			if got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
}

func TestCheckReadsTheBodyAndNotItsLabel(t *testing.T) {
	secret := reltioauth.NewSecret("t")
	for _, d := range dresses() {
		t.Run(d.name, func(t *testing.T) {
			info, err := serve(t, d.send(200, `{"user_name":"jane"}`)).Introspect(t.Context(), secret)
			if err != nil || !info.Active || info.Username != "jane" {
				t.Errorf("valid token: got %+v, %v", info, err)
			}
			for status, body := range map[int]string{400: `{"error":"invalid_token"}`, 200: `{"active":false}`} {
				info, err = serve(t, d.send(status, body)).Introspect(t.Context(), secret)
				if err != nil || info.Active {
					t.Errorf("token that is not valid, %d: got %+v, %v", status, info, err)
				}
			}
		})
	}
}

func TestCheckOfNothing(t *testing.T) {
	_, err := answering(reply{status: 200, body: `{}`}).Introspect(t.Context(), reltioauth.Secret{})
	if e := asError(t, err); !errors.Is(err, reltioauth.ErrInvalidRequest) || e.Sent {
		t.Errorf("got %v, want %v, not sent", err, reltioauth.ErrInvalidRequest)
	}
}
