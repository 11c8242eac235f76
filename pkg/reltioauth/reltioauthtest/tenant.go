package reltioauthtest

import (
	"net/http"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Tenant is a tenant API: api, for requests with a valid token of this
// IssueServer. Other requests get 401, with the body that Reltio documents; like
// Reltio's it repeats the token. A nil api answers 200 with {}.
func (s *IssueServer) Tenant(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !found:
			deny(w, "unauthorized", "Full authentication is required to access this resource")
		case !s.Valid(reltioauth.NewSecret(token)):
			deny(w, "invalid_token", "Token is invalid: "+token)
		case api == nil:
			answer{status: http.StatusOK, contentType: contentJSON, body: object(nil).end()}.send(w)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

func deny(w http.ResponseWriter, code, text string) {
	body := object(nil).addText("error", code).addText("error_description", text).end()
	answer{status: http.StatusUnauthorized, contentType: contentJSON, body: body}.send(w)
}
