package authcode

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

var planned = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

var (
	errStore  error = apierr.New(apierr.StoreUnavailable, "the store is down")
	errSecret error = apierr.New(apierr.InvalidConnection, "the secret is malformed")
	errUnsent error = &reltioauth.Error{Code: reltioauth.ErrUnavailable}
)

// observing is the observation after a step of a login in which all is well: the
// grant has tokens, and Reltio gave new ones.
func observing(t *testing.T, seen step) observation {
	t.Helper()
	c, err := connection.Parse("acme", connection.Source{
		Value:   reltioauth.NewSecret(`{"grant_type":"authorization_code","client_id":"client-1","client_secret":"s","tenant_id":"tenant-1"}`),
		Version: "secret-1",
	}, connection.Hosts{"auth.reltio.com:443"})
	if err != nil {
		t.Fatal(err)
	}
	old := grant.RefreshToken{
		Token: reltioauth.NewSecret("refresh-1"), LoggedInAt: planned.Add(-24 * time.Hour), Epoch: 3, Identity: c.IdentityHash(), Version: "v1",
	}
	g := grant.Grant{
		Connection: "acme", Status: grant.StatusOK, Identity: c.IdentityHash(), User: "ann",
		AccessToken: reltioauth.NewSecret("token-1"), Fingerprint: "sha256:one", Version: 7,
		IssuedAt: planned.Add(-30 * time.Minute), ExpiresAt: planned.Add(30 * time.Minute),
	}
	binding := reltioauth.NewSecret("binding")
	o := observation{
		callback: Callback{Code: reltioauth.NewSecret("code"), State: reltioauth.NewSecret("state"), Binding: binding},
		now:      planned, ends: planned.Add(29 * time.Second), seen: seen,
		request:    authrequest.Request{Connection: "acme", Binding: authrequest.HashOf(binding), Ends: planned.Add(time.Minute)},
		connection: c, lease: lease.Lease{Until: planned.Add(lease.Term)},
		grant: g.WithRefreshToken(old, c.RefreshTokenLife), known: old,
	}
	if seen >= exchange {
		o = o.responded(&reltioauth.Token{
			AccessToken: reltioauth.NewSecret("token-2"), RefreshToken: reltioauth.NewSecret("refresh-2"),
			IssuedAt: planned, ExpiresIn: time.Hour,
		}, nil)
		o = o.named("ann", nil).keeping(4)
	}
	return o
}

// told says an action in words.
func told(t *testing.T, a action) string {
	t.Helper()
	names := map[step]string{
		readRequest: "read request", consumeUnsent: "consume unsent", readConnection: "read connection",
		redirectOnceMore: "redirect once more", readGrant: "read grant", readHost: "read host", readTokens: "read tokens", dial: "dial",
		seize: "seize", readHeld: "read held", reserve: "reserve", consume: "consume", useInvitation: "use invitation",
		resetGrant: "reset grant", awaitSlot: "await slot", exchange: "exchange", recordThrottle: "record throttle",
		askUser: "ask user", readAgain: "read again", keep: "keep", write: "write", verify: "verify",
		withdrawToken: "withdraw token", redirectAgain: "redirect again", giveBack: "give back", discard: "discard",
		giveUp: "give up", revokeKnown: "revoke known", recordSuccess: "record success", reinvite: "reinvite", remember: "remember",
	}
	name := func(s step) string {
		if names[s] == "" {
			t.Fatalf("step %d has no name", s)
		}
		return names[s]
	}
	if a.end == nil {
		return name(a.step)
	}
	text := string(a.end.result.Outcome)
	var closing []string
	for _, s := range a.end.closing {
		if s < giveBack {
			t.Errorf("%q closes no callback", name(s))
		}
		closing = append(closing, name(s))
	}
	if len(closing) > 0 {
		text += ": " + strings.Join(closing, ", ")
	}
	return text
}

// plans is a table of decisions: after which step, what was seen, and what is done.
type plans []struct {
	name   string
	seen   step
	change func(o *observation)
	want   string
}

func (rows plans) run(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := observing(t, row.seen)
			if row.change != nil {
				row.change(&o)
			}
			before := fmt.Sprintf("%+v", o)
			a := plan(o)
			if got := told(t, a); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if after := fmt.Sprintf("%+v", o); after != before {
				t.Error("a plan has changed what it was made from")
			}
			if a.end != nil && (a.end.result.Outcome == Busy) != (a.end.result.RetryAfter == time.Second) {
				t.Errorf("%s: retry after %s", a.end.result.Outcome, a.end.result.RetryAfter)
			}
		})
	}
}

// fails is an observation whose last step has failed.
func fails(err error) func(o *observation) { return func(o *observation) { o.err = err } }

// failsLate is one whose step has failed because its time was over.
func failsLate(err error) func(o *observation) {
	return func(o *observation) { o.err, o.late = err, true }
}

func paused(o *observation) { o.grant.Status = grant.StatusPaused }

func foreigner(o *observation) { o.grant.Identity = "another" }

// The steps of a login in their order, as they follow from one another if all is
// well: nothing is consumed before the lease is held and a slot reserved.
func TestTheOrderOfALogin(t *testing.T) {
	want := []string{
		"read request", "read connection", "read grant", "read host", "read tokens", "dial", "seize", "read held",
		"reserve", "consume", "use invitation", "await slot", "exchange", "ask user", "read again", "keep", "write",
		"done: record success, remember",
	}
	var got []string
	for seen := start; len(got) <= len(want); {
		a := plan(observing(t, seen))
		got = append(got, told(t, a))
		if a.end != nil {
			break
		}
		seen = a.step
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPlanOfTheRequest(t *testing.T) {
	plans{
		{"unknown state", readRequest, fails(authrequest.ErrNotFound), "request_gone"},
		{"the store is down", readRequest, fails(errStore), "store_failing"},
		{"the store is slow", readRequest, failsLate(errStore), "busy"},
		{"wrong cookie", readRequest, func(o *observation) { o.callback.Binding = reltioauth.NewSecret("other") }, "wrong_browser"},
		{"no cookie", readRequest, func(o *observation) { o.callback.Binding = reltioauth.Secret{} }, "wrong_browser"},
		{"wrong cookie of a request with an outcome", readRequest, func(o *observation) {
			o.request.Outcome, o.callback.Binding = "done", reltioauth.NewSecret("other")
		}, "wrong_browser"},
		{"wrong cookie with an error", readRequest, func(o *observation) {
			o.callback.Error, o.callback.Binding = "access_denied", reltioauth.NewSecret("other")
		}, "wrong_browser"},
		{"a reload", readRequest, func(o *observation) { o.request.Outcome, o.request.ConsumedAt = "done", planned }, "done"},
		{"a reload after a denial", readRequest, func(o *observation) { o.request.Outcome = "denied access_denied" }, "denied"},
		{"a reload at the request's deadline", readRequest, func(o *observation) {
			o.request.Outcome, o.request.Ends = "done", planned
		}, "request_gone"},
		{"a reload after the first of two logins", readRequest, func(o *observation) { o.request.Outcome = "again" }, "read connection"},
		{"used", readRequest, func(o *observation) { o.request.ConsumedAt = planned.Add(-time.Second) }, "request_gone"},
		{"at its deadline", readRequest, func(o *observation) { o.request.Ends = planned }, "request_gone"},
		{"an error response", readRequest, func(o *observation) { o.callback.Error = "access_denied" }, "consume unsent"},
		{"an error response of another server", readRequest, func(o *observation) {
			o.callback.Error, o.callback.Issuer = "access_denied", "https://other.example"
		}, "consume unsent"},
		{"an error response, consumed", consumeUnsent, func(o *observation) { o.callback.Error = "access_denied" }, "denied: remember"},
		{"another server, consumed", consumeUnsent, nil, "wrong_server: remember"},
		{"consumed by another callback", consumeUnsent, fails(authrequest.ErrUsed), "request_gone"},
		{"whether it is consumed is unknown", consumeUnsent, fails(errStore), "broken"},
		{"and its time is over", consumeUnsent, failsLate(errStore), "busy"},
	}.run(t)
}

func TestPlanOfTheConnection(t *testing.T) {
	loggedInAlone := func(o *observation) {
		c := *o.connection
		c.GrantType = connection.ClientCredentials
		o.connection = &c
	}
	reloaded := func(change func(o *observation)) func(o *observation) {
		return func(o *observation) {
			o.request.Outcome = "again"
			change(o)
		}
	}
	plans{
		{"no secret", readConnection, fails(connection.ErrNotFound), "invitation_gone"},
		{"the store is down", readConnection, fails(errStore), "store_failing"},
		{"the store is slow", readConnection, failsLate(errStore), "busy"},
		{"malformed", readConnection, fails(errSecret), "broken"},
		{"another grant type", readConnection, loggedInAlone, "invitation_gone"},
		{"no issuer", readConnection, nil, "read grant"},
		{"its issuer", readConnection, func(o *observation) { o.callback.Issuer = o.connection.AuthURL }, "read grant"},
		{"another issuer", readConnection, func(o *observation) { o.callback.Issuer = o.connection.AuthURL + "/" }, "consume unsent"},
		{"a reload, no secret", readConnection, reloaded(fails(connection.ErrNotFound)), "invitation_gone"},
		{"a reload, the store is down", readConnection, reloaded(fails(errStore)), "broken"},
		{"a reload, the store is slow", readConnection, reloaded(failsLate(errStore)), "busy"},
		{"a reload, another grant type", readConnection, reloaded(loggedInAlone), "invitation_gone"},
		{"a reload", readConnection, reloaded(func(*observation) {}), "redirect once more"},
		{"a reload, redirected", redirectOnceMore, reloaded(func(*observation) {}), "again"},
		{"a reload, not redirected", redirectOnceMore, reloaded(fails(errStore)), "broken"},
	}.run(t)
}

func TestPlanOfThePreparation(t *testing.T) {
	rows := plans{
		{"paused by an operator", readGrant, paused, "paused"},
		{"paused by an operator meanwhile", readHeld, paused, "paused"},
		{"no grant yet", readGrant, func(o *observation) { o.grant = grant.Grant{} }, "read host"},
		{"the host is throttled", readHost, func(o *observation) { o.host.PausedUntil = planned.Add(time.Second) }, "busy"},
		{"it was throttled", readHost, func(o *observation) { o.host.PausedUntil = planned }, "read tokens"},
		{"no connection to the server", dial, fails(errUnsent), "busy"},
		{"the lease was lost", readHeld, fails(lease.ErrLost), "busy"},
		{"the lease ends too early", readHeld, func(o *observation) { o.lease.Until = planned.Add(31*time.Second - 1) }, "busy"},
		{"the lease lasts", readHeld, func(o *observation) { o.lease.Until = planned.Add(31 * time.Second) }, "reserve"},
		{"the invocation ends too early", readHeld, func(o *observation) { o.ends = planned.Add(24*time.Second + closingTime - 1) }, "busy"},
		{"the invocation lasts", readHeld, func(o *observation) { o.ends = planned.Add(24*time.Second + closingTime) }, "reserve"},
	}
	for s, name := range map[step]string{readGrant: "grant", readTokens: "tokens", seize: "lease", readHeld: "grant under the lease"} {
		rows = append(rows, plans{
			{name + ": the store is down", s, fails(errStore), "store_failing"},
			{name + ": the store is slow", s, failsLate(errStore), "busy"},
			{name + ": another error", s, fails(errSecret), "broken"},
		}...)
	}
	rows.run(t)
}

func TestPlanOfTheSlot(t *testing.T) {
	second := func(err error) func(o *observation) {
		return func(o *observation) { o.err, o.request.Second = err, true }
	}
	plans{
		{"no slot", reserve, fails(&ratelimit.LimitError{Until: planned.Add(time.Second)}), "busy"},
		{"no rate limit record", reserve, fails(errStore), "store_failing"},
		{"consumed by another callback", consume, fails(authrequest.ErrUsed), "request_gone"},
		{"whether it is consumed is unknown", consume, fails(errStore), "broken"},
		{"the invitation is used", useInvitation, fails(authrequest.ErrUsed), "invitation_gone: remember"},
		{"the invitation is gone", useInvitation, fails(authrequest.ErrNotFound), "invitation_gone: remember"},
		{"whether the invitation is used is unknown", useInvitation, fails(errStore), "store_failing: give back"},
		{"the second login, the invitation is used", useInvitation, second(authrequest.ErrUsed), "await slot"},
		{"the second login, the invitation is gone", useInvitation, second(authrequest.ErrNotFound), "invitation_gone: remember"},
		{"the grant of another identity", useInvitation, foreigner, "reset grant"},
		{"the second login, the grant of another identity", useInvitation, func(o *observation) {
			second(authrequest.ErrUsed)(o)
			foreigner(o)
		}, "reset grant"},
		{"the grant is reset", resetGrant, nil, "await slot"},
		{"the grant cannot be reset", resetGrant, fails(errStore), "store_failing: give back"},
		{"the grant cannot be reset in time", resetGrant, failsLate(errStore), "busy: give back"},
		{"the lease was lost", resetGrant, fails(grant.ErrFenced), "busy: give back"},
		{"the slot was missed", awaitSlot, fails(&ratelimit.LimitError{Until: planned.Add(time.Second)}), "busy: give back"},
		{"the store is down at the slot", awaitSlot, fails(errStore), "store_failing: give back"},
		{"the slot came late", awaitSlot, failsLate(nil), "busy: give back"},
		{"the lease ends too early", awaitSlot, func(o *observation) { o.lease.Until = planned.Add(26*time.Second - 1) }, "busy: give back"},
		{"the lease lasts", awaitSlot, func(o *observation) { o.lease.Until = planned.Add(26 * time.Second) }, "exchange"},
	}.run(t)
}
