package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

var (
	_ lambda.Handler = (*handler.Issue)(nil)
	_ lambda.Handler = (*handler.Rotate)(nil)
)

// object reads an answer.
func object(t testing.TB, data []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("answer %s: %v", data, err)
	}
	return m
}

func TestAnAnswerHasItsThirteenKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("acme", byClient)
		time.Sleep(1500 * time.Millisecond)
		data, err := w.ask(`{"connection":"acme"}`)
		got := object(t, data, err)
		token, _ := got["access_token"].(string)
		want := map[string]any{
			"connection": "acme", "access_token": token, "token_type": "bearer", "scope": "",
			"expires_in": 3599.0, "expires_at": "2000-01-01T01:00:00Z",
			"fingerprint": reltioauth.Fingerprint(reltioauth.NewSecret(token)),
			"version":     1.0, "outcome": "renewed", "min_ttl_met": true, "warnings": []any{},
			"api_url": "", "tenant_id": "",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if !w.server.Valid(reltioauth.NewSecret(token)) {
			t.Error("it is not Reltio's token")
		}
	})
}

func TestAnAnswerWithWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Configure(func(c *reltioauthtest.Config) {
			c.Behaviour = reltioauthtest.Behaviour{OmitExpiresIn: true, OmitTokenType: true, LongTokens: true}
		})
		w.connect("acme", byClient)
		data, err := w.ask(`{"connection":"acme","min_ttl_seconds":301}`)
		got := object(t, data, err)
		if got["min_ttl_met"] != false || got["expires_in"] != 300.0 || got["token_type"] != "bearer" ||
			!slices.Equal(got["warnings"].([]any), []any{"expires_in_missing"}) {
			t.Errorf("answer %v", slices.Sorted(maps.Keys(got)))
		}
		data, err = w.ask(`{"connection":"acme"}`)
		if got := object(t, data, err); got["outcome"] != "cached" {
			t.Errorf("outcome %v, want cached", got["outcome"])
		}
	})
}

func TestTheAliasIsTheQualifierOfTheInvokedARN(t *testing.T) {
	const name = ":lambda:eu-central-1:123456789012:function:issue"
	tests := map[string]struct {
		arn     string
		allowed bool
	}{
		"an alias":              {"arn:aws" + name + ":team-a", true},
		"in China":              {"arn:aws-cn:lambda:cn-north-1:123456789012:function:issue:team-a", true},
		"in GovCloud":           {"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:issue:team-a", true},
		"isolated":              {"arn:aws-iso-b:lambda:us-isob-east-1:123456789012:function:issue:team-a", true},
		"in the European cloud": {"arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:issue:team-a", true},
		"another alias":         {"arn:aws" + name + ":team-b", false},
		"a prefix of it":        {"arn:aws" + name + ":team", false},
		"none":                  {"arn:aws" + name, false},
		"an empty one":          {"arn:aws" + name + ":", false},
		"the latest":            {"arn:aws" + name + ":$LATEST", false},
		"a version":             {"arn:aws" + name + ":7", false},
		"no ARN":                {"", false},
		"a function so named":   {"arn:aws:lambda:eu-central-1:123456789012:function:team-a", false},
	}
	for state, test := range tests {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.connect("acme", byClient[:len(byClient)-1]+`,"aliases":["team-a"]}`)
				ctx, cancel := invocation(t.Context(), test.arn)
				defer cancel()
				_, err := w.issue.Invoke(ctx, []byte(`{"connection":"acme"}`))
				if test.allowed {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if err == nil {
					t.Fatal("a token was handed out")
				}
				if e := functionError(t, err); e.Type != "AccessDenied" {
					t.Errorf("%s, want AccessDenied", e.Type)
				}
			})
		})
	}
}

func TestAnInvocationWithoutLambdasContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("acme", byClient[:len(byClient)-1]+`,"aliases":["team-a"]}`)
		_, err := w.issue.Invoke(t.Context(), []byte(`{"connection":"acme"}`))
		if e := functionError(t, err); e.Type != "AccessDenied" {
			t.Errorf("%s, want AccessDenied", e.Type)
		}
		if e := functionError(t, handler.Fail(t.Context(), errors.New("x"))); e.Type != "Internal" || e.Message != "request unknown" {
			t.Errorf("%s: %q", e.Type, e.Message)
		}
	})
}

func TestFail(t *testing.T) {
	secret := errors.New("a text with kanari-password in it")
	tests := map[string]struct {
		err           error
		name, message string
	}{
		"a fault":              {apierr.New(apierr.RateLimited, "retry after 3 s"), "RateLimited", "retry after 3 s"},
		"a fault with a cause": {apierr.Wrap(apierr.StoreUnavailable, "the table", secret), "StoreUnavailable", "the table"},
		"a wrapped fault":      {errors.Join(secret, apierr.New(apierr.MFARequired, "a second factor")), "MFARequired", "a second factor"},
		"an unknown error":     {secret, "Internal", "request request-1"},
		"a defect":             {apierr.Wrap(apierr.Internal, "what happened", secret), "Internal", "request request-1"},
		"a context's end":      {context.DeadlineExceeded, "Internal", "request request-1"},
	}
	for state, test := range tests {
		t.Run(state, func(t *testing.T) {
			ctx, cancel := invocation(t.Context(), plainARN)
			defer cancel()
			e := functionError(t, handler.Fail(ctx, test.err))
			if e.Type != test.name || e.Message != test.message {
				t.Errorf("%s: %q, want %s: %q", e.Type, e.Message, test.name, test.message)
			}
		})
	}
}

func TestRotateAnswers(t *testing.T) {
	counts := func(outcome string) map[string]any {
		m := map[string]any{
			"due": 1.0, "renewed": 0.0, "unchanged": 0.0, "contended": 0.0, "failed": 0.0, "reauthorize": 0.0,
			"left_over": 0.0, "outcome": outcome, "error": nil,
		}
		m[outcome] = 1.0
		return m
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		check := func(state, payload string, want map[string]any) {
			t.Helper()
			data, err := w.tell(payload)
			if diff := cmp.Diff(want, object(t, data, err)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", state, diff)
			}
		}
		nothing := counts("renewed")
		nothing["due"], nothing["renewed"], nothing["outcome"] = 0.0, 0.0, nil
		check("a sweep of nothing", `{}`, nothing)
		check("a scheduled event", `{"version":"0","detail-type":"Scheduled Event","detail":{"connection":"acme"}}`, nothing)
		w.connect("acme", byClient)
		check("the first", `{"connection":"acme","something":["new"]}`, counts("renewed"))
		check("not due", `{"connection":"acme"}`, counts("unchanged"))
		check("not due, needs life", `{"connection":"acme","min_ttl_seconds":4000}`, counts("unchanged"))
		check("a lease that was lost", `{"connection":"acme","lease":{"owner":"o","epoch":1}}`, counts("contended"))
		unknown := counts("failed")
		unknown["error"] = map[string]any{"type": "UnknownConnection", "message": "no connection has this name"}
		check("unknown", `{"connection":"nobody"}`, unknown)
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
		outage := counts("failed")
		outage["error"] = map[string]any{"type": "ReltioUnavailable", "message": "Reltio gave no token: HTTP 503"}
		check("an outage, by force", `{"connection":"acme","force":true}`, outage)
		w.server.Outage(reltioauthtest.Outage{})
		time.Sleep(6 * time.Second) // then a connection with a valid token may ask a host that was down
		check("the same token, by force", `{"connection":"acme","force":true}`, counts("unchanged"))
		check("a report", `{"connection":"acme","rejected_fingerprint":"`+w.grant("acme").Fingerprint+`"}`, counts("unchanged"))
		w.connect("code", `{"grant_type":"authorization_code","client_id":"client-1","client_secret":"s","tenant_id":"t"}`)
		person := counts("reauthorize")
		person["error"] = map[string]any{"type": "ReauthorizationRequired", "message": w.tellError(`{"connection":"code"}`)}
		check("a person is needed, again", `{"connection":"code","force":true}`, person)
		time.Sleep(2 * time.Hour)
		swept := counts("renewed")
		swept["outcome"] = nil
		data, err := w.tell(`{}`)
		got := object(t, data, err)
		if got["renewed"] != 1.0 || got["outcome"] != nil || got["error"] != nil || len(got) != 9 {
			t.Errorf("a sweep answers %v", got)
		}
	})
}

// tellError is the message of a renewal that fails.
func (w *world) tellError(payload string) string {
	w.t.Helper()
	data, err := w.tell(payload)
	e, ok := object(w.t, data, err)["error"].(map[string]any)
	if !ok {
		w.t.Fatalf("answer %s, want one with an error", data)
	}
	return e["message"].(string)
}

func (w *world) grant(name string) grant.Grant {
	w.t.Helper()
	g, err := w.table.Grant(w.t.Context(), name, grant.Strong)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}
