package framework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// wires is how many tests can have an authorization server behind the service.
const wires = 128

// service is the functions' binaries with engines in AWS's place, and wires to
// authorization servers.
type service struct {
	*stack.Stack
	log   *logtest.Buffer
	spare chan *wire
	stop  context.CancelFunc // of the schedule
}

// places are for tests that take seconds: a few at a time, for each needs a
// server, which the next one uses again.
var places = make(chan struct{}, 8)

// quick says that the test is one of those.
func quick(t *testing.T) {
	t.Helper()
	t.Parallel()
	places <- struct{}{}
	t.Cleanup(func() { <-places }) // the last cleanup: its server is idle then
}

// shared is started by the first test that needs it, and ended by TestMain.
var shared struct {
	once    sync.Once
	service *service
	err     error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if s := shared.service; s != nil {
		s.stop()
		if err := s.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL: after all tests:", err)
			status = 1
		}
	}
	if err := writeTable(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		status = 1
	}
	os.Exit(status)
}

// startService returns the service.
func startService(t *testing.T) *service {
	t.Helper()
	needFramework(t)
	dynamo, moto := engines.DynamoDBEndpoint(t), engines.Moto(t)
	shared.once.Do(func() { shared.service, shared.err = newService(dynamo, moto) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.service
}

func newService(dynamo, moto string) (*service, error) {
	s := &service{log: &logtest.Buffer{}, spare: make(chan *wire, wires)}
	var hosts []string
	for range wires {
		w := newWire()
		hosts = append(hosts, w.host())
		s.spare <- w
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var err error
	s.Stack, err = stack.Start(ctx, stack.Config{
		Now: time.Now, DynamoDB: dynamo, Moto: moto, Log: s.log,
		Change: func(f *lambdahost.Function) {
			if f.Env["AUTH_HOSTS"] != "" {
				f.Env["AUTH_HOSTS"] = strings.Join(hosts, ",")
			}
		},
	})
	if err != nil {
		cancel()
		return nil, err
	}
	go s.Schedule.Run(ctx)
	return s, nil
}

// wired is an authorization server of the framework, behind a wire of its own.
type wired struct {
	*wire
	service *service
	// direct is the server without the wire: what the test itself asks is not
	// remembered.
	direct *spring
}

func (w *wired) url() string { return w.front.URL }

// newServer gives a test a server of the framework behind the service. Its
// client "app" may be sent back to the service's callback.
func newServer(t *testing.T, change func(*settings)) *wired {
	t.Helper()
	s := startService(t)
	direct := startSpring(t, newSettings(func(all *settings) {
		for id := range all.Clients {
			all.changeClient(id, func(c *client) { c.Redirects = append(c.Redirects, s.CallbackURL+"/callback") })
		}
		if change != nil {
			change(all)
		}
	}))
	to, err := url.Parse(direct.url())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case w := <-s.spare:
		w.connect(to)
		return &wired{wire: w, service: s, direct: direct}
	default:
		t.Fatal("no wire is left: make more of them")
		return nil
	}
}

// fields of a connection's secret.
type fields map[string]any

// add writes a connection of a grant type, with the client "app" and the user
// "ann", and returns its name. The name is the test's alone.
func (w *wired) add(t *testing.T, grant string, more fields) string {
	t.Helper()
	name := strings.ToLower(engines.TableName(t))
	name = name[len(name)-26:]
	w.write(t, name, grant, more)
	return name
}

// write writes the secret of a connection.
func (w *wired) write(t *testing.T, name, grant string, more fields) {
	t.Helper()
	secret := fields{"grant_type": grant, "client_id": "app", "client_secret": secretOf("app"), "auth_url": w.url()}
	switch grant {
	case password:
		secret["username"], secret["password"] = "ann", passwordOf("ann")
	case authorizationCode:
		secret["tenant_id"] = "tenant"
	}
	maps.Copy(secret, more)
	if err := w.service.AddConnection(t.Context(), name, secret); err != nil {
		t.Fatal(err)
	}
}

// answer is what a function answered. It is never printed whole.
type answer struct {
	AccessToken  string   `json:"access_token"`
	Fingerprint  string   `json:"fingerprint"`
	Outcome      string   `json:"outcome"`
	Warnings     []string `json:"warnings"`
	ErrorType    string   `json:"errorType"`
	ErrorMessage string   `json:"errorMessage"`
	ExpiresIn    int      `json:"expires_in"`
}

func (a answer) String() string {
	if a.ErrorType != "" {
		return a.ErrorType + ": " + a.ErrorMessage
	}
	return fmt.Sprintf("a token, %s %v", a.Outcome, a.Warnings)
}

// ask asks issue for a connection's token; report says that the token of an
// answer was refused.
func (w *wired) ask(t *testing.T, name string) answer {
	t.Helper()
	return w.service.invoke(t, "issue:live", fields{"connection": name})
}

func (w *wired) report(t *testing.T, name string, a answer) answer {
	t.Helper()
	return w.service.invoke(t, "issue:live", fields{"connection": name, "rejected_fingerprint": a.Fingerprint})
}

// force lets rotate renew a connection now, as an operator does.
func (w *wired) force(t *testing.T, name string) {
	t.Helper()
	w.service.invoke(t, "rotate:live", fields{"connection": name, "force": true})
}

func (s *service) invoke(t *testing.T, function string, request fields) answer {
	t.Helper()
	a, err := s.call(t.Context(), function, request)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// call is invoke for many at once.
func (s *service) call(ctx context.Context, function string, request fields) (answer, error) {
	payload, err := json.Marshal(request)
	if err != nil {
		return answer{}, err
	}
	out, err := s.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function), Payload: payload})
	if err != nil {
		return answer{}, err
	}
	var a answer
	if json.Unmarshal(out.Payload, &a) != nil {
		return a, errors.New("an answer that is no JSON object")
	}
	return a, nil
}

// grant is one attribute of what is stored of a connection, as text.
func (w *wired) grant(t *testing.T, name, attribute string) string {
	t.Helper()
	out, err := w.service.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(w.service.Table.Name), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "grant#" + name}},
	})
	if err != nil {
		t.Fatal(err)
	}
	switch v := out.Item[attribute].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	default:
		return ""
	}
}

// valid says whether the server takes a token.
func (w *wired) valid(t *testing.T, a answer) bool {
	t.Helper()
	return w.direct.valid(t, a.AccessToken)
}

// wantIssued fails the test unless the answer has a token, and it is valid.
func (w *wired) wantIssued(t *testing.T, a answer) answer {
	t.Helper()
	if a.AccessToken == "" {
		t.Fatalf("no token: %v", a)
	}
	if !w.valid(t, a) {
		t.Fatalf("the server does not take the token that was issued: %v", a)
	}
	return a
}

// wantError fails the test unless the answer is that error; its message ends as
// given.
func wantError(t *testing.T, a answer, errorType, end string) {
	t.Helper()
	if a.ErrorType != errorType || !strings.HasSuffix(a.ErrorMessage, end) {
		t.Errorf("got %v, want %s … %s", a, errorType, end)
	}
}

// every is how often a caller asks.
const every = time.Second

// poll asks as a caller does, until the time is over or an answer is enough.
func (w *wired) poll(t *testing.T, name string, most time.Duration, enough func(answer) bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < most; time.Sleep(every) {
		if enough(w.ask(t, name)) {
			return
		}
	}
}

// untilIssued polls until there is a valid token, and returns how long that took.
func (w *wired) untilIssued(t *testing.T, name string, most time.Duration) time.Duration {
	t.Helper()
	began, last := time.Now(), answer{}
	w.poll(t, name, most, func(a answer) bool {
		last = a
		return a.AccessToken != "" && w.valid(t, a)
	})
	w.wantIssued(t, last)
	return time.Since(began)
}

// person authorizes a connection with a browser, and returns the page at its
// end.
func (w *wired) person(t *testing.T, name, user string) page {
	t.Helper()
	link, err := w.service.Invite(t.Context(), name, false)
	if err != nil {
		t.Fatal(err)
	}
	return newBrowser(t).authorize(t, link, user)
}
