package secrets_test

import (
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// canary stands in every secret here, so that one that comes out is found.
const canary = "c4n4ry"

func newClient(endpoint string, retryer aws.Retryer) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(aws.Config{
		Region:       "eu-central-1",
		Credentials:  engines.Credentials(),
		BaseEndpoint: aws.String(endpoint),
		Retryer:      func() aws.Retryer { return retryer },
	})
}

// newManager is a Manager of its own in the engine at the endpoint.
// It repeats, as the functions do, what a busy engine's connection lost.
func newManager(endpoint string) secrets.Manager {
	return secrets.Manager{Client: newClient(endpoint, retry.NewStandard()), Prefix: "test/" + rand.Text()}
}

func TestSecretsManager(t *testing.T) {
	endpoint := engines.Moto(t)
	storetest.RunSecrets(t, func(testing.TB) storetest.Secrets { return newManager(endpoint) })
}

// What others read in Secrets Manager is exact, letter by letter.
func TestStoredForm(t *testing.T) {
	m := newManager(engines.Moto(t))
	for name, test := range map[string]struct {
		token grant.RefreshToken
		want  string
	}{
		"usual": {
			grant.RefreshToken{Token: reltioauth.NewSecret("5e3d"), LoggedInAt: time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC), Epoch: 7},
			`{"refresh_token":"5e3d","logged_in_at":"2026-11-23T16:00:00Z","epoch":7}`,
		},
		"milliseconds": {
			grant.RefreshToken{Token: reltioauth.NewSecret("5e3d"), LoggedInAt: time.Date(2026, 11, 23, 17, 0, 0, 123_456_789, time.FixedZone("CET", 3600)), Epoch: 7},
			`{"refresh_token":"5e3d","logged_in_at":"2026-11-23T16:00:00.123Z","epoch":7}`,
		},
		"characters that JSON for browsers escapes": {
			grant.RefreshToken{Token: reltioauth.NewSecret(`<&>"\`), LoggedInAt: time.Unix(0, 0), Epoch: 0},
			`{"refresh_token":"<&>\"\\","logged_in_at":"1970-01-01T00:00:00Z","epoch":0}`,
		},
		"whose it is": {
			grant.RefreshToken{Token: reltioauth.NewSecret("5e3d"), LoggedInAt: time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC), Epoch: 7, Identity: "1d<>"},
			`{"refresh_token":"5e3d","logged_in_at":"2026-11-23T16:00:00Z","epoch":7,"identity":"1d<>"}`,
		},
		"tombstone": {
			grant.RefreshToken{LoggedInAt: time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC), Epoch: 8},
			`{"refresh_token":"","logged_in_at":"2026-11-23T16:00:00Z","epoch":8}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			version, err := m.Put(t.Context(), "acme", test.token)
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.Client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
				SecretId: aws.String(m.Prefix + "/grants/acme"), VersionStage: aws.String("AWSCURRENT"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := aws.ToString(out.SecretString); got != test.want {
				t.Errorf("stored %s\nwant   %s", got, test.want)
			}
			if got := aws.ToString(out.VersionId); got != version || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(got) {
				t.Errorf("version %q, Put returned %q; want one of 64 hexadecimal digits", got, version)
			}
		})
	}
}

func TestConnectionsLieWhereOperatorsWriteThem(t *testing.T) {
	m := newManager(engines.Moto(t))
	out, err := m.Client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(m.Prefix + "/connections/acme-prod"), SecretString: aws.String(canary),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Connection(t.Context(), "acme-prod")
	if err != nil || got.Value.Reveal() != canary || got.Version != aws.ToString(out.VersionId) {
		t.Errorf("Connection = version %q, %v; want %q with the text", got.Version, err, aws.ToString(out.VersionId))
	}
}

func TestBinarySecretIsText(t *testing.T) {
	m := newManager(engines.Moto(t))
	text := `{"grant_type":"client_credentials"}`
	_, err := m.Client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(m.Prefix + "/connections/acme"), SecretBinary: []byte(text),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Connection(t.Context(), "acme")
	if err != nil || got.Value.Reveal() != text {
		t.Errorf("Connection = %v, want its bytes as text", err)
	}
}

func TestSecretWithoutValueIsMissing(t *testing.T) {
	m := newManager(engines.Moto(t))
	for _, id := range []string{"/connections/acme", "/grants/acme"} {
		_, err := m.Client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(m.Prefix + id)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Connection(t.Context(), "acme"); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Connection: %v, want %v", err, connection.ErrNotFound)
	}
	if _, err := m.ConnectionVersion(t.Context(), "acme"); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("ConnectionVersion: %v, want %v", err, connection.ErrNotFound)
	}
	if _, err := m.Current(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("Current: %v, want %v", err, grant.ErrNotFound)
	}
}

func TestGrantReading(t *testing.T) {
	m := newManager(engines.Moto(t))
	const good = `"logged_in_at":"2026-11-23T16:00:00Z","epoch":7`
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{
		"whose it is":            {`{"refresh_token":"` + canary + `",` + good + `,"identity":"i"}`, true},
		"whose, a number":        {`{"refresh_token":"` + canary + `",` + good + `,"identity":7}`, false},
		"whose, null":            {`{"refresh_token":"` + canary + `",` + good + `,"identity":null}`, false},
		"the highest epoch":      {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z","epoch":4611686018427387904}`, false},
		"an epoch too high":      {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z","epoch":9223372036854775807}`, false},
		"an epoch out of reach":  {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z","epoch":9223372036854775808}`, false},
		"as written":             {`{"refresh_token":"` + canary + `",` + good + `}`, true},
		"other fields":           {`{"later":{"a":[1]},"refresh_token":"` + canary + `",` + good + `,"x":null}`, true},
		"spaces":                 {" {\n\"refresh_token\" : \"" + canary + "\", " + good + "}\n", true},
		"another zone":           {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T17:00:00+01:00","epoch":7}`, true},
		"not JSON":               {canary, false},
		"cut off":                {`{"refresh_token":"` + canary, false},
		"something after it":     {`{"refresh_token":"` + canary + `",` + good + `} x`, false},
		"null":                   {`null`, false},
		"a list":                 {`["` + canary + `"]`, false},
		"no token":               {`{` + good + `}`, false},
		"token null":             {`{"refresh_token":null,` + good + `}`, false},
		"token a number":         {`{"refresh_token":1,` + good + `}`, false},
		"token twice":            {`{"refresh_token":"a","refresh_token":"` + canary + `",` + good + `}`, false},
		"token in other letters": {`{"Refresh_Token":"` + canary + `",` + good + `}`, false},
		"no login":               {`{"refresh_token":"` + canary + `","epoch":7}`, false},
		"login null":             {`{"refresh_token":"` + canary + `","logged_in_at":null,"epoch":7}`, false},
		"login a number":         {`{"refresh_token":"` + canary + `","logged_in_at":1795449600,"epoch":7}`, false},
		"login a date":           {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23","epoch":7}`, false},
		"no epoch":               {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z"}`, false},
		"epoch a fraction":       {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z","epoch":7.5}`, false},
		"epoch a text":           {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z","epoch":"7"}`, false},
		"epoch below zero":       {`{"refresh_token":"` + canary + `","logged_in_at":"2026-11-23T16:00:00Z","epoch":-1}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			secret := strings.NewReplacer(" ", "-", ",", "").Replace(name)
			version := putRaw(t, m, "/grants/"+secret, test.text)
			got, err := m.Current(t.Context(), secret)
			if !test.ok {
				_, byVersion := m.Version(t.Context(), secret, version)
				for _, err := range []error{err, byVersion} {
					wantFault(t, err, "StoreUnavailable: Secrets Manager: the grant's secret is unreadable")
					if !errors.Is(err, grant.ErrUnreadable) || errors.Is(err, grant.ErrNotFound) {
						t.Errorf("error %v, want one that matches %v", err, grant.ErrUnreadable)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
			if got.Token.Reveal() != canary || !got.LoggedInAt.Equal(at) || got.Epoch != 7 || got.Version != version ||
				(got.Identity == "i") != strings.Contains(test.text, "identity") {
				t.Errorf("Current = %v, epoch %d, version %q, identity %q", got.LoggedInAt, got.Epoch, got.Version, got.Identity)
			}
		})
	}
}

func TestGrantScheduledForDeletionIsNotMissing(t *testing.T) {
	m := newManager(engines.Moto(t))
	version, err := m.Put(t.Context(), "acme", grant.RefreshToken{Token: reltioauth.NewSecret(canary)})
	if err != nil {
		t.Fatal(err)
	}
	id := aws.String(m.Prefix + "/grants/acme")
	if _, err := m.Client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id}); err != nil {
		t.Fatal(err)
	}
	_, err = m.Current(t.Context(), "acme")
	wantFault(t, err, scheduled)
	_, err = m.Version(t.Context(), "acme", version)
	wantFault(t, err, scheduled)

	if _, err := m.Client.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: id}); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Current(t.Context(), "acme"); err != nil || got.Version != version {
		t.Errorf("restored: version %q, %v; want %q", got.Version, err, version)
	}
}

func TestGrantScheduledForDeletionCanBeDeletedForGood(t *testing.T) {
	m := newManager(engines.Moto(t))
	r := grant.RefreshToken{Token: reltioauth.NewSecret(canary)}
	if _, err := m.Put(t.Context(), "acme", r); err != nil {
		t.Fatal(err)
	}
	_, err := m.Client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String(m.Prefix + "/grants/acme")})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteGrant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Current(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("Current: %v, want %v", err, grant.ErrNotFound)
	}
}

func TestDeletedConnectionCanBeRestored(t *testing.T) {
	m := newManager(engines.Moto(t))
	if _, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary)); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteConnection(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	id := aws.String(m.Prefix + "/connections/acme")
	if _, err := m.Client.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: id}); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Connection(t.Context(), "acme"); err != nil || got.Value.Reveal() != canary {
		t.Errorf("restored by an operator: %v, want the secret", err)
	}
}

// One key for both secrets of a connection, whichever writer creates them.
func TestAGrantHasTheKeyOfItsConnection(t *testing.T) {
	for name, key := range map[string]string{"the stack's key": "alias/reltio-tokens", "the account's own key": ""} {
		t.Run(name, func(t *testing.T) {
			operator := newManager(engines.Moto(t))
			operator.KMSKeyID = key
			if _, err := operator.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary)); err != nil {
				t.Fatal(err)
			}
			function := operator
			function.KMSKeyID = "" // it is told of no key
			for range 2 {
				if _, err := function.Put(t.Context(), "acme", someToken()); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []string{"/connections/acme", "/grants/acme"} {
				if got := keyOf(t, operator, id); got != key {
					t.Errorf("%s: key %q, want %q", id, got, key)
				}
			}
		})
	}
}

// What the server gave for a connection that is being deleted is still stored.
func TestAGrantOfADeletedConnectionIsStored(t *testing.T) {
	m := newManager(engines.Moto(t))
	m.KMSKeyID = "alias/reltio-tokens"
	if _, err := m.PutConnection(t.Context(), "scheduled", reltioauth.NewSecret(canary)); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteConnection(t.Context(), "scheduled"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"scheduled": m.KMSKeyID, "never-there": ""} {
		if _, err := m.Put(t.Context(), name, someToken()); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := keyOf(t, m, "/grants/"+name); got != want {
			t.Errorf("%s: key %q, want %q", name, got, want)
		}
	}
}

// keyOf is the key that a secret says it has.
func keyOf(t *testing.T, m secrets.Manager, id string) string {
	t.Helper()
	out, err := m.Client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(m.Prefix + id)})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.KmsKeyId)
}

func TestListShowsConnectionsAlone(t *testing.T) {
	m := newManager(engines.Moto(t))
	for _, id := range []string{"/connections/acme", "/connections/Not-A-Name", "/connections/sub/name", "/grants/other", "-2/connections/other"} {
		putRaw(t, m, id, canary)
	}
	got, err := m.List(t.Context())
	if err != nil || len(got) != 1 || got[0] != "acme" {
		t.Errorf("List = %q, %v; want acme alone", got, err)
	}
}

const scheduled = "StoreUnavailable: Secrets Manager: the grant's secret is scheduled for deletion: " +
	"restore it, or delete it without a recovery window"

// putRaw writes a secret as another program would, and returns its version.
func putRaw(t *testing.T, m secrets.Manager, id, text string) string {
	t.Helper()
	out, err := m.Client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(m.Prefix + id), SecretString: aws.String(text),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.VersionId)
}

// wantFault compares an error, which must be a StoreUnavailable that shows
// nothing else however it is printed.
func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := err.Error(); got != want {
		t.Errorf("error %s\nwant  %s", got, want)
	}
	if got := apierr.Of(err).Type; got != apierr.StoreUnavailable {
		t.Errorf("type %s, want %s", got, apierr.StoreUnavailable)
	}
	wantNoCanary(t, err)
}
