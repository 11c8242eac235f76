package reltioauthtest_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// seen is what a caller learns from an error.
type seen struct {
	Code   reltioauth.ErrorCode
	Status int
	Sent   bool
}

func see(err error) seen {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return seen{}
	}
	return seen{e.Code, e.StatusCode, e.Sent}
}

func TestOutages(t *testing.T) {
	tests := map[string]struct {
		fault   reltioauthtest.Fault
		want    seen
		outcome reltioauthtest.Outcome
		acted   bool
	}{
		"cut": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultCut},
			seen{reltioauth.ErrUnavailable, 0, true},
			reltioauthtest.OutcomeCut, false,
		},
		"cut after acting": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true},
			seen{reltioauth.ErrUnavailable, 0, true},
			reltioauthtest.OutcomeCut, true,
		},
		"truncated": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultTruncate},
			seen{reltioauth.ErrUnavailable, 200, true},
			reltioauthtest.OutcomeCut, true,
		},
		"503": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus},
			seen{reltioauth.ErrUnavailable, 503, true},
			reltioauthtest.OutcomeFault, false,
		},
		"504 after acting": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 504, Acted: true},
			seen{reltioauth.ErrUnavailable, 504, true},
			reltioauthtest.OutcomeFault, true,
		},
		"400 of one's own": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 400, Body: `{"error":"invalid_scope"}`},
			seen{reltioauth.ErrInvalidScope, 400, true},
			reltioauthtest.OutcomeFault, false,
		},
		"HTML page": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML},
			seen{reltioauth.ErrUnavailable, 200, true},
			reltioauthtest.OutcomeFault, false,
		},
		"HTML page with 400": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 400},
			seen{reltioauth.ErrUnavailable, 400, true},
			reltioauthtest.OutcomeFault, false,
		},
		"empty body": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultEmpty},
			seen{reltioauth.ErrInvalidResponse, 200, true},
			reltioauthtest.OutcomeFault, false,
		},
		"invalid_grant": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidGrant},
			seen{reltioauth.ErrInvalidGrant, 400, true},
			"invalid_grant", false,
		},
		"invalid_client": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient},
			seen{reltioauth.ErrInvalidClient, 401, true},
			"invalid_client", false,
		},
		"rate limit": {
			reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit},
			seen{reltioauth.ErrRateLimited, 429, true},
			reltioauthtest.OutcomeRateLimited, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{})
			f.Outage(reltioauthtest.Outage{Fault: test.fault})
			_, err := f.Token(ctx(), annPassword())
			if diff := cmp.Diff(test.want, see(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			got := f.last()
			equal(t, "outcome", got.Outcome, test.outcome)
			equal(t, "acted", got.Acted, test.acted)
			access, _ := f.Tokens()
			equal(t, "a token was made", access == 1, test.acted)
			equal(t, "it is on record", got.AccessToken != "", test.acted)
			f.Outage(reltioauthtest.Outage{})
			f.login()
		})
	}
}

func TestUnreachable(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	open, err := f.Dial(ctx())
	if err != nil {
		t.Fatal(err)
	}
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
	_, err = f.Dial(ctx())
	equal(t, "dial", see(err), seen{reltioauth.ErrUnavailable, 0, false})
	_, err = open.Token(ctx(), annPassword())
	equal(t, "open connection", see(err), seen{reltioauth.ErrUnavailable, 0, false})
	equal(t, "requests seen", len(f.Requests()), 0)

	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}, Ops: []reltioauthtest.Op{reltioauthtest.OpToken}})
	_, err = f.Token(ctx(), annPassword())
	equal(t, "one operation only", see(err), seen{reltioauth.ErrUnavailable, 0, true})
}

func TestEverybodyIsRefused(t *testing.T) {
	refusing := reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidGrant}}
	f := like(t, reltioauthtest.Behaviour{})
	token, codeGrant := f.login(), f.codeOf(authorization())
	f.Outage(refusing)
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken}, reltioauth.ErrInvalidGrant)
	f.refused(codeGrant, reltioauth.ErrInvalidGrant)
	for range 5 {
		f.refused(annPassword(), reltioauth.ErrInvalidGrant)
	}
	equal(t, "refused logins are bad ones", f.Locked("ann"), true)
	f.refused(annPassword(), reltioauth.ErrInvalidGrant)
	f.clientCredentials()
	_, err := f.Introspect(ctx(), token.AccessToken)
	equal(t, "checkToken", err, nil)

	f.Outage(reltioauthtest.Outage{})
	f.UnlockUser("ann")
	f.refresh(token)
	f.must(codeGrant)
}

func TestOutageOfOneOperationForATime(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	token := f.login()
	f.Outage(reltioauthtest.Outage{
		Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus},
		Ops:   []reltioauthtest.Op{reltioauthtest.OpCheckToken},
		From:  epoch.Add(time.Minute), Until: epoch.Add(2 * time.Minute),
	})
	for _, want := range []reltioauth.ErrorCode{"", reltioauth.ErrUnavailable, ""} {
		_, err := f.Introspect(ctx(), token.AccessToken)
		equal(t, "checkToken", code(err), want)
		f.login()
		f.clock.Advance(time.Minute)
	}
}

func TestFaultHook(t *testing.T) {
	var asked []reltioauthtest.Request
	f := setup(t, func(cfg *reltioauthtest.Config) {
		cfg.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			asked = append(asked, r)
			if r.GrantType == "password" {
				return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 502, Header: http.Header{"Retry-After": {"7"}}}
			}
			return reltioauthtest.Fault{}
		}
	})
	_, err := f.Token(ctx(), annPassword())
	var e *reltioauth.Error
	if !errors.As(err, &e) || e.StatusCode != 502 || e.RetryAfter != 7*time.Second {
		t.Errorf("password: got %v", err)
	}
	f.clientCredentials()
	want := reltioauthtest.Request{
		At: epoch, Op: reltioauthtest.OpToken, GrantType: "password", ClientID: "acme", User: "ann",
		Outcome: reltioauthtest.OutcomePending,
	}
	if diff := cmp.Diff(want, asked[0]); diff != "" {
		t.Errorf("asked about (-want +got):\n%s", diff)
	}
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}})
	_, err = f.Token(ctx(), reltioauth.ClientCredentialsGrant{})
	equal(t, "an outage comes first", code(err), reltioauth.ErrUnavailable)
	equal(t, "asked", len(asked), 2)
}

func TestOtherEndpointsInAnOutage(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	page := "/oauth/sso?" + f.pageForm().Encode()
	for kind, want := range map[reltioauthtest.FaultKind]int{
		reltioauthtest.FaultInvalidClient: 200, reltioauthtest.FaultRateLimit: 200, reltioauthtest.FaultStatus: 503,
	} {
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}})
		equal(t, "login page", f.send(http.MethodGet, page, url.Values{}, http.Header{}).status, want)
	}
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient}})
	_, err := f.Introspect(ctx(), secret("x"))
	equal(t, "checkToken", code(err), reltioauth.ErrInvalidClient)
}

// bubble is a setup on the time of the bubble that it runs in.
func bubble(t *testing.T) *fixture {
	return setup(t, func(cfg *reltioauthtest.Config) { cfg.Now = nil })
}

func TestSlowServer(t *testing.T) {
	tests := map[string]struct {
		fault   reltioauthtest.Fault
		waiting time.Duration
		took    time.Duration
		ok      bool
		acted   bool
	}{
		"slow":                        {reltioauthtest.Fault{Delay: 3 * time.Second}, 5 * time.Second, 3 * time.Second, true, true},
		"slow to answer":              {reltioauthtest.Fault{Hold: 3 * time.Second}, 5 * time.Second, 3 * time.Second, true, true},
		"slow twice":                  {reltioauthtest.Fault{Delay: time.Second, Hold: time.Second}, 5 * time.Second, 2 * time.Second, true, true},
		"too slow":                    {reltioauthtest.Fault{Delay: time.Minute}, 2 * time.Second, 2 * time.Second, false, false},
		"too slow to answer":          {reltioauthtest.Fault{Hold: time.Minute}, 2 * time.Second, 2 * time.Second, false, true},
		"slow, then cut":              {reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Delay: time.Second}, 5 * time.Second, time.Second, false, false},
		"slow, then cut after acting": {reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Delay: time.Second, Acted: true}, 5 * time.Second, time.Second, false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := bubble(t)
				f.Outage(reltioauthtest.Outage{Fault: test.fault})
				waiting, cancel := context.WithTimeout(t.Context(), test.waiting)
				defer cancel()
				start := time.Now()
				_, err := f.Token(waiting, annPassword())
				equal(t, "succeeded", err == nil, test.ok)
				equal(t, "took", time.Since(start), test.took)
				access, _ := f.Tokens()
				equal(t, "a token was made", access == 1, test.acted)
				equal(t, "on record as acted", f.last().Acted, test.acted)
				equal(t, "on record at its arrival", f.last().At.Equal(start.Round(0)), true)
				if test.took == test.waiting {
					equal(t, "outcome", f.last().Outcome, reltioauthtest.OutcomeAbandoned)
				}
			})
		})
	}
}

func TestSlowToRefuseConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bubble(t)
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable, Delay: time.Minute}})
		start := time.Now()
		_, err := f.Dial(t.Context())
		equal(t, "error", code(err), reltioauth.ErrUnavailable)
		equal(t, "took", time.Since(start), reltioauth.DialTimeout)
	})
}

// While one request waits, others are served.
func TestSlowRequestDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bubble(t)
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Delay: 5 * time.Second}})
		done := make(chan error)
		go func() {
			_, err := f.Token(t.Context(), annPassword())
			done <- err
		}()
		synctest.Wait()
		f.Outage(reltioauthtest.Outage{})
		start := time.Now()
		f.clientCredentials()
		equal(t, "took", time.Since(start), 0)
		equal(t, "the first is on record, in the order of arrival", f.Requests()[0].Outcome, reltioauthtest.OutcomePending)
		equal(t, "slow request", <-done, nil)
		equal(t, "outcome", f.Requests()[0].Outcome, reltioauthtest.OutcomeOK)
	})
}
