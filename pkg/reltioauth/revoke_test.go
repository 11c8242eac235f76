package reltioauth_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestRevoke(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   reltioauth.ErrorCode // "": revoked
	}{
		{"as documented", 200, `{"status":"success"}`, ""},
		{"of a SAML tenant", 200, `{"status":"success","logoutUri":"https://idp.example/logout"}`, ""},
		{"as in RFC 7009", 200, ``, ""},
		{"in capitals", 200, `{"status":"SUCCESS"}`, ""},
		{"text", 200, `OK`, ""},
		{"no content", 204, ``, ""},
		{"another status", 200, `{"status":"failure"}`, reltioauth.ErrInvalidResponse},
		{"a status of another type", 200, `{"status":false}`, reltioauth.ErrInvalidResponse},
		{"page", 200, `<html>`, reltioauth.ErrUnavailable},
		{"redirect", 302, ``, reltioauth.ErrUnavailable},
		{"unknown token", 400, `{"error":"invalid_token"}`, reltioauth.ErrInvalidToken},
		{"client refused", 401, `{"error":"invalid_client"}`, reltioauth.ErrInvalidClient},
		{"rate", 429, ``, reltioauth.ErrRateLimited},
		{"server error", 503, ``, reltioauth.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := answering(reply{status: test.status, body: test.body}).Revoke(t.Context(), reltioauth.NewSecret("t"), "")
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := asError(t, err); e.Code != test.want || e.Op != "revoke" || e.StatusCode != test.status || !e.Sent {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestRevokeThatIsNotSent(t *testing.T) {
	client := answering(reply{})
	client.Connect = transport(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, http.ErrHandlerTimeout
	}).connect
	for hint, token := range map[reltioauth.TokenHint]string{"": "", "id_token": "t", "accessToken": "t"} {
		err := client.Revoke(t.Context(), reltioauth.NewSecret(token), hint)
		if e := asError(t, err); !errors.Is(err, reltioauth.ErrInvalidRequest) || e.Sent {
			t.Errorf("%q: got %v, want %v, not sent", hint, err, reltioauth.ErrInvalidRequest)
		}
	}
}
