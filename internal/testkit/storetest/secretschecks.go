package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// token is a refresh token with the canary in it.
func token(text string, epoch int64) grant.RefreshToken {
	at := time.Date(2026, 11, 23, 16, 0, 0, 250e6, time.UTC)
	return grant.RefreshToken{Token: reltioauth.NewSecret(canary + text), LoggedInAt: at, Epoch: epoch}
}

// whose is a stored refresh token of an identity.
func whose(identity string, epoch int64) grant.RefreshToken {
	return grant.RefreshToken{Token: reltioauth.NewSecret(canary), LoggedInAt: start(), Epoch: epoch, Identity: identity}
}

func putConnection(t *testing.T, s Secrets, name string, text reltioauth.Secret) string {
	t.Helper()
	version, err := s.PutConnection(t.Context(), name, text)
	if err != nil {
		t.Fatalf("PutConnection(%s): %v", name, err)
	}
	return version
}

func readConnection(t *testing.T, s Secrets, name string) connection.Source {
	t.Helper()
	source, err := s.Connection(t.Context(), name)
	if err != nil {
		t.Fatalf("Connection(%s): %v", name, err)
	}
	return source
}

func wantNoConnection(t *testing.T, s Secrets, name string) {
	t.Helper()
	if _, err := s.Connection(t.Context(), name); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Connection(%s): %v, want %v", name, err, connection.ErrNotFound)
	}
	if _, err := s.ConnectionVersion(t.Context(), name); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("ConnectionVersion(%s): %v, want %v", name, err, connection.ErrNotFound)
	}
}

func put(t *testing.T, s Secrets, name string, r grant.RefreshToken) string {
	t.Helper()
	version, err := s.Put(t.Context(), name, r)
	if err != nil || version == "" {
		t.Fatalf("Put(%s) = version %q, %v", name, version, err)
	}
	return version
}

func current(t *testing.T, s Secrets, name string) grant.RefreshToken {
	t.Helper()
	r, err := s.Current(t.Context(), name)
	if err != nil {
		t.Fatalf("Current(%s): %v", name, err)
	}
	return r
}

func byVersion(t *testing.T, s Secrets, name, version string) grant.RefreshToken {
	t.Helper()
	r, err := s.Version(t.Context(), name, version)
	if err != nil {
		t.Fatalf("Version(%s): %v", name, err)
	}
	return r
}

// wantToken compares without showing a token.
func wantToken(t *testing.T, what string, got, want grant.RefreshToken) {
	t.Helper()
	if !got.Token.Equal(want.Token) {
		t.Errorf("%s: the refresh token is another", what)
	}
	type rest struct {
		LoggedInAt time.Time
		Epoch      int64
		Identity   string
		Version    string
		ParkedAt   time.Time
	}
	of := func(r grant.RefreshToken) rest { return rest{r.LoggedInAt, r.Epoch, r.Identity, r.Version, r.ParkedAt} }
	if diff := cmp.Diff(of(want), of(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if got.LoggedInAt.Location() != time.UTC {
		t.Errorf("%s: logged in at %v, want UTC", what, got.LoggedInAt)
	}
}

func wantNoToken(t *testing.T, s Secrets, name string) {
	t.Helper()
	if _, err := s.Current(t.Context(), name); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("Current(%s): %v, want %v", name, err, grant.ErrNotFound)
	}
}

// wantNoVersion: a pointer to nowhere is not found, and nothing else.
func wantNoVersion(t *testing.T, s Secrets, name, version string) {
	t.Helper()
	if _, err := s.Version(t.Context(), name, version); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("Version(%s, %q): %v, want %v", name, version, err, grant.ErrNotFound)
	}
}
