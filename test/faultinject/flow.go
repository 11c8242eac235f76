package faultinject

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Flow is an invocation that is worth breaking.
type Flow struct {
	// Name says what happens in it.
	Name string
	// Function is whose operations are broken.
	Function string
	// GrantType of the connection, and what else its secret says.
	GrantType string
	Fields    map[string]any
	// Behaviour of the server, and the life of its access tokens; zero: an hour.
	Behaviour reltioauthtest.Behaviour
	TokenLife time.Duration
	// HasToken: a token is valid meanwhile, and is handed out whatever happens.
	HasToken bool
	// Waits: no token comes of it; it is about being told.
	Waits bool

	// prepare is what was before; nil: nothing.
	prepare func(context.Context, *scene) error
	// act is the invocation; it returns what its caller saw.
	act func(context.Context, *scene) string
	// next is the invocation after it; it returns what came of it.
	next func(context.Context, *scene) string
}

// connection are the fields of the secret.
func (f *Flow) connection() map[string]any {
	fields := map[string]any{"grant_type": f.GrantType, "client_id": acme, "client_secret": clientSecret}
	switch f.GrantType {
	case "password":
		fields["username"], fields["password"] = ann, password
	case authorizationCode:
		fields["tenant_id"] = "acme"
	}
	maps.Copy(fields, f.Fields)
	return fields
}

const authorizationCode = "authorization_code"

// rotates: the server gives a new refresh token with each refresh.
func rotates(grace time.Duration) reltioauthtest.Behaviour {
	return reltioauthtest.Behaviour{
		Refresh: reltioauthtest.NewToken, RefreshTokens: reltioauthtest.Rotate, RotationGrace: grace,
	}
}

// Flows are all of them.
func Flows() []*Flow { return slices.Concat(logins(), refreshes(), others()) }

func logins() []*Flow {
	anew := reltioauthtest.Behaviour{Login: reltioauthtest.NewToken}
	// A token of an hour outlives the moment of such a re-login.
	short := map[string]any{"refresh_token_days": 0.04}
	return []*Flow{
		{Name: "issue, no token yet", Function: issue, GrantType: "client_credentials", act: ask, next: askAgain},
		{Name: "client credentials, login", Function: rotate, GrantType: "client_credentials", act: ask, next: force},
		{
			Name: "client credentials, while a token lives", Function: rotate, GrantType: "client_credentials",
			Behaviour: anew, prepare: first, act: renew, next: force, HasToken: true,
		},
		{
			Name: "client credentials, a revoked token is reported", Function: rotate, GrantType: "client_credentials",
			Behaviour: reltioauthtest.Behaviour{KilledTokens: reltioauthtest.KilledUntilRevoked},
			prepare:   first, act: report, next: reportAgain,
		},
		{Name: "password, login", Function: rotate, GrantType: "password", act: ask, next: force},
		{
			Name: "password, re-login, a new refresh token", Function: rotate, GrantType: "password", Fields: short,
			Behaviour: reltioauthtest.Behaviour{Login: reltioauthtest.NewToken, LoginRefreshToken: reltioauthtest.NewToken},
			prepare:   first, act: renew, next: force, HasToken: true,
		},
		{
			Name: "password, re-login, the same refresh token first", Function: rotate, GrantType: "password", Fields: short,
			Behaviour: anew, prepare: first, act: renew, next: force,
		},
	}
}

func refreshes() []*Flow {
	keeps := reltioauthtest.Behaviour{Refresh: reltioauthtest.NewToken}
	const grace = 10 * time.Minute
	return []*Flow{
		{
			Name: "password, refresh, the token is kept", Function: rotate, GrantType: "password",
			Behaviour: keeps, prepare: first, act: renew, next: force, HasToken: true,
		},
		{
			Name: "password, refresh, the token is rotated", Function: rotate, GrantType: "password",
			Behaviour: rotates(0), prepare: first, act: renew, next: force, HasToken: true,
		},
		{
			Name: "authorization code, refresh, the token is kept", Function: rotate, GrantType: authorizationCode,
			Behaviour: keeps, prepare: login, act: renew, next: force, HasToken: true,
		},
		{
			Name: "authorization code, refresh, rotated, the old one lives 10 min", Function: rotate, GrantType: authorizationCode,
			Behaviour: rotates(grace), prepare: login, act: renew, next: force, HasToken: true,
		},
		{
			Name: "authorization code, refresh, rotated, the old one is revoked", Function: rotate, GrantType: authorizationCode,
			Behaviour: rotates(0), prepare: login, act: renew, next: force, HasToken: true,
		},
	}
}

func others() []*Flow {
	anew := reltioauthtest.Behaviour{Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken}
	return []*Flow{
		{
			Name: "sweep, one token has ended", Function: rotate, GrantType: "password",
			Behaviour: rotates(0), TokenLife: 3 * time.Second, prepare: ended, act: sweep, next: force,
		},
		{
			Name: "a person is needed, and told", Function: rotate, GrantType: authorizationCode,
			act: ask, next: told, Waits: true,
		},
		{
			Name: "rotate, the grant is of another identity", Function: rotate, GrantType: authorizationCode,
			Behaviour: anew, prepare: movedAway, act: renew, next: personComes, Waits: true,
		},
		{
			Name: "callback, first login", Function: callback, GrantType: authorizationCode,
			prepare: depart, act: arrive, next: comeAgain,
		},
		{
			Name: "callback, the same refresh token first", Function: callback, GrantType: authorizationCode,
			prepare: departAgain, act: arrive, next: comeAgain,
		},
		{
			Name: "callback, the grant is of another identity", Function: callback, GrantType: authorizationCode,
			Behaviour: anew, prepare: moved, act: arrive, next: force, // before the person does anything
		},
		{
			Name: "callback, after disconnect", Function: callback, GrantType: authorizationCode,
			Behaviour: anew, prepare: disconnected, act: arrive, next: force, // before the person does anything
		},
	}
}

// Actions of flows.

func ask(ctx context.Context, s *scene) string       { return s.issue(ctx, "").String() }
func renew(ctx context.Context, s *scene) string     { return s.rotate(ctx).String() }
func force(ctx context.Context, s *scene) string     { return s.renewAgain(ctx) }
func comeAgain(ctx context.Context, s *scene) string { return s.secondTry(ctx) }

// askAgain asks until there is a token, as a caller that keeps trying does.
func askAgain(ctx context.Context, s *scene) string {
	story := ""
	for range 4 {
		v := s.issue(ctx, "")
		story += v.String()
		if v.ErrorType == "" {
			return story
		}
		story += "; "
	}
	return story + "given up"
}

// report reports the token, which is inactive.
func report(ctx context.Context, s *scene) string {
	g, err := s.Table.Grant(ctx, acmeProd, grant.Strong)
	if err != nil {
		return err.Error()
	}
	s.Sandbox.Kill(g.Fingerprint)
	return s.issue(ctx, `,"rejected_fingerprint":"`+g.Fingerprint+`"`).String()
}

// reportAgain reports for as long as the answer is an inactive token. Reltio is not
// asked about it more than once in 30 s, before the end of a back-off of 30 s,
// or for 5 minutes after it insisted on the token.
func reportAgain(ctx context.Context, s *scene) string {
	story := "reported"
	for _, wait := range []time.Duration{0, grant.CheckEvery, grant.AskEvery} {
		if wait > 0 {
			story += fmt.Sprintf(", again after %v", wait)
			s.sleep(ctx, wait+time.Second)
		}
		g, err := s.Table.Grant(ctx, acmeProd, grant.Strong)
		if err != nil {
			return err.Error()
		}
		v := s.issue(ctx, `,"rejected_fingerprint":"`+g.Fingerprint+`"`)
		if v.ErrorType == "" && s.Sandbox.Valid(reltioauth.NewSecret(v.AccessToken)) {
			return story + ": a living token"
		}
		if v.ErrorType == string(apierr.CredentialsRejected) {
			return story + ": " + v.ErrorType + "; " + s.renewAgain(ctx)
		}
	}
	// Logins that were counted and not sent need an operator.
	return story + "; " + s.renewAgain(ctx)
}

// sweep is a tick. The schedule sees nothing.
func sweep(ctx context.Context, s *scene) string {
	if err := s.tick(ctx); err != nil {
		return err.Error()
	}
	return "-"
}

// told is the next tick, or the one after the lease's end, until an event is
// out; then the person comes.
func told(ctx context.Context, s *scene) string {
	story := ""
	for range 3 {
		if s.wire.published() > 0 {
			break
		}
		s.awaitLease(ctx)
		if err := s.tick(ctx); err != nil {
			return err.Error()
		}
		story = "told by the next tick; "
	}
	if s.wire.published() == 0 {
		// Nothing was stored at all: the next caller finds out.
		s.issue(ctx, "")
		story = "told after the next call; "
	}
	return story + personComes(ctx, s)
}

// personComes is a person who logs in.
func personComes(ctx context.Context, s *scene) string {
	if err := s.person(ctx, &browser{}); err != nil {
		return err.Error()
	}
	return "the person logs in"
}

// arrive brings the code to callback.
func arrive(ctx context.Context, s *scene) string {
	b := &s.browser
	if err := s.comeBack(ctx, b); err != nil {
		return err.Error()
	}
	switch {
	case b.arrived():
		return "done"
	case b.status/100 == 3:
		return "the login page again"
	}
	return fmt.Sprintf("page %d", b.status)
}

// Preparations.

var errNoToken = errors.New("there is no first token")

func first(ctx context.Context, s *scene) error {
	if v := s.issue(ctx, ""); v.ErrorType != "" {
		return fmt.Errorf("%w: %s", errNoToken, v.ErrorType)
	}
	return nil
}

func login(ctx context.Context, s *scene) error {
	if err := s.person(ctx, &browser{}); err != nil {
		return err
	}
	return first(ctx, s)
}

// ended waits until the first token has. Later ones are valid for an hour.
func ended(ctx context.Context, s *scene) error {
	if err := first(ctx, s); err != nil {
		return err
	}
	s.sleep(ctx, s.flow.TokenLife+1100*time.Millisecond) // due a second after its end
	s.Sandbox.Configure(func(c *reltioauthtest.Config) { c.Clients[0].AccessTokenTTL = time.Hour })
	return nil
}

func depart(ctx context.Context, s *scene) error {
	if err := s.invite(ctx, &s.browser); err != nil {
		return err
	}
	return s.logIn(ctx, &s.browser)
}

func departAgain(ctx context.Context, s *scene) error {
	if err := s.person(ctx, &browser{}); err != nil {
		return err
	}
	return depart(ctx, s)
}

// movedAway is a connection that has a grant, and was then moved to another
// tenant.
func movedAway(ctx context.Context, s *scene) error {
	if err := login(ctx, s); err != nil {
		return err
	}
	fields := s.flow.connection()
	fields["tenant_id"] = "acme-europe"
	return s.AddConnection(ctx, acmeProd, fields)
}

// moved is such a connection, and a person on the way to log in.
func moved(ctx context.Context, s *scene) error {
	if err := movedAway(ctx, s); err != nil {
		return err
	}
	return depart(ctx, s)
}

// disconnected is a connection that had a grant, until an operator took it away.
func disconnected(ctx context.Context, s *scene) error {
	if err := login(ctx, s); err != nil {
		return err
	}
	if _, err := s.operator().Disconnect(ctx, operator.DisconnectRequest{Connection: acmeProd, Revoke: true}); err != nil {
		return err
	}
	return depart(ctx, s)
}
