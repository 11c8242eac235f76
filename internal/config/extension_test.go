package config_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
)

// beside is the environment of a function with the extension, changed.
func beside(change map[string]string) func(string) string {
	env := map[string]string{
		"RELTIO_TOKENS_FUNCTION": "issue:live", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "kanari", "AWS_SESSION_TOKEN": "kanari",
	}
	for name, value := range change {
		env[name] = value
	}
	return func(name string) string { return env[name] }
}

func TestTheExtensionHasDefaults(t *testing.T) {
	c, err := config.Extension(beside(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 2775 || c.LogLevel != slog.LevelInfo || c.Endpoint != "" || c.Connections != nil {
		t.Errorf("port %d, level %v, endpoint %q, connections %q", c.Port, c.LogLevel, c.Endpoint, c.Connections)
	}
	if out := fmt.Sprintf("%+v", c); strings.Contains(out, "kanari") {
		t.Errorf("it prints a secret: %s", out)
	}
}

func TestConnectionsAreNamedOnce(t *testing.T) {
	c, err := config.Extension(beside(map[string]string{"RELTIO_CONNECTIONS": " b, a,b,,a "}))
	if diff := cmp.Diff([]string{"b", "a"}, c.Connections); err != nil || diff != "" {
		t.Errorf("error %v:\n%s", err, diff)
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	_, err = config.Extension(beside(map[string]string{"RELTIO_CONNECTIONS": strings.Join(many, ",")}))
	if err == nil || err.Error() != "RELTIO_CONNECTIONS: must be at most 32 names" {
		t.Errorf("33 names: %v", err)
	}
}

func TestWhatIsNoConnectionIsNamed(t *testing.T) {
	for names, want := range map[string]string{
		"acme,Bad_NAME":          "Bad_NAME",
		"acme, x y ,Acme,/a":     "a text of 3 bytes, Acme, /a",
		strings.Repeat("a", 65):  strings.Repeat("a", 65),
		strings.Repeat("a", 129): "a text of 129 bytes",
		"a\nb":                   "a text of 3 bytes",
	} {
		_, err := config.Extension(beside(map[string]string{"RELTIO_CONNECTIONS": names}))
		if want = "RELTIO_CONNECTIONS: must be names of connections, separated by commas, not " + want; err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", names, err, want)
		}
	}
}

func TestTheFunctionsLogLevelStopsNothing(t *testing.T) {
	for text, want := range map[string]slog.Level{
		"debug": slog.LevelDebug, "WARN": slog.LevelWarn, "WARNING": slog.LevelInfo, "trace": slog.LevelInfo, "": slog.LevelInfo,
	} {
		c, err := config.Extension(beside(map[string]string{"LOG_LEVEL": text}))
		if err != nil || c.LogLevel != want {
			t.Errorf("%q: %v, %v, want %v", text, c.LogLevel, err, want)
		}
	}
}

func TestLambdasOwnEndpointWins(t *testing.T) {
	c, err := config.Extension(beside(map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_LAMBDA": "http://b"}))
	if err != nil || c.Endpoint != "http://b" {
		t.Errorf("endpoint %q, %v", c.Endpoint, err)
	}
	if c, err = config.Extension(beside(map[string]string{"AWS_ENDPOINT_URL": "http://a"})); err != nil || c.Endpoint != "http://a" {
		t.Errorf("endpoint %q, %v", c.Endpoint, err)
	}
}

// An ARN says in which region the function is; Lambda of another region would not
// find it.
func TestTheRegionIsTheFunctions(t *testing.T) {
	for function, want := range map[string]string{
		"reltio-tokens-issue:live": "eu-central-1",
		"123456789012:issue":       "eu-central-1",
		"arn:aws:lambda:us-east-1:123456789012:function:reltio-tokens-issue:live":         "us-east-1",
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:reltio-tokens-issue":          "cn-north-1",
		"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:reltio-tokens-issue:a": "us-gov-west-1",
	} {
		c, err := config.Extension(beside(map[string]string{"RELTIO_TOKENS_FUNCTION": function, "AWS_REGION": "eu-central-1"}))
		if err != nil || c.Region != want {
			t.Errorf("%s: region %q, %v, want %s", function, c.Region, err, want)
		}
	}
}
