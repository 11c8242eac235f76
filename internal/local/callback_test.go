package local_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A person opens the link, logs in and comes back; before that issue says that
// a person is needed, and afterwards it answers.
func TestAPersonConnects(t *testing.T) {
	stack, client := start(t)
	demo := &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(`{"connection":"demo-authorization-code"}`)}
	if _, body := invoke(t, client, demo); body["errorType"] != "ReauthorizationRequired" {
		t.Fatalf("before: %v", body)
	}
	link := invite(t, stack)
	if err := local.Connect(t.Context(), link, "demo-person", "demo-secret-of-person"); err != nil {
		t.Fatal(err)
	}
	if _, body := invoke(t, client, demo); body["access_token"] == nil {
		t.Errorf("afterwards: %v", body["errorType"])
	}
	if err := local.Connect(t.Context(), link, "demo-person", "demo-secret-of-person"); err == nil || err.Error() != "/authorize answers HTTP 410" {
		t.Errorf("the link again: %v, want 410", err)
	}
}

// What the sandbox gives for the second login does not matter: the same refresh
// token, a new one beside the old one, or a new one in its place.
func TestAPersonConnectsAgain(t *testing.T) {
	for name, way := range map[string]reltioauthtest.Renewal{
		"the same": reltioauthtest.SameToken, "a new one": reltioauthtest.NewToken, "a new one alone": reltioauthtest.NewTokenOldDies,
	} {
		t.Run(name, func(t *testing.T) {
			stack, client := start(t)
			stack.Sandbox().Configure(func(c *reltioauthtest.Config) {
				c.Behaviour.CodeRefreshToken, c.Behaviour.SingleSignOn = way, false
			})
			for range 3 {
				if err := local.Connect(t.Context(), invite(t, stack), "demo-person", "demo-secret-of-person"); err != nil {
					t.Fatal(err)
				}
				payload := []byte(`{"connection":"demo-authorization-code"}`)
				if _, body := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: payload}); body["access_token"] == nil {
					t.Errorf("afterwards: %v", body["errorType"])
				}
			}
		})
	}
}

// Another person, and one who mistypes, is told so, and no error repeats what
// the link or the form carries.
func TestAPersonWhoIsRefused(t *testing.T) {
	stack, _ := start(t)
	link := invite(t, stack)
	_, invitation, _ := strings.Cut(link, "=")
	for password, want := range map[string]string{
		"demo-secret-of-nobody": "answers HTTP 401",
		"demo-secret-of-person": "answers HTTP 410",
	} {
		used := link
		if strings.HasSuffix(want, "410") {
			used = strings.Replace(link, invitation, strings.Repeat("A", len(invitation)), 1)
		}
		err := local.Connect(t.Context(), used, "demo-person", password)
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), invitation) || strings.Contains(err.Error(), password) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func invite(t *testing.T, stack *local.Stack) string {
	t.Helper()
	link, err := stack.Invite(t.Context(), "demo-authorization-code", false)
	if err != nil {
		t.Fatal(err)
	}
	return link
}
