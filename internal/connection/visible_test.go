package connection_test

import (
	"fmt"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// A name with something invisible in it is another name than the one that was
// meant, with an account, an identity and refusals of its own.
func TestNamesAreWhatTheyLookLike(t *testing.T) {
	const (
		blank   = "must not begin or end with a blank"
		control = "must not have control characters"
	)
	has := func(what string) string { return "must not have invisible characters: it has " + what }
	cases := map[string]string{
		"ann smith": "", "Ann.Smith@example.com": "", `ACME\ann`: "", "Ünïcödé 名前 🙂": "",
		" ann": blank, "ann ": blank, " ": blank, "  ann  ": blank,
		"ann\n": control, "\tann": control, "an\x00n": control, "ann\u0085": control,
		"\ufeffann": has("a byte order mark"), "ann\u00a0": has("a space that does not break"), "a\u202fnn": has("a space that does not break"),
		"a\u200bnn": has("a character without width"), "a\u200cnn": has("a character without width"), "ann\u200d": has("a character without width"),
		"a\u2060nn": has("a character without width"), "ann\ufe0f": has("a character without width"), "a\u034fnn": has("a character without width"),
		"a\u3164nn": has("a character without width"), "ann\U000e0041": has("a character without width"), "an\u00adn": has("a soft hyphen"),
		"ann\u200e": has("a mark for the direction of writing"), "\u202eann": has("a mark for the direction of writing"),
		"a\u2066nn": has("a mark for the direction of writing"), "ann\u061c": has("a mark for the direction of writing"),
		"ann\u2003": has("a space that is not the usual one"), "\u3000ann": has("a space that is not the usual one"),
		"ann\u2028": has("a space that is not the usual one"), "a\u2029nn": has("a space that is not the usual one"), "a\u2800nn": has("a space that is not the usual one"),
	}
	for field, of := range map[string][]connection.GrantType{
		"client_id": grantTypes(), "tenant_id": grantTypes(),
		"username": {connection.Password}, "expected_user": {connection.AuthorizationCode},
	} {
		for _, grantType := range of {
			for text, want := range cases {
				t.Run(fmt.Sprintf("%s of %s %q", field, grantType, text), func(t *testing.T) {
					_, err := connection.Parse("acme", secret(with(minimal(grantType), field, text)), reltio())
					switch {
					case want != "":
						wantProblems(t, err, field+": "+want)
					case err != nil:
						t.Errorf("error %v, want none", err)
					}
				})
			}
		}
	}
}
