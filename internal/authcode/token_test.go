package authcode_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// secretsManager answers every call with one error of AWS's, or with one value;
// without both the connection breaks.
type secretsManager struct{ code, value string }

// Do implements the SDK's HTTP client.
func (s secretsManager) Do(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, s.value
	switch {
	case s.code != "":
		status, body = http.StatusBadRequest, fmt.Sprintf(`{"__type":%q,"Message":"canary"}`, s.code)
	case s.value == "":
		return nil, errors.New("canary: connection reset")
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// manager is the adapter before it.
func (s secretsManager) manager() secrets.Manager {
	return secrets.Manager{Prefix: "stack", Client: secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", Credentials: aws.AnonymousCredentials{}, HTTPClient: s, RetryMaxAttempts: 1,
	})}
}

// awayStore cannot be read while away is set.
type awayStore struct {
	*outside
	away *secretsManager
}

func (v *awayStore) Current(ctx context.Context, name string) (grant.RefreshToken, error) {
	if v.away != nil {
		return v.away.manager().Current(ctx, name)
	}
	return v.outside.Current(ctx, name)
}

// A Secrets Manager that cannot be read costs no code: nothing is sent, neither
// lease nor request is taken, and the same address works as soon as Secrets
// Manager does.
func TestAnUnreadableRefreshTokenKeepsTheLogin(t *testing.T) {
	tests := map[string]struct {
		answer secretsManager
		says   string // in the log
	}{
		"no permission":            {secretsManager{code: "AccessDeniedException"}, "AccessDeniedException"},
		"no decryption":            {secretsManager{code: "DecryptionFailure"}, "DecryptionFailure"},
		"the key is disabled":      {secretsManager{code: "KMSInvalidStateException"}, "KMSInvalidStateException"},
		"a permission of the key":  {secretsManager{code: "KMSAccessDeniedException"}, "KMSAccessDeniedException"},
		"throttled":                {secretsManager{code: "ThrottlingException"}, "ThrottlingException"},
		"a failure of AWS":         {secretsManager{code: "InternalServiceError"}, "InternalServiceError"},
		"an invalid request":       {secretsManager{code: "InvalidRequestException"}, "InvalidRequestException"},
		"an invalid parameter":     {secretsManager{code: "InvalidParameterException"}, "InvalidParameterException"},
		"credentials have expired": {secretsManager{code: "ExpiredTokenException"}, "ExpiredTokenException"},
		"an unknown client":        {secretsManager{code: "UnrecognizedClientException"}, "UnrecognizedClientException"},
		"no connection":            {secretsManager{}, "no usable answer"},
		"no JSON":                  {secretsManager{value: "<html>"}, "no usable answer"},
		"not a refresh token":      {secretsManager{value: `{"SecretString":"canary","VersionId":"1"}`}, "unreadable"},
	}
	for name, test := range tests {
		for kind, prepare := range map[string]func(w *world){
			"first login":      func(*world) {},
			"another login":    func(w *world) { w.connected("ann") },
			"another identity": func(w *world) { w.connected("ben"); w.connect("acme", with(secret(), "tenant_id", "tenant-2")) },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(w *world) {
					prepare(w)
					newestToken := &awayStore{outside: w.out, away: &test.answer}
					w.flow.RefreshTokens = newestToken
					before, sent := w.grant(), w.exchanges()
					cb := w.login(w.begin(w.invite()), "ann")
					for range 2 {
						a := w.complete(cb)
						w.expect(a, authcode.StoreFailing)
						if a.RetryAfter != 10*time.Second || !strings.Contains(a.Err.Error(), test.says) || strings.Contains(a.Err.Error(), "canary") {
							t.Errorf("retry after %s, %v; want 10 s and %q", a.RetryAfter, a.Err, test.says)
						}
					}
					w.wantExchanges(sent)
					if after := w.grant(); after.Epoch != before.Epoch || after.Identity != before.Identity {
						t.Errorf("grant %+v, want it untouched", after)
					}
					newestToken.away = nil
					w.expect(w.complete(cb), authcode.Done)
					w.wantExchanges(sent + 1)
				})
			})
		}
	}
}

// A Secrets Manager that never had a refresh token, or has lost it, is no
// failure.
func TestSecretsManagerWithoutARefreshToken(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		newestToken := &awayStore{outside: w.out, away: &secretsManager{code: "ResourceNotFoundException"}}
		w.flow.RefreshTokens = newestToken
		w.expect(w.complete(cb), authcode.Done)
	})
}

// If Secrets Manager fails for a while after the exchange, no login is lost: the
// values read before the exchange are used, and the write is repeated.
func TestSecretsManagerFailsAfterTheExchange(t *testing.T) {
	for name, test := range map[string]struct {
		op    string
		lasts time.Duration
	}{
		"a read, for long":          {"Current", time.Hour},
		"a read of what is parked":  {"Parked", time.Hour},
		"a write, for a moment":     {"Put", 50 * time.Millisecond},
		"a write, for almost 2 s":   {"Put", 1900 * time.Millisecond},
		"forgetting what is parked": {"Unpark", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connected("ann")
				cb := w.login(w.begin(w.invite()), "ann")
				sent := w.exchanges()
				w.out.before = w.failsAfter(sent, test.lasts, test.op)
				a := w.complete(cb)
				w.expect(a, authcode.Done)
				if a.Parked || a.Err != nil {
					t.Errorf("parked %v, error %v; want neither", a.Parked, a.Err)
				}
				w.wantExchanges(sent + 1)
				w.wantUsable()
			})
		})
	}
}

// failsAfter fails operations for so long from the first of them on, once the
// code has been exchanged.
func (w *world) failsAfter(sent int, lasts time.Duration, ops ...string) func(string) error {
	failed := time.Time{}
	return func(op string) error {
		if !slices.Contains(ops, op) || w.exchanges() == sent {
			return nil
		}
		if failed.IsZero() {
			failed = time.Now()
		}
		if time.Since(failed) < lasts {
			return errDown()
		}
		return nil
	}
}

// wantUsable: the grant's access token is valid, and its refresh token is in
// Secrets Manager, or parked.
func (w *world) wantUsable() {
	w.t.Helper()
	newest := w.newestToken()
	if parked, err := w.table.Parked(w.t.Context(), "acme"); err == nil && parked.Epoch > newest.Epoch {
		newest = parked
	}
	if g := w.grant(); !w.server.Valid(g.AccessToken) || g.RefreshFingerprint != newest.Fingerprint() || g.RefreshFingerprint == "" {
		w.t.Errorf("refresh token %s, newest %s, access token alive %v",
			g.RefreshFingerprint, newest.Fingerprint(), w.server.Valid(g.AccessToken))
	}
}

// A callback knows what it has written even if Secrets Manager cannot be read any
// more: the new refresh token comes before the tombstone of another identity's.
func TestATombstoneIsKnownWithoutAnotherRead(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		stray := grant.RefreshToken{Token: w.newestToken().Token, LoggedInAt: time.Now(), Epoch: 40} // of a table that was restored
		if _, err := w.secrets.Put(t.Context(), "acme", stray); err != nil {
			t.Fatal(err)
		}
		w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
		sent := w.exchanges()
		w.out.before = func(op string) error {
			if op == "Current" && w.exchanges() > sent {
				return errDown()
			}
			return nil
		}
		w.expect(w.journey(w.invite(), "ben"), authcode.Done)
		if got := w.newestToken().Epoch; got != 42 {
			t.Errorf("epoch %d, want 42, above the tombstone's 41", got)
		}
	})
}
