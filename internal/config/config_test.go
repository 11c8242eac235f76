package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// environment is a set of variables.
type environment map[string]string

func (e environment) getenv(name string) string { return e[name] }

// with is the environment with more variables, or other ones.
func (e environment) with(more environment) environment {
	all := environment{}
	for _, m := range []environment{e, more} {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}

// least is what every function needs.
var least = environment{"TABLE_NAME": "table", "ROTATE_FUNCTION": "rotate", "SECRET_PREFIX": "stack"}

func TestDefaults(t *testing.T) {
	issue, err := config.Issue(least.getenv)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.ForIssue{TableName: "table", RotateFunction: "rotate", MetricsNamespace: "ReltioTokens", LogLevel: slog.LevelInfo}, issue); diff != "" {
		t.Errorf("issue (-want +got):\n%s", diff)
	}
	rotate, err := config.Rotate(least.getenv)
	if err != nil {
		t.Fatal(err)
	}
	reltio := connection.Hosts{"auth.reltio.com:443"}
	if diff := cmp.Diff(config.ForRotate{
		TableName: "table", SecretPrefix: "stack", AuthHosts: reltio, TokenRequestsPerSecond: 8, LoginAttempts: 2,
		RotateConcurrency: 16, EventBusName: "default", MetricsNamespace: "ReltioTokens", LogLevel: slog.LevelInfo,
	}, rotate, cmpopts.IgnoreFields(config.ForRotate{}, "Network")); diff != "" {
		t.Errorf("rotate (-want +got):\n%s", diff)
	}
	callback, err := config.Callback(least.getenv)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.ForCallback{
		TableName: "table", SecretPrefix: "stack", AuthHosts: reltio, TokenRequestsPerSecond: 8,
		EventBusName: "default", MetricsNamespace: "ReltioTokens", LogLevel: slog.LevelInfo,
	}, callback, cmpopts.IgnoreFields(config.ForCallback{}, "Network")); diff != "" {
		t.Errorf("callback (-want +got):\n%s", diff)
	}
}

func TestEverythingSet(t *testing.T) {
	set := least.with(environment{
		"AUTH_HOSTS": "Auth.Reltio.com, localhost:3002,[::1]:8080", "TOKEN_REQUESTS_PER_SECOND": "1", "LOGIN_ATTEMPTS": "1",
		"ROTATE_CONCURRENCY": "32", "CALLBACK_BASE_URL": "https://tokens.example.com/", "EVENT_BUS_NAME": "bus", "METRICS_NAMESPACE": "ReltioTokens/prod", "LOG_LEVEL": "DEBUG",
	})
	hosts := connection.Hosts{"auth.reltio.com:443", "localhost:3002", "[::1]:8080"}
	rotate, err := config.Rotate(set.getenv)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.ForRotate{
		TableName: "table", SecretPrefix: "stack", AuthHosts: hosts, TokenRequestsPerSecond: 1, LoginAttempts: 1,
		RotateConcurrency: 32, CallbackBaseURL: "https://tokens.example.com", EventBusName: "bus", MetricsNamespace: "ReltioTokens/prod", LogLevel: slog.LevelDebug,
	}, rotate, cmpopts.IgnoreFields(config.ForRotate{}, "Network")); diff != "" {
		t.Errorf("rotate (-want +got):\n%s", diff)
	}
	callback, err := config.Callback(set.getenv)
	if err != nil || callback.CallbackBaseURL != "https://tokens.example.com" || callback.TokenRequestsPerSecond != 1 ||
		callback.EventBusName != "bus" || callback.MetricsNamespace != "ReltioTokens/prod" || !cmp.Equal(callback.AuthHosts, hosts) {
		t.Errorf("callback %+v, %v", callback, err)
	}
	if issue, err := config.Issue(set.getenv); err != nil || issue.LogLevel != slog.LevelDebug || issue.MetricsNamespace != "ReltioTokens/prod" {
		t.Errorf("issue %+v, %v", issue, err)
	}
}

func TestBounds(t *testing.T) {
	const (
		url   = "CALLBACK_BASE_URL: must be an https URL without query (http is for loopback alone)"
		names = "METRICS_NAMESPACE: must be a namespace of CloudWatch: at most 255 letters, digits and . - _ / # :, and none of AWS's own"
		level = "LOG_LEVEL: must be DEBUG, INFO, WARN or ERROR"
		hosts = "AUTH_HOSTS: must be a comma-separated list of host or host:port"
	)
	whole := func(name string, most int) string {
		return fmt.Sprintf("%s: must be a whole number from 1 to %d", name, most)
	}
	tests := []struct{ name, value, want string }{
		{"TOKEN_REQUESTS_PER_SECOND", "1", ""},
		{"TOKEN_REQUESTS_PER_SECOND", "8", ""},
		{"TOKEN_REQUESTS_PER_SECOND", "0", whole("TOKEN_REQUESTS_PER_SECOND", 8)},
		{"TOKEN_REQUESTS_PER_SECOND", "9", whole("TOKEN_REQUESTS_PER_SECOND", 8)},
		{"TOKEN_REQUESTS_PER_SECOND", "2.5", whole("TOKEN_REQUESTS_PER_SECOND", 8)},
		{"TOKEN_REQUESTS_PER_SECOND", " 8", whole("TOKEN_REQUESTS_PER_SECOND", 8)},
		{"LOGIN_ATTEMPTS", "2", ""},
		{"LOGIN_ATTEMPTS", "0", whole("LOGIN_ATTEMPTS", 2)},
		{"LOGIN_ATTEMPTS", "3", whole("LOGIN_ATTEMPTS", 2)},
		{"LOGIN_ATTEMPTS", "99999999999999999999", whole("LOGIN_ATTEMPTS", 2)},
		{"ROTATE_CONCURRENCY", "1", ""},
		{"ROTATE_CONCURRENCY", "32", ""},
		{"ROTATE_CONCURRENCY", "0", whole("ROTATE_CONCURRENCY", 32)},
		{"ROTATE_CONCURRENCY", "33", whole("ROTATE_CONCURRENCY", 32)},
		{"ROTATE_CONCURRENCY", "-4", whole("ROTATE_CONCURRENCY", 32)},
		{"METRICS_NAMESPACE", "ReltioTokens/prod_2.1#x:y", ""},
		{"METRICS_NAMESPACE", strings.Repeat("n", 255), ""},
		{"METRICS_NAMESPACE", strings.Repeat("n", 256), names},
		{"METRICS_NAMESPACE", ":a", names},
		{"METRICS_NAMESPACE", "a b", names},
		{"METRICS_NAMESPACE", "AWS/Lambda", names},
		{"AUTH_HOSTS", "a.example,b.example:8443", ""},
		{"AUTH_HOSTS", "https://a.example", hosts},
		{"AUTH_HOSTS", "a.example,", hosts},
		{"AUTH_HOSTS", "a.example:0", hosts},
		{"AUTH_HOSTS", "a.example:65536", hosts},
		{"AUTH_HOSTS", "a.example/path", hosts},
		{"CALLBACK_BASE_URL", "https://a.example/base", ""},
		{"CALLBACK_BASE_URL", "http://localhost:3000", ""},
		{"CALLBACK_BASE_URL", "http://127.0.0.1:3000", ""},
		{"CALLBACK_BASE_URL", "http://[::1]:3000", ""},
		{"CALLBACK_BASE_URL", "http://a.example", url},
		{"CALLBACK_BASE_URL", "a.example", url},
		{"CALLBACK_BASE_URL", "https://", url},
		{"CALLBACK_BASE_URL", "https://u:p@a.example", url},
		{"CALLBACK_BASE_URL", "https://a.example?x=1", url},
		{"CALLBACK_BASE_URL", "https://a.example#x", url},
		{"CALLBACK_BASE_URL", "https://a example", url},
		{"CALLBACK_BASE_URL", "ftp://localhost", url},
		{"LOG_LEVEL", "WARN", ""},
		{"LOG_LEVEL", "ERROR", ""},
		{"LOG_LEVEL", "info", level},
		{"LOG_LEVEL", "TRACE", level},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			_, err := config.Rotate(least.with(environment{test.name: test.value}).getenv)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error %v", err)
			case test.want != "" && (err == nil || err.Error() != test.want):
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// wrong has a fault in every variable, and a value that may not be shown.
var wrong = environment{
	"AUTH_HOSTS": "kanari/kanari", "TOKEN_REQUESTS_PER_SECOND": "kanari", "LOGIN_ATTEMPTS": "kanari",
	"ROTATE_CONCURRENCY": "kanari", "CALLBACK_BASE_URL": "http://kanari", "LOG_LEVEL": "kanari",
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	tests := map[string]struct {
		read  func(func(string) string) error
		names []string
	}{
		"issue": {
			func(getenv func(string) string) error { _, err := config.Issue(getenv); return err },
			[]string{"LOG_LEVEL", "ROTATE_FUNCTION", "TABLE_NAME"},
		},
		"rotate": {
			func(getenv func(string) string) error { _, err := config.Rotate(getenv); return err },
			[]string{
				"AUTH_HOSTS", "CALLBACK_BASE_URL", "LOGIN_ATTEMPTS", "LOG_LEVEL", "ROTATE_CONCURRENCY", "SECRET_PREFIX",
				"TABLE_NAME", "TOKEN_REQUESTS_PER_SECOND",
			},
		},
		"callback": {
			func(getenv func(string) string) error { _, err := config.Callback(getenv); return err },
			[]string{"AUTH_HOSTS", "CALLBACK_BASE_URL", "LOG_LEVEL", "SECRET_PREFIX", "TABLE_NAME", "TOKEN_REQUESTS_PER_SECOND"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.read(wrong.getenv)
			if err == nil {
				t.Fatal("no error")
			}
			var got []string
			for fault := range strings.SplitSeq(err.Error(), "; ") {
				variable, _, _ := strings.Cut(fault, ":")
				got = append(got, variable)
			}
			if diff := cmp.Diff(test.names, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "kanari") {
				t.Errorf("error %v holds a value", err)
			}
		})
	}
}

func TestReportIsOneLine(t *testing.T) {
	var out bytes.Buffer
	config.Report(&out, errors.New("TABLE_NAME: is required;\n\"more\""))
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines, want 1: %s", n, out.String())
	}
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"level": "ERROR", "message": "the function cannot start", "error": "TABLE_NAME: is required;\n\"more\""}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestWhatThePagesShow(t *testing.T) {
	read := func(text string) (config.ForCallback, error) {
		return config.Callback(func(name string) string {
			return map[string]string{"TABLE_NAME": "t", "SECRET_PREFIX": "s", "ORGANISATION": text, "CONTACT": text}[name]
		})
	}
	for _, want := range []string{"", "Acme & Söhne", strings.Repeat("ö", 100)} {
		if c, err := read(" " + want + " "); err != nil || c.Organisation != want || c.Contact != want {
			t.Errorf("%q: %q, %q, error %v", want, c.Organisation, c.Contact, err)
		}
	}
	for _, text := range []string{"a\nb", strings.Repeat("a", 101), "\xff"} {
		const what = "must be one line of at most 100 characters"
		if _, err := read(text); err == nil || err.Error() != "CONTACT: "+what+"; ORGANISATION: "+what {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
