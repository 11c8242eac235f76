package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const root = "../.."

// scenario is one case of clients/contract/cases.json.
type scenario struct {
	Group, Name string
	Options     options
	Answers     []answer
	Calls       []call
	// Extension is what the extension does instead in some calls, by their index, and
	// why. The extension's clients do what all do.
	Extension struct {
		Why   string
		Calls map[string]call
	}
	// Requests are the payloads that are expected; nil means that they are not
	// compared.
	Requests []map[string]any
}

// options are those of a client, in seconds; nil means its default.
type options struct {
	Timeout       *float64 `json:"timeout"`
	MaxRetryWait  *float64 `json:"max_retry_wait"`
	RefreshBefore *float64 `json:"refresh_before"`
}

// call is one call of the client, and what is expected of it.
type call struct {
	// At sets the client's clock, in seconds since the case began; nil leaves it.
	At *float64
	// MinTTL and Rejected are the call's own options. Rejected is the number of a
	// token, or a text that is no fingerprint.
	MinTTL   int `json:"min_ttl"`
	Rejected any
	// Want is "token <number>" or an error type.
	Want        string
	Message     *string
	Invocations int
	// Waited bounds the seconds that pass by the client's clock, nil means none;
	// Took those that pass really, nil means that they are not compared.
	Waited, Took []float64
	Fields       map[string]any
}

// did is what a client did in a call, as a runner prints it.
type did struct {
	Got, Message string
	Invocations  int
	Waited, Took float64
	Fields       map[string]any
}

// scenarios reads the cases.
func scenarios(t testing.TB) []scenario {
	t.Helper()
	data, err := os.ReadFile(root + "/clients/contract/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []scenario }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// connectionOf is the connection that the nth case asks for, by which the stub
// knows the case.
func connectionOf(n int) string { return fmt.Sprintf("case-%d", n) }

// differences compares what a client did with what a case expects. Empty: it did
// the same.
func (s *scenario) differences(n int, got []did, requests []map[string]any) string {
	var all []string
	say := func(format string, arguments ...any) { all = append(all, fmt.Sprintf(format, arguments...)) }
	if len(got) != len(s.Calls) {
		say("%d calls of %d were made", len(got), len(s.Calls))
		return strings.Join(all, "; ")
	}
	for i, c := range s.Calls {
		for _, difference := range c.differences(got[i]) {
			say("call %d: %s", i+1, difference)
		}
	}
	if s.Requests != nil && !reflect.DeepEqual(requests, s.requests(n)) {
		say("it sent %v", requests)
	}
	return strings.Join(all, "; ")
}

// tolerance is how many seconds of a client's clock are not counted.
const tolerance = 0.02

func (c *call) differences(got did) []string {
	var all []string
	say := func(format string, arguments ...any) { all = append(all, fmt.Sprintf(format, arguments...)) }
	if got.Got != c.Want {
		say("%s (%s), want %s", got.Got, got.Message, c.Want)
	}
	if c.Message != nil && got.Message != *c.Message {
		say("message %q", got.Message)
	}
	if got.Invocations != c.Invocations {
		say("%d invocations, want %d", got.Invocations, c.Invocations)
	}
	waited := c.Waited
	if waited == nil {
		waited = []float64{0, 0}
	}
	if c.Took == nil && (got.Waited < waited[0]-tolerance || got.Waited > waited[1]+tolerance) {
		say("it waited %.1f s, want %v", got.Waited, waited)
	}
	if len(c.Took) == 2 && (got.Took < c.Took[0] || got.Took > c.Took[1]) {
		say("it took %.1f s, want %v", got.Took, c.Took)
	}
	for name, want := range c.Fields {
		if !reflect.DeepEqual(got.Fields[name], want) {
			say("%s %v, want %v", name, got.Fields[name], want)
		}
	}
	if text := fmt.Sprint(got.Message, got.Fields); strings.Contains(text, "canary") || strings.Contains(text, "token-") {
		say("it shows a token")
	}
	return all
}

// requests are the expected ones, with the case's own connection and fingerprints.
func (s *scenario) requests(n int) []map[string]any {
	var all []map[string]any
	for _, r := range s.Requests {
		r = maps.Clone(r)
		r["connection"] = connectionOf(n)
		if rejected, reported := r["rejected_fingerprint"]; reported {
			r["rejected_fingerprint"] = fingerprint(rejected)
		}
		all = append(all, r)
	}
	return all
}

// fingerprint is that of a token by its number; a text stays as it is.
func fingerprint(rejected any) string {
	switch r := rejected.(type) {
	case nil:
		return ""
	case string:
		return r
	default:
		return reltioauth.Fingerprint(reltioauth.NewSecret(fmt.Sprintf("token-%v", r)))
	}
}
