package operator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

// said is a refusal as a server says it.
type said struct {
	code        string
	status      int
	description string
}

// Each reason in the words of the framework, in those that Reltio documents, and
// in those of another server.
func TestReasonOf(t *testing.T) {
	for want, all := range map[operator.Reason][]said{
		operator.ReasonNone: {{}, {"", 0, "whatever"}},
		operator.ReasonUserLocked: {
			{"invalid_grant", 400, "User account is locked"},
			{"unauthorized", 401, "User account is locked"}, // an older framework, at a refresh
			{"invalid_grant", 400, "USER ACCOUNT IS LOCKED."},
			{"", 400, "The user has been locked out after 5 failed attempts"},
			{"unavailable", 403, "Account locked"},
		},
		operator.ReasonUserDisabled: {
			{"invalid_grant", 400, "User is disabled"},
			{"unauthorized", 401, "User is disabled"},
			{"", 400, "account disabled"},
		},
		operator.ReasonUserExpired: {
			{"invalid_grant", 400, "User credentials have expired"},
			{"invalid_grant", 400, "User account has expired"},
			{"unauthorized", 401, "User credentials have expired"},
			{"", 400, "Your password has expired"},
		},
		operator.ReasonPassword: {
			{"invalid_grant", 400, "Bad credentials"},
			{"invalid_grant", 400, "Invalid Username or Password"},
			{"invalid_grant", 400, ""},
			{"INVALID_GRANT", 400, "BAD CREDENTIALS"},
			{"", 400, "Bad credentials"},
			{"unavailable", 400, "bad credentials"},
			{"", 401, "Invalid Username or Password"},
			{"invalid_grant", 403, "Bad credentials"},
		},
		operator.ReasonSecondFactor: {{"mfa_required", 200, ""}},
		operator.ReasonRefreshToken: {
			{"invalid_grant", 400, "Invalid refresh token"},
			{"invalid_grant", 400, "Invalid refresh token: [redacted]"},
			{"invalid_grant", 400, "Wrong client for this refresh token: [redacted]"},
			{"invalid_token", 401, "Invalid refresh token (expired)"},
			{"invalid_token", 401, ""},
			{"unauthorized", 401, "Refresh token is revoked"},
		},
		operator.ReasonClient: {
			{"unauthorized", 401, "Bad credentials"},
			{"invalid_client", 401, "Bad client credentials"},
			{"invalid_client", 401, ""},
			{"invalid_client", 400, "Client authentication failed"},
			{"unauthorized", 401, ""},
			{"unauthorized", 401, "Unauthorized"}, // no entry point set
			{"Unauthorized", 401, "Unauthorized"},
			{"", 401, ""},
			{"", 401, "Bad credentials"},
			{"unavailable", 401, ""},
			{"invalid_client", 401, "the client is disabled"}, // not the user
		},
		operator.ReasonClientAuth: {
			{"unauthorized", 401, "Full authentication is required to access this resource"},
			{"", 401, "FULL AUTHENTICATION IS REQUIRED"},
			{"invalid_client", 401, "Full authentication is required to access this resource"},
		},
		operator.ReasonGrantType: {
			{"invalid_client", 401, "Unauthorized grant type: password"},
			{"invalid_client", 401, "Unauthorized grant type: client_credentials"},
			{"unauthorized_client", 400, ""},
			{"unsupported_grant_type", 400, "Unsupported grant type: password"},
			{"unauthorized_client", 400, "The OAuth 2.0 Client is not allowed to use authorization grant 'password'."},
		},
		operator.ReasonScope:   {{"invalid_scope", 400, "Invalid scope: x"}, {"invalid_scope", 400, ""}, {"INVALID_SCOPE", 401, ""}},
		operator.ReasonRequest: {{"invalid_request", 400, "Missing grant type"}, {"invalid_request", 400, ""}},
		operator.ReasonAuthURL: {
			{"", 200, ""},
			{"unavailable", 200, ""},
			{"invalid_response", 200, ""},
			{"", 302, ""},
			{"", 404, ""},
			{"", 404, "Not Found"},
			{"", 405, "Method Not Allowed"},
			{"", 410, ""},
			{"", 204, ""},
		},
		operator.ReasonForbidden: {{"", 403, ""}, {"unavailable", 403, "Forbidden"}, {"access_denied", 403, "blocked"}},
		operator.ReasonThrottled: {{"", 429, ""}, {"rate_limited", 429, "slow down"}, {"invalid_grant", 429, ""}},
		operator.ReasonServerTrouble: {
			{"unauthorized", 401, "user store is down: connection refused"},
			{"unauthorized", 401, "client store is down"},
			{"unauthorized", 401, "Could not get JDBC Connection"},
			{"server_error", 500, "Internal Server Error"},
			{"", 502, ""},
			{"", 503, ""},
			{"", 504, ""},
			{"unavailable", 408, ""},
			{"invalid_grant", 500, "Bad credentials"},
		},
		operator.ReasonUnknown: {{"", 400, ""}, {"unavailable", 400, ""}, {"", 422, "no"}, {"teapot", 418, ""}},
	} {
		for _, s := range all {
			t.Run(fmt.Sprintf("%s %+v", want, s), func(t *testing.T) {
				if got := operator.ReasonOf(s.code, s.status, s.description); got != want {
					t.Errorf("reason %q, want %q", got, want)
				}
			})
		}
	}
}

func reasons() []operator.Reason {
	return []operator.Reason{
		operator.ReasonUserLocked, operator.ReasonUserDisabled, operator.ReasonUserExpired, operator.ReasonPassword,
		operator.ReasonSecondFactor, operator.ReasonRefreshToken, operator.ReasonClient, operator.ReasonClientAuth, operator.ReasonGrantType,
		operator.ReasonScope, operator.ReasonRequest, operator.ReasonAuthURL, operator.ReasonForbidden, operator.ReasonThrottled,
		operator.ReasonServerTrouble, operator.ReasonUnknown,
	}
}

// Every reason says what it means; what lasts says what to do, and to resume is
// never the first thing: it spends an attempt of the user's.
func TestReasonsSayWhatToDo(t *testing.T) {
	seen := map[string]operator.Reason{}
	for _, r := range reasons() {
		what, do := r.What(), r.Do("acme-prod")
		if what == "" || r.Lasts() && do == "" {
			t.Errorf("%s: %q, %q", r, what, do)
		}
		if twin, ok := seen[what]; ok {
			t.Errorf("%s says what %s says", r, twin)
		}
		seen[what] = r
		if resume := strings.Index(do, "resume"); resume >= 0 && !strings.Contains(do[:resume], "; then") {
			t.Errorf("%s: %q begins with resume", r, do)
		}
		if strings.Contains(do, "NAME") || strings.Contains(do, "reltio-tokens") != strings.Contains(do, "acme-prod") {
			t.Errorf("%s: %q names no connection", r, do)
		}
	}
	if r := operator.ReasonNone; r.What() != "" || r.Do("a") != "" || r.Lasts() {
		t.Error("no reason says something")
	}
}
