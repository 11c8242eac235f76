package operator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// elsewhere is a refresh token that ann's login at another program gave.
func (w *world) elsewhere() reltioauth.Secret {
	w.t.Helper()
	client := w.server.Client("client-1")
	client.Connect, client.Now = w.server.Connector(), time.Now
	token, err := client.Token(w.t.Context(), reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret("password-1")})
	if err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(time.Second) // beyond the rate limit's slot
	return token.RefreshToken
}

func (w *world) handover(token reltioauth.Secret) (operator.Tried, error) {
	return w.operator.Handover(w.t.Context(), operator.HandoverRequest{Connection: "acme", RefreshToken: token})
}

// nothingStored fails if anything was stored for acme.
func (w *world) nothingStored() {
	w.t.Helper()
	if g, err := w.table.Grant(w.t.Context(), "acme", grant.Strong); err == nil && (g.HasToken() || g.HasRefreshToken()) {
		w.t.Errorf("the grant has tokens: %s", g.Status)
	}
	if r, err := w.secrets.Current(w.t.Context(), "acme"); err == nil && !r.Token.IsZero() {
		w.t.Error("a refresh token is stored")
	}
}

// A refresh token that was got elsewhere connects a connection, whatever the server
// does to it, and is renewed from then on without a login.
func TestHandover(t *testing.T) {
	for name, behave := range map[string]func(*reltioauthtest.Behaviour){
		"it stays":                     func(*reltioauthtest.Behaviour) {},
		"it is left out":               func(b *reltioauthtest.Behaviour) { b.OmitRefreshTokenOnRefresh = true },
		"another takes its place":      func(b *reltioauthtest.Behaviour) { b.RefreshTokens = reltioauthtest.Rotate },
		"the server names no user":     func(b *reltioauthtest.Behaviour) { b.CheckDenied = true },
		"its life starts again":        func(b *reltioauthtest.Behaviour) { b.RefreshTokens, b.RestartClock = reltioauthtest.Rotate, true },
		"the access token is the same": func(b *reltioauthtest.Behaviour) { b.Refresh = reltioauthtest.SameToken },
	} {
		for grantType, fields := range map[string]map[string]any{"password": password(), "authorization_code": authorizationCode()} {
			t.Run(name+", "+grantType, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					w.behave(behave)
					w.connect("acme", fields)
					token := w.elsewhere()
					before, loggedIn := w.requests(), time.Now().Add(-5*24*time.Hour).Truncate(time.Second)
					tried, err := w.operator.Handover(t.Context(), operator.HandoverRequest{Connection: "acme", RefreshToken: token, LoggedInAt: loggedIn})
					if err != nil || !tried.OK || tried.ExpiresAt == nil || tried.RefusedLogins != nil {
						t.Fatalf("%+v, %v", tried, err)
					}
					if w.requests() != before+1 {
						t.Errorf("%d token requests, want one", w.requests()-before)
					}
					g := w.grant()
					if g.Status != grant.StatusOK || !g.Valid(time.Now()) || !g.LoggedInAt.Equal(loggedIn) || !g.RefreshExpiresAt.Equal(loggedIn.Add(28*24*time.Hour)) {
						t.Errorf("the grant is %s, logged in at %v", g.Status, g.LoggedInAt)
					}
					logins := len(w.server.Requests())
					if r := w.rotate(true); r.Error != nil {
						t.Errorf("the next renewal: %v", r.Fault())
					}
					for _, request := range w.server.Requests()[logins:] {
						if request.GrantType == "password" {
							t.Error("the next renewal logs in")
						}
					}
				})
			})
		}
	}
}

// Nothing is stored of a refresh token that cannot be used, and the server's words
// are in the result.
func TestHandoverOfWhatCannotBeUsed(t *testing.T) {
	other := func(w *world) reltioauth.Secret {
		w.server.AddUser(reltioauthtest.User{Username: "bob", Password: reltioauth.NewSecret("password-2")})
		client := w.server.Client("client-1")
		client.Connect, client.Now = w.server.Connector(), time.Now
		token, err := client.Token(w.t.Context(), reltioauth.PasswordGrant{Username: "bob", Password: reltioauth.NewSecret("password-2")})
		if err != nil {
			w.t.Fatal(err)
		}
		return token.RefreshToken
	}
	unknown := func(*world) reltioauth.Secret { return reltioauth.NewSecret("kanari-unknown") }
	for name, test := range map[string]struct {
		fields  map[string]any
		prepare func(w *world) reltioauth.Secret
		said    string // by the server
		want    string // the error
	}{
		"unknown to the server": {authorizationCode(), unknown, "the refresh token is of no use any more (invalid_grant, HTTP 400", ""},
		"another client's":      {with(authorizationCode(), "client_secret", "wrong"), unknown, "HTTP 401", ""},
		"another user's":        {password(), other, "", "InvalidRequest: refresh_token: it is another user's"},
		"not the expected user": {with(authorizationCode(), "expected_user", "ann"), other, "", "InvalidRequest: refresh_token: it is another user's"},
		"nobody knows whose": {with(authorizationCode(), "expected_user", "ann"), func(w *world) reltioauth.Secret {
			w.behave(func(b *reltioauthtest.Behaviour) { b.CheckDenied = true })
			return w.elsewhere()
		}, "", "ReltioUnavailable: Reltio does not say whose"},
		"of a client alone": {clientCredentials(), unknown, "", "InvalidRequest: grant_type: is client_credentials, which has no refresh tokens"},
		"empty":             {password(), func(*world) reltioauth.Secret { return reltioauth.Secret{} }, "", "InvalidRequest: refresh_token: must be"},
		"two lines":         {password(), func(*world) reltioauth.Secret { return reltioauth.NewSecret("kanari\nb") }, "", "InvalidRequest: refresh_token: must be"},
		"a server that is down": {password(), func(w *world) reltioauth.Secret {
			w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 503}})
			return unknown(w)
		}, "", "ReltioUnavailable: Reltio gave no token: HTTP 503"},
		"too many requests": {password(), func(w *world) reltioauth.Secret {
			w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 429}})
			return unknown(w)
		}, "", "RateLimited: retry after"},
		"a paused connection": {password(), func(w *world) reltioauth.Secret { w.pause(); return unknown(w) }, "", "ConnectionPaused: "},
		"no connection":       {nil, unknown, "", "UnknownConnection: "},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				if test.fields != nil {
					w.connect("acme", test.fields)
				}
				token := test.prepare(w)
				tried, err := w.handover(token)
				switch {
				case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
					t.Errorf("error %v, want %s", err, test.want)
				case test.want == "" && (err != nil || tried.OK || tried.Server == nil || !strings.Contains(tried.Server.String(), test.said)):
					t.Errorf("%+v %v, %v; want %s", tried, tried.Server, err, test.said)
				case err != nil && strings.Contains(err.Error(), "kanari"):
					t.Error("the error holds the refresh token")
				}
				w.nothingStored()
			})
		})
	}
}

// The date is the operator's, within reason.
func TestHandoverDates(t *testing.T) {
	for name, test := range map[string]struct {
		ago  time.Duration
		want string
	}{
		"now":                  {0, ""},
		"by a clock a bit off": {-9 * time.Second, ""},
		"tomorrow":             {-24 * time.Hour, "logged_in_at: must not be in the future"},
		"a life ago":           {28 * 24 * time.Hour, "logged_in_at: a refresh token of that login ended at 2"},
		"nearly a life ago":    {28*24*time.Hour - time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", password())
				token := w.elsewhere()
				_, err := w.operator.Handover(t.Context(), operator.HandoverRequest{Connection: "acme", RefreshToken: token, LoggedInAt: time.Now().Add(-test.ago)})
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("error %v, want %q", err, test.want)
				}
			})
		})
	}
}

// A connection that waited for a person is healthy, and operators are told.
func TestHandoverEndsAWait(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		w.rotate(true)
		if s := w.grant().Status; s != grant.StatusReauthorize {
			t.Fatalf("status %s", s)
		}
		token := w.elsewhere()
		if tried, err := w.handover(token); err != nil || !tried.OK {
			t.Fatalf("%+v, %v", tried, err)
		}
		w.tick()
		if last := w.events[len(w.events)-1]; last != grant.Recovered || w.grant().User != "ann" {
			t.Errorf("events %v, user %q", w.events, w.grant().User)
		}
		// The same one again does not start its life again.
		since := w.grant().LoggedInAt
		time.Sleep(time.Hour)
		if tried, err := w.handover(token); err != nil || !tried.OK || !w.grant().LoggedInAt.Equal(since) {
			t.Errorf("%+v, %v: logged in at %v, want %v", tried, err, w.grant().LoggedInAt, since)
		}
	})
}

// sealed is Secrets Manager when it takes no refresh token.
type sealed struct{ grant.RefreshTokenStore }

func (sealed) Put(context.Context, string, grant.RefreshToken) (string, error) {
	return "", apierr.New(apierr.StoreUnavailable, "Secrets Manager: down")
}

// A refresh token that Secrets Manager does not take is parked, and not lost.
func TestHandoverParks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.RefreshTokens = reltioauthtest.Rotate })
		w.connect("acme", authorizationCode())
		token := w.elsewhere()
		w.operator.RefreshTokens = sealed{w.secrets}
		tried, err := w.handover(token)
		if err != nil || !tried.OK || tried.NotStored == nil || tried.NotStored.Message != "Secrets Manager: down" {
			t.Fatalf("%+v, %v", tried, err)
		}
		time.Sleep(2 * time.Hour)
		if r := w.rotate(true); r.Error != nil || r.Outcome == nil || *r.Outcome != "renewed" {
			t.Errorf("the next renewal: %+v", r)
		}
	})
}

// While another holder renews, nothing is sent; nor at a host that another caller
// asks already.
func TestHandoverSendsNothingBesideAnother(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		token := w.elsewhere()
		now := time.Now()
		held, err := w.table.TakeLease(t.Context(), lease.Request{Connection: "acme", Owner: "other", Now: now, Until: now.Add(lease.Term)})
		if err != nil {
			t.Fatal(err)
		}
		before := w.requests()
		_, err = w.handover(token)
		if err == nil || !strings.Contains(err.Error(), "being renewed at this moment") {
			t.Errorf("error %v", err)
		}
		if err := w.table.ReleaseLease(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		host := "auth.reltio.com:443"
		if err := w.table.Unanswered(t.Context(), host, time.Now()); err != nil {
			t.Fatal(err)
		}
		_, err = w.handover(token)
		w.wantError(err, apierr.ReltioUnavailable)
		if err != nil && !strings.Contains(err.Error(), "retry after 5 s") {
			t.Errorf("error %v", err)
		}
		if w.requests() != before {
			t.Error("Reltio was asked")
		}
		time.Sleep(ratelimit.DownProbeEvery)
		if tried, err := w.handover(token); err != nil || !tried.OK {
			t.Errorf("%+v, %v", tried, err)
		}
		if r, err := w.table.Budget(t.Context(), host); err != nil || r.Down() {
			t.Errorf("the host is down still, %v", err)
		}
	})
}

// The given refresh token never goes out by itself.
func TestHandoverShowsNoSecret(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		reply := w.operator.Do(t.Context(), operator.Call{
			Verb: operator.VerbHandover, Connection: "acme", RefreshToken: operator.ClearText{Secret: reltioauth.NewSecret("kanari")},
		})
		if reply.Error != nil {
			t.Fatal(errors.New(reply.Error.Message))
		}
		if tried, ok := reply.Result.(operator.Tried); !ok || tried.Server == nil || strings.Contains(tried.Server.String(), "kanari") {
			t.Errorf("%+v", reply.Result)
		}
	})
}
