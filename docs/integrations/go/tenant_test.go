package tenant_test

import (
	"net/http/httptest"
	"testing"

	tenant "github.com/reltio-tokens/reltio-tokens/docs/integrations/go"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestARevokedToken(t *testing.T) {
	issue := &reltioauthtest.IssueServer{}
	lambdaAPI, api := httptest.NewServer(issue), httptest.NewServer(issue.Tenant(nil))
	t.Cleanup(lambdaAPI.Close)
	t.Cleanup(api.Close)
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", lambdaAPI.URL)
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")

	client, err := tenant.New(t.Context(), api.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := client.Entity(t.Context(), "1"); err != nil {
			t.Error(err)
		}
		issue.Kill("acme-prod") // Reltio refuses the token from now on
	}
	if got := issue.Asked("acme-prod"); got != 3 {
		t.Errorf("issue was asked %d times, want 3: for a token, and after each of two revocations", got)
	}
}
