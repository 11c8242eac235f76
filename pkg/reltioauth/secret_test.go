package reltioauth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestSecretIsRevealedOnlyByReveal(t *testing.T) {
	const text = "canary-8f3a"
	secret := reltioauth.NewSecret(text)
	type inner struct{ hidden reltioauth.Secret }
	for name, value := range map[string]any{
		"value":            secret,
		"pointer":          &secret,
		"slice":            []reltioauth.Secret{secret},
		"map":              map[string]reltioauth.Secret{"k": secret},
		"exported field":   struct{ Secret reltioauth.Secret }{secret},
		"unexported field": inner{secret},
		"pointer to it":    &inner{secret},
		"deep":             map[string]any{"k": []any{&inner{secret}, inner{secret}}},
		"password grant":   reltioauth.PasswordGrant{Username: "u", Password: secret},
		"client":           reltioauth.Client{ClientSecret: secret},
		"token":            &reltioauth.Token{AccessToken: secret, RefreshToken: secret},
		"challenge":        &reltioauth.MFAChallenge{StateToken: secret},
	} {
		if got := strings.Join(printed(value), "\n"); strings.Contains(got, text) {
			t.Errorf("%s: printed the secret:\n%s", name, got)
		}
	}
	if got := secret.Reveal(); got != text {
		t.Errorf("Reveal: got %q, want %q", got, text)
	}
}

func TestSecretShowsThatItIsRedacted(t *testing.T) {
	secret := reltioauth.NewSecret("x")
	inJSON, err := json.Marshal(struct {
		S reltioauth.Secret
		P *reltioauth.Secret
	}{secret, &secret})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(inJSON), `{"S":"[redacted]","P":"[redacted]"}`; got != want {
		t.Errorf("JSON: got %s, want %s", got, want)
	}
	text, err := secret.MarshalText()
	if err != nil || string(text) != "[redacted]" || secret.String() != "[redacted]" || secret.GoString() != "[redacted]" {
		t.Errorf("got %q, %q, %q, %v; want [redacted]", text, secret.String(), secret.GoString(), err)
	}
}

func TestSecretEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"a", "aa", false},
	} {
		a, b := reltioauth.NewSecret(test.a), reltioauth.NewSecret(test.b)
		if a.Equal(b) != test.want || b.Equal(a) != test.want || cmp.Equal(a, b) != test.want {
			t.Errorf("%q, %q: got not %t", test.a, test.b, test.want)
		}
	}
	if !reltioauth.NewSecret("").IsZero() || reltioauth.NewSecret("a").IsZero() {
		t.Error("IsZero: want it for the empty secret only")
	}
}

func TestFingerprintIsHalfAHash(t *testing.T) {
	// The vector of FIPS 180-2, appendix B.1, cut to its first half.
	if got, want := reltioauth.Fingerprint(reltioauth.NewSecret("abc")), "sha256:ba7816bf8f01cfea414140de5dae2223"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
