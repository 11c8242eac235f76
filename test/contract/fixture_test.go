package contract_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// demo is a connection of the stack that needs no person.
const demo = "demo-password"

// reltio is the sandbox, as the client of the stack's connections sees it.
func reltio(stack *local.Stack) *reltioauth.Client {
	return &reltioauth.Client{
		AuthURL: stack.ReltioURL, ClientID: "demo-client", ClientSecret: reltioauth.NewSecret("demo-secret-of-client"),
	}
}

// kill revokes a token.
func kill(t *testing.T, stack *local.Stack, token reltioauth.Secret) {
	t.Helper()
	if err := reltio(stack).Revoke(t.Context(), token, reltioauth.HintAccessToken); err != nil {
		t.Error(err)
	}
}

// tenant is a tenant API: it asks the sandbox about each token.
func tenant(t *testing.T, stack *local.Stack) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		info, err := reltio(stack).Introspect(context.WithoutCancel(r.Context()), reltioauth.NewSecret(token))
		switch {
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		case !info.Active:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return server
}
