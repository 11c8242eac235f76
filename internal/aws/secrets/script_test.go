package secrets_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// call is a request as it came over the wire.
type call struct {
	Action             string `json:"-"`
	SecretID           string `json:"SecretId"`
	Name               string
	VersionID          string `json:"VersionId"`
	VersionStage       string
	VersionStages      []string
	ClientRequestToken string
	SecretString       string
	Tags               []struct{ Key, Value string }
}

// answer is what the server says: an empty code is a success, a status of 0
// breaks the connection.
type answer struct {
	status int
	body   string
}

func ok(body string) answer { return answer{http.StatusOK, body} }

// refused is an error in AWS's form, with the canary where AWS has a text.
func refused(code string) answer {
	return answer{http.StatusBadRequest, fmt.Sprintf(`{"__type":%q,"Message":%q,"message":%q}`, code, canary, canary)}
}

// scripted is a server that gives the answers of each action in order, the last
// one again and again, and remembers the calls.
type scripted struct {
	mu      sync.Mutex // guards all
	answers map[string][]answer
	calls   []call
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller hung up
	}
	c := call{Action: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")}
	_ = json.Unmarshal(body, &c)
	a := s.next(c)
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (s *scripted) next(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	list := s.answers[c.Action]
	if len(list) == 0 {
		return refused("AccessDeniedException")
	}
	if len(list) > 1 {
		s.answers[c.Action] = list[1:]
	}
	return list[0]
}

func (s *scripted) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *scripted) actions() []string {
	var actions []string
	for _, c := range s.seen() {
		actions = append(actions, c.Action)
	}
	return actions
}

// play starts the script and returns a Manager that talks to it.
func play(t *testing.T, answers map[string][]answer) (*scripted, secrets.Manager) {
	t.Helper()
	s := &scripted{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, secrets.Manager{Client: newClient(server.URL, aws.NopRetryer{}), Prefix: "rt"}
}

// The actions and some answers of Secrets Manager.
const (
	get      = "GetSecretValue"
	put      = "PutSecretValue"
	create   = "CreateSecret"
	describe = "DescribeSecret"
	remove   = "DeleteSecret"
	restore  = "RestoreSecret"
	tag      = "TagResource"
	list     = "ListSecrets"
)

var (
	missing        = refused("ResourceNotFoundException")
	invalid        = refused("InvalidRequestException")
	exists         = refused("ResourceExistsException")
	deletedAlready = ok(`{"DeletedDate":1795449600,"VersionIdsToStages":{"v1":["AWSCURRENT"]}}`)
	existing       = ok(`{"VersionIdsToStages":{"v0":["AWSPREVIOUS"],"v1":["AWSCURRENT"],"v2":[]}}`)
	written        = ok(`{"VersionId":"v1"}`)
)

func someToken() grant.RefreshToken {
	at := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	return grant.RefreshToken{Token: reltioauth.NewSecret(canary), LoggedInAt: at, Epoch: 7}
}

// operations are all methods, with what they do with an error.
func operations(m secrets.Manager) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Connection":        func(ctx context.Context) error { _, err := m.Connection(ctx, "acme"); return err },
		"ConnectionVersion": func(ctx context.Context) error { _, err := m.ConnectionVersion(ctx, "acme"); return err },
		"Current":           func(ctx context.Context) error { _, err := m.Current(ctx, "acme"); return err },
		"Version":           func(ctx context.Context) error { _, err := m.Version(ctx, "acme", "v1"); return err },
		"Put":               func(ctx context.Context) error { _, err := m.Put(ctx, "acme", someToken()); return err },
		"PutConnection": func(ctx context.Context) error {
			_, err := m.PutConnection(ctx, "acme", reltioauth.NewSecret(canary))
			return err
		},
		"ConnectionKey":    func(ctx context.Context) error { _, err := m.ConnectionKey(ctx, "acme"); return err },
		"DeleteConnection": func(ctx context.Context) error { return m.DeleteConnection(ctx, "acme") },
		"DeleteGrant":      func(ctx context.Context) error { return m.DeleteGrant(ctx, "acme") },
		"List":             func(ctx context.Context) error { _, err := m.List(ctx); return err },
	}
}

// wantNoCanary prints an error in every way and looks for what must not be
// there.
func wantNoCanary(t *testing.T, err error) {
	t.Helper()
	if out := logtest.Printed(err); strings.Contains(out, canary) {
		t.Errorf("a secret comes out in %s", out)
	}
}
