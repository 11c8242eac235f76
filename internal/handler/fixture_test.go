package handler_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The secrets of the world: none of them may come out anywhere but in an
// answer's access_token.
const (
	clientSecret = "kanari-client-secret"
	password     = "kanari-password"
)

// world is both functions over the embedded store and the sandbox. Rotate is
// invoked through its handler, as bytes.
type world struct {
	t       testing.TB
	table   *memstore.Table
	secrets *memstore.Secrets
	server  *reltioauthtest.Server
	issue   *handler.Issue
	rotate  *handler.Rotate
	log     *lines
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, table: &memstore.Table{}, secrets: &memstore.Secrets{}, log: &lines{},
		server: reltioauthtest.New(reltioauthtest.Config{
			Now:     time.Now,
			Clients: []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret(clientSecret)}},
			Users:   []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret(password)}},
		}),
	}
	log := telemetry.New(w.log, 0, time.Now)
	w.rotate = &handler.Rotate{
		Renewer: &renewal.Renewer{
			Grants: w.table, Leases: w.table, Lockouts: w.table, RateLimits: w.table,
			Connections: w.secrets, RefreshTokens: w.secrets, Parking: w.table,
			Hosts: connection.Hosts{"auth.reltio.com:443"}, Now: time.Now, Connect: w.server.Connector(),
		},
		Log: log, Now: time.Now,
	}
	w.issue = &handler.Issue{
		Issuer: &issue.Issuer{Grants: w.table, Leases: w.table, Rotate: w, Now: time.Now},
		Log:    log, Now: time.Now,
	}
	return w
}

// Rotate implements rotateapi.Function through the handler.
func (w *world) Rotate(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return rotateapi.Result{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 90*time.Second)
	defer cancel()
	data, err := w.rotate.Invoke(ctx, payload)
	if err != nil {
		return rotateapi.Result{}, apierr.Wrap(apierr.StoreUnavailable, "rotate: the function failed", err)
	}
	var result rotateapi.Result
	err = json.Unmarshal(data, &result)
	return result, err
}

// RotateLater implements rotateapi.Function; events are lost.
func (w *world) RotateLater(context.Context, rotateapi.Request) error { return nil }

// connect writes a connection's secret; fields is JSON.
func (w *world) connect(name, fields string) {
	w.t.Helper()
	if _, err := w.secrets.PutConnection(w.t.Context(), name, reltioauth.NewSecret(fields)); err != nil {
		w.t.Fatal(err)
	}
}

// The secrets of connections.
const (
	byClient   = `{"grant_type":"client_credentials","client_id":"client-1","client_secret":"` + clientSecret + `"}`
	byPassword = `{"grant_type":"password","client_id":"client-1","client_secret":"` + clientSecret + `","username":"ann","password":"` + password + `"}`
)

// fresh gives issue an instance with nothing cached.
func (w *world) fresh() {
	w.issue.Issuer = &issue.Issuer{Grants: w.table, Leases: w.table, Rotate: w, Now: time.Now}
}

// invocation is the context of one, under the given ARN.
func invocation(ctx context.Context, arn string) (context.Context, context.CancelFunc) {
	return lasting(ctx, arn, 25*time.Second)
}

// lasting is invocation for a function with another timeout.
func lasting(ctx context.Context, arn string, d time.Duration) (context.Context, context.CancelFunc) {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "request-1", InvokedFunctionArn: arn})
	return context.WithTimeout(ctx, d)
}

// Names of the function.
const (
	plainARN = "arn:aws:lambda:eu-central-1:123456789012:function:issue"
	aliasARN = plainARN + ":team-a"
)

// ask invokes issue.
func (w *world) ask(payload string) ([]byte, error) {
	ctx, cancel := invocation(w.t.Context(), plainARN)
	defer cancel()
	return w.issue.Invoke(ctx, []byte(payload))
}

// tell invokes rotate.
func (w *world) tell(payload string) ([]byte, error) {
	ctx, cancel := lasting(w.t.Context(), plainARN, 120*time.Second)
	defer cancel()
	return w.rotate.Invoke(ctx, []byte(payload))
}

// functionError is the error as the library sends it on; it has to be the
// library's own type, unwrapped.
func functionError(t testing.TB, err error) messages.InvokeResponse_Error {
	t.Helper()
	e, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // the library looks at the value itself
	if !ok {
		t.Fatalf("error %v is a %T, want the library's", err, err)
	}
	return e
}

// lines are the log.
type lines struct {
	logtest.Buffer
	taken int // bytes
}

// take returns the lines since the last time, each one parsed.
func (l *lines) take(t testing.TB) []map[string]any {
	t.Helper()
	text := l.String()
	var all []map[string]any
	for line := range strings.Lines(text[l.taken:]) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, m)
	}
	l.taken = len(text)
	return all
}

// of keeps the lines of a message.
func of(all []map[string]any, message string) []map[string]any {
	var kept []map[string]any
	for _, line := range all {
		if line["message"] == message {
			kept = append(kept, line)
		}
	}
	return kept
}
