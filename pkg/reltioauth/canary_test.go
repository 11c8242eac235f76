package reltioauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// printed is a value in every way in which values get into outputs.
func printed(value any) []string {
	var out []string
	for _, verb := range "vsqdxtTU" {
		for _, flags := range []string{"", "+", "#"} {
			out = append(out, fmt.Sprintf("%"+flags+string(verb), value))
		}
	}
	if text, err := json.Marshal(value); err == nil {
		out = append(out, string(text))
	}
	var log bytes.Buffer
	// The digits of a time may be those of a one-time password.
	timeless := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, timeless), slog.NewJSONHandler(&log, timeless)} {
		slog.New(handler).Info("m", "value", value, slog.Group("g", "value", value))
	}
	out = append(out, log.String())
	if err, ok := value.(error); ok {
		out = append(out, fmt.Errorf("wrapped: %w", err).Error())
		if inner := errors.Unwrap(err); inner != nil {
			out = append(out, printed(inner)...)
		}
	}
	return out
}

// canaries are secrets with all that spoils a careless search: characters that
// URLs, JSON, HTML and regular expressions write otherwise, capitals, spaces.
var canaries = []string{
	"client-secret&canary<1>+/=",
	"user PassWord\\canary\"2\"%",
	"refresh.token.canary.3.aaaaaaaaaaaaaaaaaaaaaaaa",
	"code-canary-4",
	"verifier-canary-5",
	"state-token-canary-6",
	"777001",
	"s.Y2hlY2tlZA.canary_8",
	"params-canary 9",
}

func canaryClient(style reltioauth.ClientAuth, inQuery bool) *reltioauth.Client {
	return &reltioauth.Client{
		ClientID:     "acme",
		ClientSecret: reltioauth.NewSecret(canaries[0]),
		ClientAuth:   style,
		TokenInQuery: inQuery,
		Now:          clock,
	}
}

// canaryCalls are all calls that send a secret; each returns what a program
// might print.
func canaryCalls(ctx context.Context, client *reltioauth.Client) map[string]func() (any, error) {
	secret := func(i int) reltioauth.Secret { return reltioauth.NewSecret(canaries[i-1]) }
	token := func(g reltioauth.Grant) func() (any, error) {
		return func() (any, error) { t, err := client.Token(ctx, g); return t, err }
	}
	return map[string]func() (any, error){
		"client_credentials": token(reltioauth.ClientCredentialsGrant{}),
		"password":           token(reltioauth.PasswordGrant{Username: "jane", Password: secret(2), Params: map[string]reltioauth.Secret{"p": secret(9)}}),
		"refresh_token":      token(reltioauth.RefreshTokenGrant{RefreshToken: secret(3)}),
		"authorization_code": token(reltioauth.AuthorizationCodeGrant{Code: secret(4), RedirectURI: "https://a.example", Verifier: secret(5)}),
		"mfa":                token(reltioauth.MFAGrant{StateToken: secret(6), TOTP: secret(7)}),
		"check":              func() (any, error) { i, err := client.Introspect(ctx, secret(8)); return i, err },
		"revoke":             func() (any, error) { return nil, client.Revoke(ctx, secret(8), "") },
	}
}

// echo is everything that was sent, in every spelling, as a spiteful server
// would repeat it.
func echo(req *http.Request) string {
	body, _ := io.ReadAll(req.Body)
	form, _ := url.ParseQuery(string(body))
	echoed := []string{string(body), req.URL.String(), req.Header.Get("Authorization")}
	for _, value := range slices.Concat(slices.Concat(slices.Collect(maps.Values(form))...), slices.Concat(slices.Collect(maps.Values(req.URL.Query()))...), canaries[:1]) {
		echoed = append(echoed, value, strings.ToUpper(value), url.QueryEscape(value), url.PathEscape(value),
			html.EscapeString(value), base64.StdEncoding.EncodeToString([]byte(value)), "“"+value+"”", value+value)
	}
	return strings.Join(echoed, " ")
}

func echoAs(format string, status int) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		quoted, _ := json.Marshal(echo(req))
		header := http.Header{"Content-Type": {"application/json"}, "Location": {echo(req)}, "Retry-After": {echo(req)}}
		return reply{status, header, strings.ReplaceAll(format, "ECHO", string(quoted))}.RoundTrip(nil)
	}
}

// canaryServers are the ways in which a call fails.
func canaryServers() map[string]func(*http.Request) (*http.Response, error) {
	servers := map[string]func(*http.Request) (*http.Response, error){
		"network": func(req *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: req.URL.String() + "?" + echo(req), Err: net.ErrClosed}
		},
		"not sent": func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%w: %s", reltioauth.ErrNotSent, echo(req))
		},
		"cut off": func(req *http.Request) (*http.Response, error) {
			text := echo(req)
			cut := io.MultiReader(strings.NewReader(text), failingReader{errors.New(text)})
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(cut)}, nil
		},
		"cut off behind the token": func(req *http.Request) (*http.Response, error) {
			cut := io.MultiReader(strings.NewReader(`{"refresh_token":"fresh-canary-10",`), failingReader{errors.New(echo(req))})
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(cut)}, nil
		},
		"too large": echoAs(`{"access_token":ECHO,"x":"`+strings.Repeat("x", reltioauth.MaxBody), 200),
		"packed": func(req *http.Request) (*http.Response, error) {
			quoted, _ := json.Marshal(echo(req))
			return reply{400, nil, packed(bom + `{"error":"invalid_grant","error_description":` + string(quoted) + `}`)}.RoundTrip(nil)
		},
		"mfa":    echoAs(`{"state_token":{"mfaType":ECHO,"status":ECHO,"token":"fresh-canary-10"}}`, 200),
		"revoke": echoAs(`{"status":ECHO,"error":ECHO}`, 200),
	}
	for _, status := range []int{200, 302, 400, 401, 429, 503} {
		for _, format := range []string{
			`ECHO`, `{`, `<html>ECHO</html>`,
			`{"error":"invalid_grant","error_description":ECHO,"error_uri":ECHO}`,
			`{"error":"unauthorized","error_description":ECHO,"error_uri":ECHO}`,
			`{"error":ECHO}`, `{ECHO:1}`,
			`{"errorCode":ECHO,"errorMessage":ECHO}`,
			`{"access_token":ECHO,"expires_in":ECHO}`,
		} {
			servers[fmt.Sprintf("%d %s", status, format)] = echoAs(format, status)
		}
	}
	return servers
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestNothingThatWasSentIsPrinted(t *testing.T) {
	failed := 0
	for _, style := range []reltioauth.ClientAuth{reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost} {
		for _, inQuery := range []bool{false, true} {
			for server, handle := range canaryServers() {
				client := canaryClient(style, inQuery)
				client.Connect = transport(handle).connect
				for call, do := range canaryCalls(t.Context(), client) {
					result, err := do()
					if err != nil {
						failed++
					}
					for _, value := range []any{err, result} {
						searchCanaries(t, server+", "+call, printed(value))
					}
				}
			}
		}
	}
	if failed < 1000 {
		t.Errorf("only %d calls failed: the test looks at nothing", failed)
	}
}

func TestDialErrorsPrintNoSecret(t *testing.T) {
	client := canaryClient(reltioauth.ClientAuthBasic, false)
	client.Connect = func(context.Context, *url.URL) (reltioauth.Transport, error) {
		basic := base64.StdEncoding.EncodeToString([]byte("acme:" + canaries[0]))
		return nil, errors.New("proxy refused " + canaries[0] + " and " + basic)
	}
	_, err := client.Dial(t.Context())
	if got, want := err.Error(), "reltioauth: dial: unavailable: proxy refused [redacted] and [redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	searchCanaries(t, "dial", printed(err))

	client.ClientSecret = reltioauth.NewSecret("pro")
	_, err = client.Dial(t.Context())
	if got, want := err.Error(), "reltioauth: dial: unavailable"; got != want {
		t.Errorf("secret too short to be replaced: got %q, want %q", got, want)
	}

	client.AuthURL = "https://user:" + canaries[3] + "@auth.reltio.com"
	_, err = client.Dial(t.Context())
	searchCanaries(t, "AuthURL", printed(err))
}

func TestConnPrintsNoSecret(t *testing.T) {
	client := canaryClient(reltioauth.ClientAuthPost, false)
	client.Connect = transport(echoAs(`{}`, 200)).connect
	conn, err := client.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	searchCanaries(t, "Conn", printed(conn))
	searchCanaries(t, "Conn", printed(*conn))
	searchCanaries(t, "Client", printed(client))
}

func searchCanaries(t *testing.T, where string, output []string) {
	t.Helper()
	for _, text := range output {
		small := strings.ToLower(text)
		for _, canary := range append(canaries, "fresh-canary-10") {
			if strings.Contains(small, strings.ToLower(canary)) {
				t.Fatalf("%s: %q is in %q", where, canary, text)
			}
		}
	}
}
