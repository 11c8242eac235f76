package secrets_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestEveryFailureIsStoreUnavailableAndSaysNothing(t *testing.T) {
	for name, test := range map[string]struct {
		answer answer
		want   string
	}{
		"denied":            {refused("AccessDeniedException"), "AccessDeniedException"},
		"no key":            {refused("DecryptionFailure"), "DecryptionFailure"},
		"throttled":         {refused("ThrottlingException"), "ThrottlingException"},
		"broken inside":     {answer{http.StatusInternalServerError, `{"__type":"InternalServiceError","message":"` + canary + `"}`}, "InternalServiceError"},
		"invalid parameter": {refused("InvalidParameterException"), "InvalidParameterException"},
		"an unknown code":   {refused(canary + " <script>"), "no usable answer"},
		"garbage":           {ok(`{"SecretString":"` + canary), "no usable answer"},
		"a broken line":     {answer{}, "no usable answer"},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string][]answer{}
			for _, action := range []string{get, put, create, describe, remove, restore, tag, list} {
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
		"it is not":                    {existing, nil},
		"the question is denied":       {refused("AccessDeniedException"), nil},
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
		"there is none":     {map[string][]answer{put: {missing}, describe: {existing}, create: {written}}, []string{put, describe, create}, ""},
		"there is none, and the key is unknown": {
			map[string][]answer{put: {missing}, describe: {refused("ThrottlingException")}},
			[]string{put, describe},
			"StoreUnavailable: Secrets Manager: ThrottlingException",
		},
		"another writer creates it meanwhile": {
			map[string][]answer{put: {missing, written}, describe: {existing}, create: {exists}},
			[]string{put, describe, create, put},
			"",
		},
		"another writer creates and deletes it meanwhile": {
			map[string][]answer{put: {missing}, describe: {existing}, create: {exists}},
			[]string{put, describe, create, put},
			"StoreUnavailable: Secrets Manager: the secret is missing",
		},
		"it is scheduled for deletion": {
			map[string][]answer{put: {invalid}, describe: {deletedAlready}},
			[]string{put, describe},
			scheduled,
		},
		"it is deleted in this moment": {
			map[string][]answer{put: {missing}, create: {invalid}, describe: {existing, deletedAlready}},
			[]string{put, describe, create, describe},
			scheduled,
		},
		"the version holds something else": {
			map[string][]answer{put: {exists}},
			[]string{put},
			"StoreUnavailable: Secrets Manager: ResourceExistsException",
		},
		"it may not be created": {
			map[string][]answer{put: {missing}, describe: {existing}, create: {refused("AccessDeniedException")}},
			[]string{put, describe, create},
			"StoreUnavailable: Secrets Manager: AccessDeniedException",
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

func TestVersionOfNothingAsksNoServer(t *testing.T) {
	s, m := play(t, nil)
	_, err := m.Version(t.Context(), "acme", "")
	if !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("error %v, want %v", err, grant.ErrNotFound)
	}
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
		"known":     {map[string][]answer{describe: {existing}, put: {written}}, []string{describe, put}, ""},
		"scheduled": {map[string][]answer{describe: {deletedAlready}, restore: {ok(`{}`)}, put: {written}}, []string{describe, restore, put}, ""},
		"scheduled, and may not be restored": {
			map[string][]answer{describe: {deletedAlready}},
			[]string{describe, restore},
			"StoreUnavailable: Secrets Manager: AccessDeniedException",
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
func TestPutConnectionNamesEachVersionAgain(t *testing.T) {
	s, m := play(t, map[string][]answer{describe: {existing}, put: {written}})
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
