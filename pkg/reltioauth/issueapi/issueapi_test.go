package issueapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The keys are what callers in any language rely on, whatever the values.
func TestKeys(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"response": {issueapi.Response{Warnings: []issueapi.Warning{}}, `{"connection":"","access_token":"","token_type":"","scope":"","expires_in":0,"expires_at":"","fingerprint":"","version":0,"outcome":"","min_ttl_met":false,"warnings":[],"api_url":"","tenant_id":""}`},
		"request":  {issueapi.Request{Connection: "acme"}, `{"connection":"acme"}`},
		"request, whole": {
			issueapi.Request{Connection: "acme", MinTTLSeconds: 60, RejectedFingerprint: "f"},
			`{"connection":"acme","min_ttl_seconds":60,"rejected_fingerprint":"f"}`,
		},
		"error": {issueapi.Error{Type: issueapi.RateLimited, Message: "retry after 3 s"}, `{"errorType":"RateLimited","errorMessage":"retry after 3 s"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(c.value)
			if err != nil || string(got) != c.want {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	if want := fmt.Sprintf("must be from 0 to %d", issueapi.MaxMinTTLSeconds); issueapi.MinTTLRule != want {
		t.Errorf("%q does not name the most, %d", issueapi.MinTTLRule, issueapi.MaxMinTTLSeconds)
	}
	hex := strings.Repeat("0123456789abcdef", 2)
	for name, c := range map[string]struct{ got, want bool }{
		"a name":                        {issueapi.ValidConnection("acme-prod"), true},
		"a name of 64":                  {issueapi.ValidConnection(strings.Repeat("a", 64)), true},
		"a name of 65":                  {issueapi.ValidConnection(strings.Repeat("a", 65)), false},
		"a name in capitals":            {issueapi.ValidConnection("Acme"), false},
		"a name that begins with a dot": {issueapi.ValidConnection(".acme"), false},
		"a name and a newline":          {issueapi.ValidConnection("acme\n"), false},
		"no name":                       {issueapi.ValidConnection(""), false},
		"a fingerprint":                 {issueapi.ValidFingerprint("sha256:" + hex), true},
		"a longer fingerprint":          {issueapi.ValidFingerprint("sha256:" + hex + "0"), false},
		"a fingerprint in capitals":     {issueapi.ValidFingerprint("sha256:" + strings.ToUpper(hex)), false},
		"a fingerprint of another kind": {issueapi.ValidFingerprint("sha512:" + hex), false},
		"no wish":                       {issueapi.ValidMinTTLSeconds(0), true},
		"a day":                         {issueapi.ValidMinTTLSeconds(86400), true},
		"more than a day":               {issueapi.ValidMinTTLSeconds(86401), false},
		"less than nothing":             {issueapi.ValidMinTTLSeconds(-1), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %t, want %t", name, c.got, c.want)
		}
	}
}

// Only encoding a response reveals its token.
func TestPrintingRevealsNothing(t *testing.T) {
	const token = "kanari-token"
	r := issueapi.Response{Connection: "acme", AccessToken: token, Fingerprint: "sha256:f"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "r", r)
	texts := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
		texts = append(texts, fmt.Sprintf(verb, r), fmt.Sprintf(verb, &r), fmt.Sprintf(verb, []issueapi.Response{r}))
	}
	for _, text := range texts {
		if strings.Contains(text, token) || strings.Contains(text, fmt.Sprintf("%x", token)) {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestErrorTypes(t *testing.T) {
	temporary := []issueapi.ErrorType{
		issueapi.TokenLimitReached, issueapi.RateLimited, issueapi.ReltioUnavailable, issueapi.StoreUnavailable, issueapi.Internal,
	}
	for _, kind := range append(issueapi.ErrorTypes(), "Runtime.ExitError", "") {
		if got, want := kind.Temporary(), slices.Contains(temporary, kind); got != want {
			t.Errorf("%q: temporary %t, want %t", kind, got, want)
		}
		if got, want := kind.Known(), slices.Contains(issueapi.ErrorTypes(), kind); got != want {
			t.Errorf("%q: known %t, want %t", kind, got, want)
		}
	}
	err := fmt.Errorf("asking: %w", &issueapi.Error{Type: issueapi.MFARequired, Message: "the user needs a second factor"})
	if !errors.Is(err, issueapi.MFARequired) || errors.Is(err, issueapi.Internal) || err.Error() != "asking: MFARequired: the user needs a second factor" {
		t.Errorf("%v", err)
	}
}

func TestWarningsAreSorted(t *testing.T) {
	if !slices.IsSorted(issueapi.Warnings()) {
		t.Errorf("%v", issueapi.Warnings())
	}
}

func TestImportsTheStandardLibraryAlone(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if got := strings.Fields(string(out)); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}
