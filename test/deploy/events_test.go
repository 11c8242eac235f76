package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// expected is what the function has to answer to each file in events/: an
// errorType; of issue and rotate an outcome, or counts; of callback a status.
var expected = map[string]string{
	"issue-first":              "renewed",
	"issue-password":           "renewed",
	"issue-authorization-code": "ReauthorizationRequired",
	"issue-min-ttl":            "renewed",
	"issue-rejected":           "renewed",
	"issue-all-fields":         "renewed",
	"issue-unknown-connection": "UnknownConnection",
	"issue-no-connection":      "InvalidRequest",
	"issue-bad-name":           "InvalidRequest",
	"issue-unknown-field":      "InvalidRequest",
	"issue-wrong-case":         "InvalidRequest",
	"issue-wrong-type":         "InvalidRequest",
	"issue-null-field":         "InvalidRequest",
	"issue-repeated-key":       "InvalidRequest",
	"issue-min-ttl-too-long":   "InvalidRequest",
	"issue-bad-fingerprint":    "InvalidRequest",
	"issue-not-an-object":      "InvalidRequest",
	"issue-malformed":          "InvalidRequest",
	"issue-trailing":           "InvalidRequest",

	"rotate-sweep":                     "sweep",
	"rotate-sweep-with-unknown-fields": "sweep",
	"rotate-single":                    "renewed",
	"rotate-force":                     "renewed",
	"rotate-min-ttl":                   "renewed",
	"rotate-rejected":                  "renewed",
	"rotate-lease-of-somebody-else":    "contended",
	"rotate-authorization-code":        "reauthorize ReauthorizationRequired",
	"rotate-unknown-connection":        "failed UnknownConnection",
	"rotate-no-connection":             "InvalidRequest",
	"rotate-bad-lease":                 "InvalidRequest",
	"rotate-wrong-type":                "InvalidRequest",
	"rotate-not-an-object":             "InvalidRequest",
	"rotate-malformed":                 "InvalidRequest",

	"callback-authorize":                      "200",
	"callback-authorize-go":                   "302 https://auth.reltio.com/oauth/sso",
	"callback-authorize-go-with-hostile-host": "302 https://auth.reltio.com/oauth/sso",
	"callback-return":                         "502", // the sandbox gave no such code
	"callback-return-without-cookie":          "400",
	"callback-return-wrong-cookie":            "400",
	"callback-return-unknown-state":           "400",
	"callback-return-denied":                  "400",
	"callback-return-code-and-error":          "400",
	"callback-return-repeated-parameter":      "400",
	"callback-return-control-character":       "400",
	"callback-return-no-state":                "400",
	"callback-return-wrong-issuer":            "400",
	"callback-done":                           "200",
	"callback-authorize-without-invitation":   "400",
	"callback-authorize-unknown-invitation":   "410",
	"callback-authorize-head":                 "405",
	"callback-authorize-post":                 "405",
	"callback-long-query":                     "414",
	"callback-unknown-path":                   "404",
	"callback-traversal":                      "404",
	"callback-bad-encoding":                   "400",
	"callback-not-an-http-event":              "404",
}

// What the files of callback hold: an invitation, and a login that is under way.
const (
	exampleInvitation = "exampleInvitationTextOf43Characters_0000000"
	exampleState      = "exampleStateTextOf43Characters_000000000000"
	exampleBinding    = "exampleBindingTextOf43Characters_0000000000"
)

// embedded are the three handlers over the embedded store and the sandbox.
func embedded(t *testing.T) map[string]lambda.Handler {
	t.Helper()
	table, vault := &memstore.Table{}, &memstore.Secrets{}
	server := reltioauthtest.New(reltioauthtest.Config{
		Now:     time.Now,
		Clients: []reltioauthtest.Client{{ID: "demo-client", Secret: reltioauth.NewSecret("client-secret")}},
		Users:   []reltioauthtest.User{{Username: "demo-user", Password: reltioauth.NewSecret("password")}},
	})
	for name, fields := range map[string]string{
		"demo-client-credentials": `"grant_type":"client_credentials"`,
		"demo-password":           `"grant_type":"password","username":"demo-user","password":"password"`,
		"demo-authorization-code": `"grant_type":"authorization_code","tenant_id":"demo-tenant"`,
	} {
		text := `{"client_id":"demo-client","client_secret":"client-secret",` + fields + `}`
		if _, err := vault.PutConnection(t.Context(), name, reltioauth.NewSecret(text)); err != nil {
			t.Fatal(err)
		}
	}
	pend(t, table)
	hosts, log := connection.Hosts{"auth.reltio.com:443"}, telemetry.New(io.Discard, 0, time.Now)
	rotate := &handler.Rotate{
		Renewer: &renewal.Renewer{
			Grants: table, Leases: table, Lockouts: table, RateLimits: table, Connections: vault, RefreshTokens: vault, Parking: table, Batches: table,
			Hosts: hosts, Now: time.Now, Connect: server.Connector(),
		},
		Log: log, Now: time.Now,
	}
	return map[string]lambda.Handler{
		"rotate": rotate,
		"issue": &handler.Issue{
			Issuer: &issue.Issuer{Grants: table, Leases: table, Rotate: direct{rotate}, Now: time.Now}, Log: log, Now: time.Now,
		},
		"callback": handler.Gateway{Handler: &handler.Callback{
			Flow: &authcode.Flow{
				AuthRequests: table, Grants: table, Leases: table, RateLimits: table, Connections: vault, RefreshTokens: vault, Parking: table,
				Hosts: hosts, Now: time.Now, Connect: server.Connector(),
			},
			Pages: pages.New(), Log: log, Now: time.Now,
		}},
	}
}

// pend stores the invitation and the login that is under way.
func pend(t *testing.T, table *memstore.Table) {
	t.Helper()
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	err := table.PutInvitation(t.Context(), authrequest.Invitation{
		Hash: hash(exampleInvitation), Connection: "demo-authorization-code", Ends: time.Now().Add(time.Hour),
	})
	if err == nil {
		err = table.PutRequest(t.Context(), authrequest.Request{
			Hash: hash(exampleState), Connection: "demo-authorization-code", Invitation: hash(exampleInvitation),
			Binding: hash(exampleBinding), RedirectURI: "https://" + domain + "/callback", Ends: time.Now().Add(10 * time.Minute),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// direct is rotate without Lambda between.
type direct struct{ rotate lambda.Handler }

// Rotate implements rotateapi.Function.
func (d direct) Rotate(ctx context.Context, r rotateapi.Request) (result rotateapi.Result, err error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return result, err
	}
	data, err := d.rotate.Invoke(ctx, payload)
	if err != nil {
		return result, err
	}
	err = json.Unmarshal(data, &result)
	return result, err
}

// RotateLater implements rotateapi.Function.
func (direct) RotateLater(context.Context, rotateapi.Request) error { return errors.New("not here") }

// answered is what a function answers, in the words of expected.
func answered(t *testing.T, function string, payload []byte) string {
	t.Helper()
	limit := time.Duration(timeouts[function]) * time.Second
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{
		AwsRequestID: "request-1", InvokedFunctionArn: arn("lambda", "function:"+stack+"-"+function+":live"),
	})
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	data, err := embedded(t)[function].Invoke(ctx, payload)
	if err != nil {
		failed, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // the library looks at the value itself
		if !ok {
			t.Fatalf("error %v is a %T, want the library's", err, err)
		}
		return failed.Type
	}
	var answer struct {
		events.APIGatewayV2HTTPResponse
		Outcome *string
		Error   *rotateapi.Error
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("answer %q: %v", data, err)
	}
	switch {
	case function == "callback":
		location, _, _ := strings.Cut(answer.Headers["Location"], "?")
		if strings.Contains(answer.Headers["Location"], "evil.example") {
			t.Errorf("it believed a header: %s", answer.Headers["Location"])
		}
		return strings.TrimSpace(strconv.Itoa(answer.StatusCode) + " " + location)
	case answer.Outcome == nil:
		return "sweep"
	case answer.Error != nil:
		return *answer.Outcome + " " + string(answer.Error.Type)
	default:
		return *answer.Outcome
	}
}

func TestEvents(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "events", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	slices.Sort(names)
	if want := slices.Sorted(maps.Keys(expected)); !slices.Equal(names, want) {
		t.Errorf("files %v, want one for each of %v", names, want)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			payload, err := os.ReadFile(filepath.Join(root, "events", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			function, _, _ := strings.Cut(name, "-")
			synctest.Test(t, func(t *testing.T) {
				if got := answered(t, function, payload); got != expected[name] {
					t.Errorf("answered %q, want %q", got, expected[name])
				}
			})
		})
	}
}
