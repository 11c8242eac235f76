package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/invoke"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// canary stands in every secret here, so that one that comes out is found.
const canary = "c4n4ry"

// account is an AWS account with the functions, made of engines.
type account struct {
	t           *testing.T
	table       *dynamo.Table
	secretStore secrets.Manager
	reltio      *reltioauthtest.Server
	authURL     string
	command     command
}

// onAWS starts what stands in AWS's place, the sandbox, and the functions, and
// a command whose environment names them.
func onAWS(t *testing.T) *account {
	t.Helper()
	database, name := engines.Table(t)
	moto := engines.Moto(t)
	static := engines.Credentials()
	a := &account{t: t, table: &dynamo.Table{Client: database, Name: name}}
	a.secretStore = secrets.Manager{Prefix: "test/" + rand.Text(), Client: secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(moto), Credentials: static,
	})}
	a.reltio = reltioauthtest.New(reltioauthtest.Config{
		Clients: []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret(canary + "-client")}},
		Users:   []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret(canary + "-right")}},
	})
	var err error
	if a.authURL, err = a.reltio.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.reltio.Close() })
	functions := a.functions(static)
	a.command = command{t: t, seen: &strings.Builder{}, env: []string{
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + canary,
		"AWS_ENDPOINT_URL_DYNAMODB=" + aws.ToString(database.Options().BaseEndpoint),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + moto, "AWS_ENDPOINT_URL_LAMBDA=" + functions,
		"TABLE_NAME=" + a.table.Name, "SECRET_PREFIX=" + a.secretStore.Prefix, "AUTH_HOSTS=" + a.host(),
		"ROTATE_FUNCTION=arn:aws:lambda:us-east-1:000000000000:function:rotate",
	}}
	return a
}

func (a *account) host() string { return strings.TrimPrefix(a.authURL, "http://") }

// functions starts issue and rotate over the engines, behind the Invoke API.
func (a *account) functions(static aws.CredentialsProvider) (endpoint string) {
	log := telemetry.New(io.Discard, 0, time.Now)
	rotate := &handler.Rotate{Log: log, Now: time.Now, Renewer: &renewal.Renewer{
		Grants: a.table, Leases: a.table, Lockouts: a.table, RateLimits: a.table, Connections: a.secretStore, RefreshTokens: a.secretStore, Parking: a.table,
		Batches: a.table,
		Hosts:   connection.Hosts{a.host()}, Now: time.Now,
	}}
	functions := map[string]lambda.Handler{"rotate": rotate}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"), "/invocations")
		function, ok := functions[name[strings.LastIndex(name, ":")+1:]]
		if !ok {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"Message":"`+canary+`"}`)
			return
		}
		payload, _ := io.ReadAll(r.Body)
		data, err := function.Invoke(r.Context(), payload)
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			data, _ = json.Marshal(err.(messages.InvokeResponse_Error)) //nolint:errorlint // a handler's error is of this type
		}
		_, _ = w.Write(data)
	}))
	endpoint = "http://" + server.Listener.Addr().String()
	client := awslambda.New(awslambda.Options{Region: "us-east-1", BaseEndpoint: aws.String(endpoint), Credentials: static})
	functions["issue"] = &handler.Issue{Log: log, Now: time.Now, Issuer: &issue.Issuer{
		Grants: a.table, Leases: a.table, Rotate: invoke.Function{Client: client, Name: "rotate"}, Now: time.Now,
	}}
	server.Start()
	a.t.Cleanup(server.Close)
	return endpoint
}

// connect writes a connection's secret.
func (a *account) connect(name string, fields map[string]any) {
	a.t.Helper()
	fields["auth_url"], fields["client_id"], fields["client_secret"] = a.authURL, "client-1", canary+"-client"
	text, err := json.Marshal(fields)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.secretStore.PutConnection(a.t.Context(), name, reltioauth.NewSecret(string(text))); err != nil {
		a.t.Fatal(err)
	}
}

func TestOnAWS(t *testing.T) {
	a := onAWS(t)
	c := a.command
	a.connect("good", map[string]any{"grant_type": "client_credentials"})
	a.connect("wrong", map[string]any{"grant_type": "password", "username": "ann", "password": canary + "-wrong"})
	a.connect("second", map[string]any{"grant_type": "password", "username": "ANN", "password": canary + "-right"})
	a.connect("malformed", map[string]any{"grant_type": "password", "password": 7})

	c.expect(0, `outcome      renewed\n`, "", "issue", "good")
	for range 2 {
		c.expect(1, "", `^wrong: failed: CredentialsRejected: .*\n  reltio-tokens check wrong says why, and what to do\n$`, "rotate", "wrong", "--force")
	}
	c.expect(1, "", `^reltio-tokens: CredentialsRejected: `, "issue", "wrong")
	c.expect(3, `(?s)malformed +- .* new .* secret: InvalidConnection: .*wrong +password .* credentials_rejected .* CredentialsRejected: .*good +client_credentials +-/unknown +ok +59m .*\n4 connections: 2 need an operator, 2 without trouble\n$`, "", "status", "--check")
	c.expect(1, `"refused_logins": 2\n`, "", "check", "wrong", "--json")
	c.expect(1, `^wrong: not usable\n  problem     server: the user name or the password is wrong \(invalid_grant, HTTP 400: .*\)\n  do          log in at Reltio with both by hand, once; then reltio-tokens add wrong --force writes another secret`, "", "check", "wrong")
	c.expect(0, `wrong +password .* CredentialsRejected: .*  the user name or the password is wrong  invalid_grant, HTTP 400: `, "", "status", "--wide", "wrong")
	c.expect(1, `^second: not usable\n  problem     username: its account belongs to connection wrong\n`, "", "check", "second")
	c.expect(1, `^malformed: not usable\n  problem     password: must be a string\n  problem     username: is required\n$`, "", "check", "malformed")
	c.expect(1, `"ok": false`, "", "check", "malformed", "--json")

	a.reltio.SetPassword("ann", reltioauth.NewSecret(canary+"-wrong"))
	c.expect(1, "", `^wrong: failed: CredentialsRejected: `, "rotate", "wrong", "--force")
	c.expect(0, `^wrong: resumed \(credentials_rejected\); the next tick tries it\n$`, "", "resume", "--all")
	c.expect(0, `^wrong: renewed\n$`, "", "rotate", "wrong")
	c.expect(0, `\nwrong +password .* ok `, "", "status", "wrong")

	c.expect(0, `^good: paused \(was ok\); its token is handed out for another 59m\n$`, "", "pause", "good")
	c.expect(1, "", `ConnectionPaused`, "rotate", "good", "--force")
	c.expect(0, `outcome      cached\n`, "", "issue", "good")
	c.expect(0, `^good: in service again, due now\n$`, "", "unpause", "good")
	c.expect(0, `^good: (renewed|unchanged.*)\n$`, "", "rotate", "good", "--force")
	token := strings.TrimSpace(c.run("issue", "good").out)
	if token == "" || strings.Contains(c.seen.String(), canary) {
		t.Errorf("something secret was printed:\n%s", c.seen)
	}
	shown := a.command.run("issue", "good", "--show-token").out
	if text := strings.TrimSuffix(c.seen.String(), shown); strings.Contains(text, strings.TrimSpace(shown)) {
		t.Error("the token was printed unasked")
	}
}

// A connection's whole life, from adding it to what is left afterwards.
func TestAddAndDisconnectOnAWS(t *testing.T) {
	a := onAWS(t)
	c := a.command
	c.in = canary + "-client\n" + canary + "-right\n"
	c.expect(0, `^user: added\n`, "", "add", "user", "--auth-url="+a.authURL, "--grant-type=password", "--client-id=client-1", "--username=ann")
	c.expect(0, `outcome      renewed\n`, "", "issue", "user")
	c.expect(1, "", `exists already`, "add", "user", "--from-file=-")
	token := reltioauth.NewSecret(strings.TrimSpace(command{t: t, env: c.env}.run("issue", "user", "--show-token").out))
	if !a.reltio.Valid(token) {
		t.Fatal("the token is dead")
	}
	c.expect(0, `^user: disconnected \(was ok\)\n  revoked      the refresh token, and its access token with it\n  secret       deleted; `, "", "disconnect", "user", "--delete-secret", "-y")
	if access, refresh := a.reltio.Tokens(); a.reltio.Valid(token) || access+refresh != 0 {
		t.Errorf("%d access and %d refresh tokens live", access, refresh)
	}
	c.expect(1, "", `^reltio-tokens: UnknownConnection: `, "status", "user")
	c.expect(1, "", `^reltio-tokens: UnknownConnection: `, "disconnect", "user", "-y")
	if _, err := a.secretStore.Current(t.Context(), "user"); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("the grant's secret: %v, want none", err)
	}

	c.in = canary + "-client\n"
	c.expect(0, `^person: added\n`, "", "add", "person", "--auth-url="+a.authURL, "--grant-type=authorization_code", "--client-id=client-1", "--tenant-id=t")
	got := c.expect(0, `\nlink        https://example.com/base/authorize\?invitation=\S{43}\n`, "", "connect", "person", "--callback-url=https://example.com/base/")
	_, text, _ := strings.Cut(strings.Fields(got.out)[3], "invitation=")
	i, err := a.table.Invitation(t.Context(), authrequest.HashOf(reltioauth.NewSecret(text)))
	if err != nil || i.Connection != "person" {
		t.Errorf("the invitation is for %q (%v)", i.Connection, err)
	}
	if strings.Contains(c.seen.String(), canary) || strings.Contains(c.seen.String(), token.Reveal()) {
		t.Error("something secret was printed")
	}
}

// Of two connections of one client the one that is disconnected takes the token
// from the other only if that is asked for.
func TestSharedClientOnAWS(t *testing.T) {
	a := onAWS(t)
	c := a.command
	for _, name := range []string{"one", "two", "three"} {
		a.connect(name, map[string]any{"grant_type": "client_credentials"})
		c.expect(0, `outcome      renewed\n`, "", "issue", name)
	}
	c.expect(0, `not revoked  InvalidRequest: .*three, two may hold the same token.*\n  shared       its client, with three, two\n`, "", "disconnect", "one", "-y", "--delete-secret")
	c.expect(0, `outcome      cached\n`, "", "issue", "two")
	c.expect(0, `revoked      the access token\n  shared       its client, with three\n  ended for    three too: each gets another token\n`, "", "disconnect", "two", "-y", "--delete-secret", "--revoke")
	c.expect(0, `\nthree +client_credentials +-/unknown +ok +- .* now `, "", "status", "three")
	c.expect(0, `^three: renewed\n$`, "", "rotate", "three")
}

func TestHintsOnAWS(t *testing.T) {
	a := onAWS(t)
	c := a.command
	c.expect(1, "", `^reltio-tokens: StoreUnavailable: DynamoDB: ResourceNotFoundException\n  there is no such table: look at --table`, "pause", "a", "--table=none")
	c.expect(1, "", `there is no such function: look at --issue-function`, "issue", "a", "--issue-function=none")
	c.expect(1, "", `there is no such function: look at --issue-function`, "rotate", "a", "--rotate-function=none")
	c.expect(1, "", `nothing listens there: .*--endpoint-url`, "issue", "a", "--endpoint-url=http://127.0.0.1:1")
	c.expect(0, `^CONNECTION[^\n]+\n$`, "", "status")
	c.expect(0, `^no connection waits or fails\n$`, "", "resume", "--all")
	a.connect("other-host", map[string]any{"grant_type": "client_credentials"})
	c.expect(1, `problem     auth_url: its host is not in AUTH_HOSTS\n`, "", "check", "other-host", "--auth-hosts=auth.reltio.com")
	if strings.Contains(c.seen.String(), canary) {
		t.Errorf("something secret was printed:\n%s", c.seen)
	}
}
