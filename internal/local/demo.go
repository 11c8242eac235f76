package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The connections of the demonstration. Only this process's sandbox knows their
// credentials.
const (
	demoClientCredentials = "demo-client-credentials" //nolint:gosec // a connection's name
	demoPassword          = "demo-password"
	demoAuthorizationCode = "demo-authorization-code"

	demoClient = "demo-client"
	demoUser   = "demo-user"
	demoPerson = "demo-person"
	demoTenant = "demo-tenant"
)

// Connections are the names of the demonstration's connections.
func Connections() []string {
	return []string{demoClientCredentials, demoPassword, demoAuthorizationCode}
}

// Sandbox is the authorization server of the demonstration: the framework, whose
// access tokens are valid for life. In one point it differs: a second login by a
// code gives a new refresh token. The same refresh token again would send the
// person through the login page twice. The login page says what to type.
func Sandbox(life time.Duration) reltioauthtest.Config {
	return reltioauthtest.Config{
		Clients: []reltioauthtest.Client{{
			ID: demoClient, Secret: demoSecret("client"), AccessTokenTTL: life,
			Scopes: []string{"configuration_api", "entities_api", "relations_api"},
		}},
		Users: []reltioauthtest.User{
			{Username: demoUser, Password: demoSecret("user"), Tenants: []string{demoTenant}},
			{Username: demoPerson, Password: demoSecret("person"), Tenants: []string{demoTenant}},
		},
		Behaviour:    reltioauthtest.Behaviour{CodeRefreshToken: reltioauthtest.NewToken},
		LoginNote:    "Type the user name " + demoPerson + " and the password " + demoSecret("person").Reveal() + ".",
		KeepRequests: 1000,
	}
}

// demoSecret is a credential of the demonstration. Only this process's sandbox
// knows it.
func demoSecret(of string) reltioauth.Secret { return reltioauth.NewSecret("demo-secret-of-" + of) }

// Secrets are the connections of the demonstration, without auth_url, as an
// operator would write them.
func Secrets() map[string]map[string]any {
	all := map[string]map[string]any{
		demoClientCredentials: {"grant_type": "client_credentials"},
		demoPassword:          {"grant_type": "password", "username": demoUser, "password": demoSecret("user").Reveal()},
		demoAuthorizationCode: {"grant_type": "authorization_code", "tenant_id": demoTenant},
	}
	for _, fields := range all {
		fields["client_id"], fields["client_secret"] = demoClient, demoSecret("client").Reveal()
	}
	return all
}

// addConnections writes their secrets.
func (s *Stack) addConnections(ctx context.Context) error {
	for name, fields := range Secrets() {
		fields["auth_url"] = s.ReltioURL
		text, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("connection %s: %w", name, err)
		}
		if _, err := s.secrets.PutConnection(ctx, name, reltioauth.NewSecret(string(text))); err != nil {
			return fmt.Errorf("connection %s: %w", name, err)
		}
	}
	return nil
}

// Demo is the demonstration, on a stack that has its connections.
type Demo struct {
	// LambdaURL, CallbackURL and ReltioURL are the stack's addresses.
	LambdaURL, CallbackURL, ReltioURL string
	// Invite makes the link with which a person authorizes a connection.
	Invite func(ctx context.Context, connection string, replaceUser bool) (string, error)
	// Operator is a command line that shows the connections' health.
	Operator string
	// Command begins a command line of the operator's command. It is empty for a
	// stack that has no tenant API and whose sandbox takes no actions.
	Command string
}

// Demo shows the demonstration.
func (s *Stack) Demo(ctx context.Context, w io.Writer) error {
	command := "go run ./cmd/reltio-tokens --local"
	if s.LambdaURL != "http://"+Address(0, DefaultLambdaPort) {
		command += "=" + s.LambdaURL
	}
	return Demo{
		LambdaURL: s.LambdaURL, CallbackURL: s.CallbackURL, ReltioURL: s.ReltioURL, Invite: s.Invite,
		Operator: command + " status", Command: command,
	}.Show(ctx, w)
}

// Show gets a token for each connection, twice, and prints the responses and how
// to repeat the calls. For demo-authorization-code a person has to log in first:
// a browser of the demonstration does, at the sandbox's page. A new link is
// printed so that the user can do it too.
func (d Demo) Show(ctx context.Context, w io.Writer) error {
	if err := d.logIn(ctx); err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "Reltio's sandbox   %s\nLambda Invoke API  %s   (functions issue, rotate and callback)\nBrowsers           %s   (function callback)\n\n",
		d.ReltioURL, d.LambdaURL, d.CallbackURL)
	fmt.Fprintf(&text, "%-24s %-40s %8s  %-8s %s\n", "CONNECTION", "FINGERPRINT", "LIFE", "OUTCOME", "SECOND CALL")
	for _, name := range Connections() {
		first, _, err := d.issue(ctx, name)
		if err != nil {
			return err
		}
		again, took, err := d.issue(ctx, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%-24s %-40s %6d s  %-8s %s in %s\n", name, first.Fingerprint, first.ExpiresIn,
			first.Outcome, again.Outcome, took.Round(10*time.Microsecond))
	}
	link, err := d.Invite(ctx, demoAuthorizationCode, false)
	if err != nil {
		return err
	}
	fmt.Fprintf(&text, byBrowser, demoAuthorizationCode, link, demoPerson, demoSecret("person").Reveal())
	fmt.Fprintf(&text, byHand, d.LambdaURL, d.Operator)
	if d.Command != "" {
		fmt.Fprintf(&text, breakIt, d.LambdaURL+tenantPath, d.Command)
	}
	text.WriteString("\nready (Ctrl-C ends it)\n")
	_, err = w.Write(text.Bytes())
	return err
}

// logIn does the person's part.
func (d Demo) logIn(ctx context.Context) error {
	link, err := d.Invite(ctx, demoAuthorizationCode, false)
	if err != nil {
		return err
	}
	if err := connect(ctx, link, demoPerson, demoSecret("person").Reveal()); err != nil {
		return fmt.Errorf("logging in for %s: %w", demoAuthorizationCode, err)
	}
	return nil
}

// byBrowser explains how a person connects. Only this process's sandbox knows the
// password.
const byBrowser = `
%[1]s needs a person. This program has just been one, at the sandbox's
page; to be one yourself, open this link (it works once, for a day):

  %[2]s

and log in at the sandbox as %[3]s with the password %[4]s
`

// byHand explains how to do the same without this program.
const byHand = `
In another terminal, as an integration:

  curl -s %[1]s/2015-03-31/functions/issue/invocations -d '{"connection":"demo-password"}'

with the AWS CLI, version 1 or 2:

  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  echo '{"connection":"demo-password"}' >/tmp/request.json
  aws lambda invoke --endpoint-url %[1]s --function-name issue --payload fileb:///tmp/request.json /tmp/response.json

as an operator:

  %[2]s
`

// breakIt explains how to use a token and how to make the sandbox misbehave.
const breakIt = `
use the token at a tenant API, and break things:

  TOKEN=$(%[2]s issue demo-password --show-token)
  curl -s -H "Authorization: Bearer $TOKEN" %[1]s/entities/ada
  %[2]s sandbox kill demo-password     # or: down, slow, throttle, lock, expire-password, mfa, reset
`

// issued is what the demonstration shows of a response.
type issued struct {
	Fingerprint string `json:"fingerprint"`
	ExpiresIn   int    `json:"expires_in"`
	Outcome     string `json:"outcome"`
	ErrorType   string `json:"errorType"`
	Message     string `json:"errorMessage"`
}

// issue invokes the issue function over the network, as an integration would.
func (d Demo) issue(ctx context.Context, name string) (v issued, took time.Duration, err error) {
	body := fmt.Sprintf(`{"connection":%q}`, name)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.LambdaURL+"/2015-03-31/functions/issue/invocations", strings.NewReader(body))
	if err != nil {
		return v, 0, fmt.Errorf("invoking issue: %w", err)
	}
	began := time.Now()
	client := &http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return v, 0, fmt.Errorf("invoking issue: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&v); err != nil {
		return v, 0, fmt.Errorf("invoking issue: %w", err)
	}
	if response.Header.Get("X-Amz-Function-Error") != "" {
		return v, 0, fmt.Errorf("issue: %s: %s: %s", name, v.ErrorType, cmp.Or(v.Message, "no message"))
	}
	return v, time.Since(began), nil
}
