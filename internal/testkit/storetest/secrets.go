package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Secrets is a store of connections and refresh tokens, with what an operator
// does to it.
type Secrets interface {
	connection.Secrets
	grant.RefreshTokenStore

	PutConnection(ctx context.Context, name string, text reltioauth.Secret) (version string, err error)
	DeleteConnection(ctx context.Context, name string) error
	List(ctx context.Context) ([]string, error)
	DeleteGrant(ctx context.Context, name string) error
}

// canary is in each secret of the suite, so that a secret in an error is found.
const canary = "c4n4ry"

// RunSecrets runs the contract of connection.Secrets and
// grant.RefreshTokenStore. open returns an empty store; it is called once for
// each promise, and calls are made one after the other.
func RunSecrets(t *testing.T, open func(t testing.TB) Secrets) {
	t.Helper()
	for name, promise := range map[string]func(*testing.T, Secrets){
		"a connection comes back as it was written":     connectionComesBack,
		"a new secret is a new version":                 connectionChanges,
		"what is missing is not found":                  connectionMissing,
		"a deleted connection is not found":             connectionDeleted,
		"connections are listed":                        connectionsListed,
		"a refresh token comes back":                    tokenComesBack,
		"the newest version counts, the last one stays": tokenChanges,
		"what is repeated is stored once":               tokenRepeated,
		"any difference is a new version":               tokenDiffers,
		"a tombstone is a version":                      tombstone,
		"whose a refresh token is comes back":           identityComesBack,
		"a store without a secret":                      tokenMissing,
		"a deleted grant begins again":                  grantDeleted,
		"names do not meet":                             namesApart,
	} {
		t.Run(name, func(t *testing.T) { promise(t, open(t)) })
	}
}

func connectionComesBack(t *testing.T, s Secrets) {
	text := reltioauth.NewSecret(" {\n\t\"client_secret\": \"" + canary + " <&> é \u2028 \\u00e9\"}\n")
	version := putConnection(t, s, "acme-prod", text)
	got := readConnection(t, s, "acme-prod")
	if !got.Value.Equal(text) {
		t.Error("the secret is not what was written")
	}
	if got.Version != version || version == "" {
		t.Errorf("version %q, want %q of the write", got.Version, version)
	}
}

func connectionChanges(t *testing.T, s Secrets) {
	var seen []string
	for i := range 3 {
		text := reltioauth.NewSecret(fmt.Sprintf(`{"client_secret":"%s-%d"}`, canary, i%2))
		version := putConnection(t, s, "acme", text)
		got := readConnection(t, s, "acme")
		if !got.Value.Equal(text) {
			t.Errorf("write %d: the secret is not the one last written", i)
		}
		described, err := s.ConnectionVersion(t.Context(), "acme")
		if err != nil || described != got.Version || described != version {
			t.Errorf("write %d: versions %q written, %q read, %q described (%v); want one", i, version, got.Version, described, err)
		}
		for _, old := range seen {
			if old == version {
				t.Errorf("write %d: version %q was there before", i, version)
			}
		}
		seen = append(seen, version)
	}
}

func connectionMissing(t *testing.T, s Secrets) {
	putConnection(t, s, "acme", reltioauth.NewSecret(canary))
	wantNoConnection(t, s, "acm")
	wantNoConnection(t, s, "acme2")
	if err := s.DeleteConnection(t.Context(), "acme2"); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("deleting what is missing: %v, want %v", err, connection.ErrNotFound)
	}
}

func connectionDeleted(t *testing.T, s Secrets) {
	putConnection(t, s, "acme", reltioauth.NewSecret(canary+"-1"))
	if err := s.DeleteConnection(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	wantNoConnection(t, s, "acme")
	if err := s.DeleteConnection(t.Context(), "acme"); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("deleting it again: %v, want %v", err, connection.ErrNotFound)
	}
	text := reltioauth.NewSecret(canary + "-2")
	putConnection(t, s, "acme", text)
	if got := readConnection(t, s, "acme"); !got.Value.Equal(text) {
		t.Error("written again, it is not what was written")
	}
}

func connectionsListed(t *testing.T, s Secrets) {
	want := make([]string, 0, 120)
	for i := range 120 { // more than a page of Secrets Manager
		name := fmt.Sprintf("c%03d", 119-i)
		putConnection(t, s, name, reltioauth.NewSecret(canary))
		want = append(want, fmt.Sprintf("c%03d", i))
	}
	putConnection(t, s, "deleted", reltioauth.NewSecret(canary))
	if err := s.DeleteConnection(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "only-a-grant", token("r", 1))
	got, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func tokenComesBack(t *testing.T, s Secrets) {
	var everything strings.Builder
	for r := '!'; r <= '~'; r++ {
		everything.WriteRune(r)
	}
	paris := time.FixedZone("CET", 3600)
	for name, want := range map[string]grant.RefreshToken{
		"usual":      token("5e3d2c1b", 7),
		"characters": token(everything.String(), 8),
		"long":       token(strings.Repeat("x", 16384), 9),
		"whole second": {
			Token: reltioauth.NewSecret("r"), LoggedInAt: time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC), Epoch: 1,
		},
		"half a second": {
			Token: reltioauth.NewSecret("r"), LoggedInAt: time.Date(2026, 11, 23, 16, 0, 0, 5e8, time.UTC), Epoch: 1,
		},
		"another zone, and finer than a millisecond": {
			Token: reltioauth.NewSecret("r"), LoggedInAt: time.Date(2026, 11, 23, 17, 0, 0, 123_999_999, paris), Epoch: 1,
		},
		"no time":      {Token: reltioauth.NewSecret("r"), Epoch: 0},
		"a high epoch": token("r", 1<<53+1),
	} {
		version := put(t, s, "acme", want)
		want.Version = version
		want.LoggedInAt = want.LoggedInAt.UTC().Truncate(time.Millisecond)
		wantToken(t, name+", the newest", current(t, s, "acme"), want)
		wantToken(t, name+", by version", byVersion(t, s, "acme", version), want)
	}
}

func tokenChanges(t *testing.T, s Secrets) {
	var last grant.RefreshToken
	for epoch := int64(1); epoch <= 4; epoch++ {
		next := token(fmt.Sprint("r", epoch), epoch)
		next.Version = put(t, s, "acme", next)
		wantToken(t, "the newest", current(t, s, "acme"), next)
		wantToken(t, "by version", byVersion(t, s, "acme", next.Version), next)
		if epoch > 1 {
			if next.Version == last.Version {
				t.Errorf("epoch %d has the version of the one before", epoch)
			}
			wantToken(t, "the one before", byVersion(t, s, "acme", last.Version), last)
		}
		last = next
	}
}

func tokenRepeated(t *testing.T, s Secrets) {
	first, second := token("r1", 1), token("r2", 2)
	first.Version = put(t, s, "acme", first)
	if again := put(t, s, "acme", first); again != first.Version {
		t.Errorf("repeated: version %q, want %q again", again, first.Version)
	}
	second.Version = put(t, s, "acme", second)
	if late := put(t, s, "acme", first); late != first.Version {
		t.Errorf("repeated late: version %q, want %q again", late, first.Version)
	}
	wantToken(t, "after a repetition that came late, the newest", current(t, s, "acme"), second)
	wantToken(t, "the one before", byVersion(t, s, "acme", first.Version), first)
}

func tokenDiffers(t *testing.T, s Secrets) {
	r := token("r1", 1)
	seen := map[string]string{put(t, s, "acme", r): "the first"}
	later := r
	later.LoggedInAt = r.LoggedInAt.Add(time.Millisecond)
	higher := r
	higher.Epoch++
	other := r
	other.Token = reltioauth.NewSecret(canary + "r2")
	identified := r
	identified.Identity = "identity"
	for name, r := range map[string]grant.RefreshToken{
		"a later login": later, "a higher epoch": higher, "another token": other, "an identity": identified,
	} {
		version := put(t, s, "acme", r)
		if twin, ok := seen[version]; ok {
			t.Errorf("%s has the version of %s", name, twin)
		}
		seen[version] = name
		r.Version = version
		wantToken(t, name, current(t, s, "acme"), r)
	}
}

func tombstone(t *testing.T, s Secrets) {
	r := token("r1", 1)
	r.Version = put(t, s, "acme", r)
	stone := grant.RefreshToken{LoggedInAt: r.LoggedInAt, Epoch: 2}
	stone.Version = put(t, s, "acme", stone)
	got := current(t, s, "acme")
	wantToken(t, "the tombstone", got, stone)
	if !got.Token.IsZero() || got.Fingerprint() != "" {
		t.Error("a tombstone has a token")
	}
	wantToken(t, "what came before", byVersion(t, s, "acme", r.Version), r)
}

// identityComesBack: a version that says whose it is comes back so, and one that
// does not, as releases before wrote it, says nothing.
func identityComesBack(t *testing.T, s Secrets) {
	for i, identity := range []string{"", "identity-1", strings.Repeat("f", 64), ""} {
		for _, r := range []grant.RefreshToken{
			whose(identity, int64(2*i)),
			{LoggedInAt: start(), Epoch: int64(2*i + 1), Identity: identity}, // a tombstone
		} {
			r.Version = put(t, s, "acme", r)
			wantToken(t, "the newest", current(t, s, "acme"), r)
			wantToken(t, "by version", byVersion(t, s, "acme", r.Version), r)
			if again := put(t, s, "acme", r); again != r.Version {
				t.Errorf("repeated: version %q, want %q again", again, r.Version)
			}
		}
	}
}

func tokenMissing(t *testing.T, s Secrets) {
	const nowhere = "00000000-0000-0000-0000-000000000000"
	wantNoToken(t, s, "acme")
	wantNoVersion(t, s, "acme", nowhere)
	version := put(t, s, "acme", token("r1", 1))
	wantNoVersion(t, s, "acme", nowhere)
	wantNoVersion(t, s, "acme", "")
	wantNoVersion(t, s, "other", version)
	wantNoToken(t, s, "other")
}

func grantDeleted(t *testing.T, s Secrets) {
	if err := s.DeleteGrant(t.Context(), "acme"); err != nil {
		t.Errorf("deleting what is missing: %v", err)
	}
	old := put(t, s, "acme", token("r1", 1))
	if err := s.DeleteGrant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	wantNoToken(t, s, "acme")
	wantNoVersion(t, s, "acme", old)
	next := token("r2", 2)
	next.Version = put(t, s, "acme", next)
	wantToken(t, "after the deletion", current(t, s, "acme"), next)
}

func namesApart(t *testing.T, s Secrets) {
	names := []string{"a", "a.b", "a-b", "a_b", "0", strings.Repeat("n", 64)}
	for i, name := range names {
		putConnection(t, s, name, reltioauth.NewSecret(fmt.Sprint(canary, i)))
		put(t, s, name, token(fmt.Sprint("r", i), int64(i)))
	}
	for i, name := range names {
		if got := readConnection(t, s, name); !got.Value.Equal(reltioauth.NewSecret(fmt.Sprint(canary, i))) {
			t.Errorf("%s: the connection is another's", name)
		}
		if got := current(t, s, name); got.Epoch != int64(i) {
			t.Errorf("%s: the refresh token has epoch %d, want %d", name, got.Epoch, i)
		}
	}
	if err := s.DeleteConnection(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := current(t, s, "a"); got.Epoch != 0 {
		t.Error("the grant went with its connection")
	}
}
