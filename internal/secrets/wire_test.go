package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/secrets"
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

// scripted is a server that gives the answers of each action in turn, the last
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
	list     = "ListSecrets"
)

var (
	missing        = refused("ResourceNotFoundException")
	invalid        = refused("InvalidRequestException")
	exists         = refused("ResourceExistsException")
	deletedAlready = ok(`{"DeletedDate":1795449600,"VersionIdsToStages":{"v1":["AWSCURRENT"]}}`)
	living         = ok(`{"VersionIdsToStages":{"v0":["AWSPREVIOUS"],"v1":["AWSCURRENT"],"v2":[]}}`)
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
		"DeleteConnection": func(ctx context.Context) error { return m.DeleteConnection(ctx, "acme") },
		"DeleteGrant":      func(ctx context.Context) error { return m.DeleteGrant(ctx, "acme") },
		"List":             func(ctx context.Context) error { _, err := m.List(ctx); return err },
	}
}

func TestEveryFailureIsStoreUnavailableAndSaysNothing(t *testing.T) {
	for name, test := range map[string]struct {
		answer answer
		want   string
	}{
		"denied":             {refused("AccessDeniedException"), "AccessDeniedException"},
		"no key":             {refused("DecryptionFailure"), "DecryptionFailure"},
		"throttled":          {refused("ThrottlingException"), "ThrottlingException"},
		"broken inside":      {answer{http.StatusInternalServerError, `{"__type":"InternalServiceError","message":"` + canary + `"}`}, "InternalServiceError"},
		"invalid parameter":  {refused("InvalidParameterException"), "InvalidParameterException"},
		"a code nobody uses": {refused(canary + " <script>"), "no usable answer"},
		"garbage":            {ok(`{"SecretString":"` + canary), "no usable answer"},
		"a broken line":      {answer{}, "no usable answer"},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string][]answer{}
			for _, action := range []string{get, put, create, describe, remove, restore, list} {
				all[action] = []answer{test.answer}
			}
			_, m := play(t, all)
			for operation, call := range operations(m) {
				t.Run(operation, func(t *testing.T) {
					wantFault(t, call(t.Context()), "StoreUnavailable: Secrets Manager: "+test.want)
				})
			}
		})
	}
}

func TestContextEndsACall(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	m := secrets.Manager{Client: newClient(server.URL, aws.NopRetryer{}), Prefix: "rt"}
	for operation, call := range operations(m) {
		t.Run(operation, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			err := call(ctx)
			wantFault(t, err, "StoreUnavailable: Secrets Manager: no answer in time")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v does not tell that the context ended", err)
			}
		})
	}
}

func TestEveryReadNamesAVersion(t *testing.T) {
	s, m := play(t, nil)
	for _, call := range operations(m) {
		_ = call(t.Context())
	}
	reads := 0
	for _, c := range s.seen() {
		if c.Action != get {
			continue
		}
		reads++
		if (c.VersionID == "") == (c.VersionStage == "") {
			t.Errorf("read of %s with version %q and stage %q, want one of the two", c.SecretID, c.VersionID, c.VersionStage)
		}
	}
	if reads != 3 {
		t.Errorf("%d reads, want 3", reads)
	}
}

// A code that has several meanings must not forget a connection.
func TestInvalidRequestIsNotTakenForADeletion(t *testing.T) {
	const unclear = "StoreUnavailable: Secrets Manager: InvalidRequestException"
	for name, test := range map[string]struct {
		described answer
		want      error
	}{
		"it is scheduled for deletion": {deletedAlready, connection.ErrNotFound},
		"it is gone":                   {missing, connection.ErrNotFound},
		"it is not":                    {living, nil},
		"nobody may say":               {refused("AccessDeniedException"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, m := play(t, map[string][]answer{get: {invalid}, remove: {invalid}, describe: {test.described}})
			_, readErr := m.Connection(t.Context(), "acme")
			for _, err := range []error{readErr, m.DeleteConnection(t.Context(), "acme")} {
				if test.want == nil {
					wantFault(t, err, unclear)
				} else if !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
			}
		})
	}
}

func TestPut(t *testing.T) {
	for name, test := range map[string]struct {
		answers map[string][]answer
		want    []string
		err     string
	}{
		"there is a secret": {map[string][]answer{put: {written}}, []string{put}, ""},
		"there is none":     {map[string][]answer{put: {missing}, create: {written}}, []string{put, create}, ""},
		"somebody else creates it meanwhile": {
			map[string][]answer{put: {missing, written}, create: {exists}},
			[]string{put, create, put}, "",
		},
		"somebody else creates and deletes it meanwhile": {
			map[string][]answer{put: {missing}, create: {exists}},
			[]string{put, create, put}, "StoreUnavailable: Secrets Manager: the version of the grant's secret that holds the refresh token is not there",
		},
		"it is scheduled for deletion": {
			map[string][]answer{put: {invalid}, describe: {deletedAlready}},
			[]string{put, describe}, scheduled,
		},
		"it is deleted in this moment": {
			map[string][]answer{put: {missing}, create: {invalid}, describe: {deletedAlready}},
			[]string{put, create, describe}, scheduled,
		},
		"the version holds something else": {
			map[string][]answer{put: {exists}},
			[]string{put}, "StoreUnavailable: Secrets Manager: ResourceExistsException",
		},
		"it may not be created": {
			map[string][]answer{put: {missing}, create: {refused("AccessDeniedException")}},
			[]string{put, create}, "StoreUnavailable: Secrets Manager: AccessDeniedException",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := play(t, test.answers)
			version, err := m.Put(t.Context(), "acme", someToken())
			if diff := cmp.Diff(test.want, s.actions()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			wantOneVersion(t, s.seen())
			if test.err != "" {
				wantFault(t, err, test.err)
			} else if err != nil || version != "v1" {
				t.Errorf("Put = %q, %v; want v1", version, err)
			}
		})
	}
}

// wantOneVersion: all attempts to write carry the same version and text, so that
// no two of them make two versions.
func wantOneVersion(t *testing.T, calls []call) {
	t.Helper()
	for _, c := range calls {
		if c.Action != put && c.Action != create {
			continue
		}
		if c.ClientRequestToken != calls[0].ClientRequestToken || c.SecretString != calls[0].SecretString {
			t.Errorf("%s writes another version than the first call", c.Action)
		}
		if len(c.ClientRequestToken) != 64 || strings.Contains(c.ClientRequestToken, canary) {
			t.Errorf("version %q, want 64 characters", c.ClientRequestToken)
		}
		if c.Action == put && !cmp.Equal(c.VersionStages, []string{"AWSCURRENT"}) {
			t.Errorf("stages %q, want AWSCURRENT", c.VersionStages)
		}
		if got := c.SecretID + c.Name; got != "rt/grants/acme" {
			t.Errorf("secret %q, want rt/grants/acme", got)
		}
	}
}

func TestALostAnswerMakesNoSecondVersion(t *testing.T) {
	s := &scripted{answers: map[string][]answer{put: {{}, {}, written}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	again := retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
	m := secrets.Manager{Client: newClient(server.URL, again), Prefix: "rt"}
	version, err := m.Put(t.Context(), "acme", someToken())
	if err != nil || version != "v1" {
		t.Errorf("Put = %q, %v; want v1", version, err)
	}
	if got := s.actions(); len(got) != 3 {
		t.Errorf("calls %q, want three attempts", got)
	}
	wantOneVersion(t, s.seen())
}

func TestVersionOfNothingAsksNobody(t *testing.T) {
	s, m := play(t, nil)
	_, err := m.Version(t.Context(), "acme", "")
	wantFault(t, err, "StoreUnavailable: Secrets Manager: the version of the grant's secret that holds the refresh token is not there")
	if got := s.actions(); len(got) != 0 {
		t.Errorf("calls %q, want none", got)
	}
}

func TestPutConnection(t *testing.T) {
	for name, test := range map[string]struct {
		answers map[string][]answer
		want    []string
		err     string
	}{
		"new":       {map[string][]answer{describe: {missing}, put: {missing}, create: {written}}, []string{describe, put, create}, ""},
		"known":     {map[string][]answer{describe: {living}, put: {written}}, []string{describe, put}, ""},
		"scheduled": {map[string][]answer{describe: {deletedAlready}, restore: {ok(`{}`)}, put: {written}}, []string{describe, restore, put}, ""},
		"scheduled, and may not be restored": {
			map[string][]answer{describe: {deletedAlready}},
			[]string{describe, restore}, "StoreUnavailable: Secrets Manager: AccessDeniedException",
		},
		"scheduled just now": {
			map[string][]answer{describe: {living, deletedAlready}, put: {invalid}},
			[]string{describe, put, describe}, "StoreUnavailable: Secrets Manager: the secret is scheduled for deletion",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := play(t, test.answers)
			version, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary))
			if diff := cmp.Diff(test.want, s.actions()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if test.err != "" {
				wantFault(t, err, test.err)
			} else if err != nil || version != "v1" {
				t.Errorf("PutConnection = %q, %v; want v1", version, err)
			}
		})
	}
}

// An operator who goes back to what was there before means it.
func TestPutConnectionNamesEachVersionAnew(t *testing.T) {
	s, m := play(t, map[string][]answer{describe: {living}, put: {written}})
	for range 2 {
		if _, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary)); err != nil {
			t.Fatal(err)
		}
	}
	calls := s.seen()
	if first, second := calls[1].ClientRequestToken, calls[3].ClientRequestToken; first == second || first == "" {
		t.Errorf("versions %q and %q, want two", first, second)
	}
}

func TestDeletingAMissingGrantIsNoError(t *testing.T) {
	_, m := play(t, map[string][]answer{remove: {missing}})
	if err := m.DeleteGrant(t.Context(), "acme"); err != nil {
		t.Errorf("DeleteGrant: %v", err)
	}
}

// wantNoCanary prints an error in every way and looks for what must not be
// there.
func wantNoCanary(t *testing.T, err error) {
	t.Helper()
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Error("failed", "error", err, "fault", fault.Of(err))
	_, _ = fmt.Fprintf(&out, "%s %v %+v %#v %q", err, err, err, err, err)
	if strings.Contains(out.String(), canary) {
		t.Errorf("a secret comes out in %s", out.String())
	}
}
