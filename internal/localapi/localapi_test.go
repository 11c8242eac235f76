package localapi_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/localapi"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]localapi.Action{
		"kill a":            {Verb: localapi.Kill, Connection: "a"},
		"lock a":            {Verb: localapi.Lock, Connection: "a"},
		"expire-password a": {Verb: localapi.ExpirePassword, Connection: "a"},
		"mfa a":             {Verb: localapi.MFA, Connection: "a"},
		"down":              {Verb: localapi.Down},
		"down 30s":          {Verb: localapi.Down, ForMS: 30000},
		"slow 2s":           {Verb: localapi.Slow, DelayMS: 2000},
		"slow 300ms 1m":     {Verb: localapi.Slow, DelayMS: 300, ForMS: 60000},
		"throttle 5s":       {Verb: localapi.Throttle, ForMS: 5000},
		"reset":             {Verb: localapi.Reset},
	} {
		if got, err := localapi.Parse(strings.Fields(line)); got != want || err != nil {
			t.Errorf("%q: %+v, error %v; want %+v", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"":          "say what",
		"dance":     "nothing that the sandbox can do",
		"kill":      "needs the name of one connection",
		"kill a b":  "needs the name of one connection",
		"slow":      "needs a delay",
		"slow fast": "is no time",
		"down -1s":  "is no time",
		"down 1s 2": "too many",
		"reset now": "too many",
	} {
		_, err := localapi.Parse(strings.Fields(line))
		var usage *localapi.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want a UsageError with %q", line, err, want)
		}
	}
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		status         int
		body           string
		wantOut, wantE string
	}{
		"done":      {http.StatusOK, `{"done":"it is down"}`, "it is down\n", ""},
		"refused":   {http.StatusOK, `{"refused":"no such user"}`, "", "no such user"},
		"not there": {http.StatusNotFound, `{}`, "", "no local stack of this release"},
		"no JSON":   {http.StatusOK, `<html>`, "", "no local stack of this release"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != localapi.Path || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s, %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			var out bytes.Buffer
			err := localapi.Run(t.Context(), server.URL+"/", []string{"down"}, &out)
			if out.String() != c.wantOut || (err == nil) != (c.wantE == "") || (err != nil && !strings.Contains(err.Error(), c.wantE)) {
				t.Errorf("printed %q, error %v; want %q, %q", out.String(), err, c.wantOut, c.wantE)
			}
		})
	}
	if err := localapi.Run(t.Context(), "http://127.0.0.1:1", []string{"down"}, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "make run") {
		t.Errorf("nothing listens: %v, want one that says make run", err)
	}
}
