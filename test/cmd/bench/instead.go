package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// The trace: hours of a token's life, each with some bursts. The silence
// between two bursts is cut to the second that the server's limit looks back;
// the bursts themselves last as long as they would.
const (
	hour      = 45 * time.Second // a token's life, for an hour
	hours     = 4
	bursts    = 100 // in all
	crowd     = 100 // calls of a burst
	burst     = 800 * time.Millisecond
	silence   = hours*hour/bursts - burst
	changedAt = bursts * 5 / 8 // before this burst the password is changed at Reltio,
	mendedAt  = changedAt + 12 // and before this one where it is configured
	answerIn  = 300 * time.Millisecond
)

// Who logs in. The passwords are the sandbox's.
const (
	loginClient, loginSecret      = "integration", "secret-of-integration"
	loginUser                     = "integration@acme.example"
	firstPassword, secondPassword = "first-password", "second-password"
)

// way is a way to get at tokens, with an authorization server of its own.
type way struct {
	// name in tables; function that is invoked; how is for the function
	// instead, empty for the service itself.
	name, function, how string
	payload             []byte
	server              *reltioauthtest.Server
	url                 string

	latency []float64
	trace   trace
}

func ways() []*way {
	return []*way{
		{name: "`issue`", function: "issue", payload: []byte(`{"connection":"acme"}`)},
		{name: "a login at each invocation (x/oauth2)", function: "each", how: "each"},
		{name: "token in DynamoDB, no lease", function: "cached", how: "cached"},
		{name: "secret read at each invocation, token in the process", function: "secret", how: "secret"},
	}
}

// sandbox is the server as each of them meets it. It gives no refresh token, so
// that every renewal is a login, for all of them.
func sandbox(life time.Duration) reltioauthtest.Config {
	return reltioauthtest.Config{
		Clients:   []reltioauthtest.Client{{ID: loginClient, Secret: reltioauth.NewSecret(loginSecret), AccessTokenTTL: life}},
		Users:     []reltioauthtest.User{{Username: loginUser, Password: reltioauth.NewSecret(firstPassword)}},
		Behaviour: reltioauthtest.Behaviour{OmitRefreshToken: true},
		Fault: func(q reltioauthtest.Request) reltioauthtest.Fault {
			if q.Op == reltioauthtest.OpToken {
				return reltioauthtest.Fault{Delay: answerIn}
			}
			return reltioauthtest.Fault{}
		},
	}
}

// login is a connection's secret, and the others' configuration.
func login(password string) map[string]any {
	return map[string]any{
		"grant_type": "password", "client_id": loginClient, "client_secret": loginSecret,
		"username": loginUser, "password": password,
	}
}

// configure tells a way its password: the connection's secret, the function's
// variables, or the secret that it reads.
func (w *way) configure(ctx context.Context, r *rig.Rig, password string) error {
	if w.how == "" {
		return r.AddConnection(ctx, "acme", login(password))
	}
	secret := "instead/" + w.how
	if err := putSecret(ctx, r, secret, login(password)); err != nil {
		return err
	}
	if w.how == "secret" && password != firstPassword {
		return nil // nothing has to be deployed
	}
	// The usual five minutes of an hour, or the ten seconds of x/oauth2.
	early := hour / 360
	if w.how == "cached" {
		early = hour / 12
	}
	return r.Deploy(ctx, lambdahost.Function{
		Name: w.function, Command: []string{r.Binary("instead")},
		Env: map[string]string{
			"HOW": w.how, "TOKEN_URL": w.url + "/oauth/token", "SECRET_ID": secret, "EARLY": early.String(),
			"LOGIN_CLIENT": loginClient, "LOGIN_CLIENT_SECRET": loginSecret,
			"LOGIN_USER": loginUser, "LOGIN_PASSWORD": password,
		},
	}, stack.DynamoDB, stack.SecretsManager)
}

// insteadRig has the service and the three other ways.
func (b *bench) insteadRig(ctx context.Context, all []*way, life time.Duration) (*rig.Rig, error) {
	r, err := rig.Start(ctx, rig.Config{Now: time.Now, Binaries: b.binaries, Sandbox: sandbox(life)})
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		w.server, w.url = r.Sandbox, r.ReltioURL
		if w.how != "" {
			w.server = reltioauthtest.New(sandbox(life))
			if w.url, err = w.server.Start(""); err != nil { //nolint:contextcheck // with closes it
				return nil, errors.Join(err, r.Close())
			}
		}
		if err := w.configure(ctx, r, firstPassword); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// with calls f with a rig whose tokens are valid for so long.
func (b *bench) with(ctx context.Context, all []*way, life time.Duration, f func(*rig.Rig) error) error {
	r, err := b.insteadRig(ctx, all, life)
	if err != nil {
		return err
	}
	err = f(r)
	for _, w := range all {
		err = errors.Join(err, w.server.Close())
	}
	return errors.Join(err, r.Close())
}

// latencies alternates between the ways: one call each, in an environment that
// runs already, while a token is valid. A login at each invocation goes at a pace
// that the server's limit allows.
func latencies(ctx context.Context, r *rig.Rig, all []*way, rounds int) error {
	for i := range rounds + 1 {
		for _, w := range all {
			a, err := r.Invoke(ctx, w.function, w.payload)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if i > 0 {
				w.latency = append(w.latency, ms(a.Report.Answered))
			}
		}
	}
	return nil
}

// instead measures what people do who have no such service.
func (b *bench) instead(ctx context.Context) (figures.Section, error) {
	const rounds = 40
	s := figures.Section{
		Title: "What people do instead",
		Text: []string{
			fmt.Sprintf("The same calls by four ways, each with a sandbox of its own that answers a token request after %d ms, gives the same token while it lives, allows ten token requests a second and locks a user after five bad logins. First one call at a time, in turns, in environments that run already, with a token that lives an hour, which `issue` has in memory. (Secrets Manager is moto's here, DynamoDB Dynoxide, on this machine: what they take is not what AWS takes.)", answerIn.Milliseconds()),
			fmt.Sprintf("Then a trace of 10,000 calls, all four at once, in environments of which a hundred each were started before: %d bursts of %d calls within %d ms, %d bursts an hour. An hour is %d s here, and tokens live that long: the silence between two bursts is cut, a burst and the server's limit are not, and the time before a token's end at which it is replaced is scaled (DynamoDB recipe: five minutes of an hour; in the process: ten seconds). `issue` renews only when it is asked: the schedule is off. What does not scale makes `issue` look slower than it is: the second before a token's end in which it hands none out, and the one after it before it asks, are 2 s of %d instead of 2 s of an hour, and it keeps nothing in memory that ends so soon. Nobody tries again. After %d bursts somebody changes the user's password at Reltio; %d bursts later it is corrected where it is configured, for `issue` with the renewal that the operator's handbook asks for. Nobody unlocks the user.",
				bursts, crowd, burst.Milliseconds(), bursts/hours, int(hour.Seconds()), int(hour.Seconds()), changedAt, mendedAt-changedAt),
		},
		Header: []string{"Way", "One call, ms", "Token requests an hour", "429", "Refused logins", "User locked", "Calls with a living token", "… while the password was right", "Median, ms", "99 %, ms"},
	}
	single, all := ways(), ways()
	var without []string
	err := b.with(ctx, single, time.Hour, func(r *rig.Rig) error { return latencies(ctx, r, single, rounds) })
	if err == nil {
		err = b.with(ctx, all, hour, func(r *rig.Rig) error { return traces(ctx, r, all) })
	}
	if err != nil {
		return s, err
	}
	for i, w := range all {
		without = append(without, w.name+": "+cmp.Or(list(w.trace.errors), "none"))
		s.Rows = append(s.Rows, append([]string{w.name, figures.Of(single[i].latency).String()}, w.trace.row()...))
	}
	for _, w := range single[1:] {
		s.Figures = append(s.Figures, figures.Figure{
			ID: "instead-" + w.how, Name: "`issue` from memory ÷ " + w.name, Value: figures.Ratio(single[0].latency, w.latency),
		})
	}
	s.After = append(s.After, "The calls without a token, by what they got instead (RetrieveError is x/oauth2's word for a refusal; TooManyRequestsException is Lambda's, when a thousand calls are under way). "+strings.Join(without, "; ")+".", fmt.Sprintf("One call to `issue` takes %.2g of the time of a login at each invocation, %.2g of that of the token in DynamoDB, %.2g of that of the secret read at each invocation.",
		s.Figures[0].Value.Median, s.Figures[1].Value.Median, s.Figures[2].Value.Median))
	return s, nil
}
