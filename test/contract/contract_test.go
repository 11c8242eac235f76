package contract_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The connections of the stack, as fields of requests.
var (
	forUser   = field{issueapi.FieldConnection, `"` + demo + `"`}
	forClient = field{issueapi.FieldConnection, `"` + client + `"`}
	forPerson = field{issueapi.FieldConnection, `"` + person + `"`}
)

const (
	client       = "demo-client-credentials"
	person       = "demo-authorization-code"
	personNeeded = "a person must log in at Reltio"
)

// last stands for the fingerprint of the token that the connection's last response had.
const last = "the last one"

func ttl(value string) field      { return field{issueapi.FieldMinTTLSeconds, value} }
func rejected(value string) field { return field{issueapi.FieldRejectedFingerprint, value} }

// response is what a response says, without what differs from token to token.
type response struct {
	// Lambda is the error of Lambda, which did not invoke the function.
	Lambda string
	// Error is the function's; without both there is a token.
	Error issueapi.Error

	Outcome  issueapi.Outcome
	Version  int64
	TooShort bool // min_ttl_met is false
	Warnings []issueapi.Warning
}

func cached(version int64, warnings ...issueapi.Warning) response {
	return response{Outcome: issueapi.Cached, Version: version, Warnings: warnings}
}

func renewed(version int64) response { return response{Outcome: issueapi.Renewed, Version: version} }

func refusal(kind issueapi.ErrorType, message string) response {
	return response{Error: issueapi.Error{Type: kind, Message: message}}
}

func invalid(message string) response { return refusal(issueapi.InvalidRequest, message) }

// steps are sent to every issuer one after the other.
var steps = []struct {
	name string
	// revoked ends the token of the last response first.
	revoked bool
	fields  []field
	// payload is sent instead of fields. Only the Invoke API has payloads.
	payload string
	want    response
	// extension is the response of the extension where it is another one, and why.
	extension *response
	why       string
}{
	{name: "the first token", fields: []field{forUser}, want: renewed(1)},
	{name: "the same again", fields: []field{forUser}, want: cached(1)},
	{name: "with white space", payload: " \n" + `{"connection" : "` + demo + `" }`, want: cached(1)},
	{name: "more life than there is", fields: []field{forUser, ttl("86400")}, want: response{Outcome: issueapi.Cached, Version: 1, TooShort: true}},
	{name: "life that there is", fields: []field{forUser, ttl("60")}, want: cached(1)},
	{name: "valid, reported", fields: []field{forUser, rejected(last)}, want: cached(1, issueapi.RejectedTokenIsAlive)},
	{
		name: "another one reported", fields: []field{forUser, rejected(`"sha256:00000000000000000000000000000000"`)}, want: cached(1),
		extension: at(cached(1, issueapi.RejectedTokenIsAlive)), why: "the extension invokes issue no more, and keeps the warnings with the token",
	},

	{name: "another connection", fields: []field{forClient}, want: renewed(1)},
	{name: "revoked", revoked: true, fields: []field{forClient}, want: cached(1)},
	{name: "revoked, reported", fields: []field{forClient, rejected(last)}, want: renewed(2)},
	{name: "the one that replaced it", fields: []field{forClient}, want: cached(2)},

	{name: "a person is needed", fields: []field{forPerson}, want: refusal(issueapi.ReauthorizationRequired, personNeeded)},
	{name: "no such connection", fields: []field{{"connection", `"nope"`}}, want: refusal(issueapi.UnknownConnection, "no connection has this name")},

	{name: "nothing", payload: "", want: invalid("connection: is required")},
	{name: "no JSON", payload: `{"connection"`, want: response{Lambda: "InvalidRequestContentException"}},
	{name: "something behind it", payload: `{"connection":"` + demo + `"} x`, want: response{Lambda: "InvalidRequestContentException"}},
	{name: "a list", payload: `[]`, want: invalid("payload: must be one JSON object")},
	{name: "null", payload: `null`, want: invalid("payload: must be one JSON object")},
	{name: "no connection", fields: []field{}, want: invalid("connection: is required")},
	{
		name: "a connection that is null", fields: []field{{"connection", `null`}}, want: invalid("connection: must be a string"),
		extension: at(refusal(issueapi.UnknownConnection, "no connection has this name")), why: "in a query all values are texts",
	},
	{name: "a name that none has", fields: []field{{"connection", `"Acme"`}}, want: invalid("connection: " + issueapi.ConnectionRule)},
	{
		name: "a field in another case", fields: []field{{"Connection", `"` + demo + `"`}},
		want:      invalid("connection: is required; a field: is not known here"),
		extension: at(invalid("a parameter: is not known here; connection: is required")), why: "a query has parameters",
	},
	{name: "a field twice", fields: []field{forUser, forUser}, want: invalid("connection: is repeated")},
	{name: "a field too many", fields: []field{forUser, {"force", "true"}}, want: invalid("force: is not known here")},
	{name: "too much life", fields: []field{forUser, ttl("86401")}, want: invalid("min_ttl_seconds: " + issueapi.MinTTLRule), extension: wholeNumber, why: inOne},
	{name: "less than no life", fields: []field{forUser, ttl("-1")}, want: invalid("min_ttl_seconds: " + issueapi.MinTTLRule), extension: wholeNumber, why: inOne},
	{name: "half a second", fields: []field{forUser, ttl("0.5")}, want: invalid("min_ttl_seconds: must be a whole number"), extension: wholeNumber, why: inOne},
	{name: "life in words", fields: []field{forUser, ttl(`"long"`)}, want: invalid("min_ttl_seconds: must be a whole number"), extension: wholeNumber, why: inOne},
	{name: "life that is null", fields: []field{forUser, ttl(`null`)}, want: invalid("min_ttl_seconds: must be a whole number"), extension: wholeNumber, why: inOne},
	{
		name: "no fingerprint", fields: []field{forUser, rejected(`"sha256:"`)}, want: invalid("rejected_fingerprint: " + issueapi.FingerprintRule),
		extension: noFingerprint, why: inReport,
	},
	{
		name: "an empty fingerprint", fields: []field{forUser, rejected(`""`)}, want: invalid("rejected_fingerprint: " + issueapi.FingerprintRule),
		extension: noFingerprint, why: inReport,
	},
	{
		name: "several mistakes", fields: []field{{"min_ttl_seconds", "-1"}, {"force", "true"}, {"connection", "1"}},
		want:      invalid("connection: must be a string; force: is not known here; min_ttl_seconds: " + issueapi.MinTTLRule),
		extension: at(invalid("force: is not known here; min_ttl_seconds: must be a whole number from 0 to 86400")), why: "1 is a name",
	},
}

// How the extension's words differ.
const (
	inOne    = "a text is a number, and within the bounds, or not"
	inReport = "a report calls the field fingerprint"
)

var (
	wholeNumber   = at(invalid("min_ttl_seconds: must be a whole number from 0 to 86400"))
	noFingerprint = at(invalid("fingerprint: " + issueapi.FingerprintRule))
)

func at(r response) *response { return &r }

// Everything that issues tokens over the contract responds the same.
func TestEveryIssuerKeepsTheContract(t *testing.T) {
	for _, i := range issuers(t) {
		t.Run(i.name, func(t *testing.T) {
			var token issueapi.Response // of the last response that had one
			for _, step := range steps {
				if step.fields == nil && i.protocol != invokeAPI {
					continue // it has no payloads
				}
				if step.revoked {
					i.revoke(t, token.Connection, reltioauth.NewSecret(token.AccessToken))
				}
				want, why := step.want, "the same from every issuer"
				if step.extension != nil && i.protocol == extensionHTTP {
					want, why = *step.extension, step.why
				}
				t.Run(step.name, func(t *testing.T) {
					fields := slices.Clone(step.fields)
					for n := range fields {
						if fields[n].value == last {
							fields[n].value = `"` + token.Fingerprint + `"`
						}
					}
					got := i.ask(t, i.request(t, fields, step.payload), &token)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("response (-want +got), %s:\n%s", why, diff)
					}
				})
			}
		})
	}
}

// statuses are those of the extension.
var statuses = map[issueapi.ErrorType]int{
	"": http.StatusOK, issueapi.InvalidRequest: http.StatusBadRequest,
	issueapi.UnknownConnection: http.StatusNotFound, issueapi.ReauthorizationRequired: http.StatusConflict,
}

// ask sends a request and reads the response, also into token if it has one.
func (i issuer) ask(t *testing.T, r *http.Request, token *issueapi.Response) (got response) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	status, failed := resp.StatusCode, resp.Header.Get("X-Amz-Function-Error") != ""
	if i.protocol == invokeAPI && status != http.StatusOK {
		return response{Lambda: resp.Header.Get("X-Amzn-Errortype")}
	}
	if i.protocol == extensionHTTP {
		failed = status != http.StatusOK
	}
	if failed {
		read(t, body, &got.Error, "errorMessage", "errorType")
	} else {
		read(t, body, token, members...)
		got = said(t, token)
	}
	want := http.StatusOK
	if i.protocol == extensionHTTP {
		want = statuses[got.Error.Type]
	}
	if status != want {
		t.Errorf("status %d, want %d", status, want)
	}
	return got
}

// members are those of a response with a token.
var members = []string{
	"access_token", "api_url", "connection", "expires_at", "expires_in", "fingerprint", "min_ttl_met",
	"outcome", "scope", "tenant_id", "token_type", "version", "warnings",
}

// read decodes a body that has these members, each of its type and no other.
func read(t *testing.T, body []byte, into any, names ...string) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(all))); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	for name, value := range all {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Error(err)
	}
}

// said is what a response with a token says. It checks the rest, which differs from
// token to token.
func said(t *testing.T, r *issueapi.Response) response {
	t.Helper()
	if got := reltioauth.Fingerprint(reltioauth.NewSecret(r.AccessToken)); got != r.Fingerprint {
		t.Errorf("fingerprint %s, want the token's, %s", r.Fingerprint, got)
	}
	if r.Connection != demo && r.Connection != client || r.TokenType != "bearer" {
		t.Errorf("connection %q, token type %q", r.Connection, r.TokenType)
	}
	ends, err := time.Parse(time.RFC3339, r.ExpiresAt)
	left, said := time.Until(ends), time.Duration(r.ExpiresIn)*time.Second
	if err != nil || left > time.Hour || said < left-2*time.Second || said > left+3*time.Second {
		t.Errorf("expires_at %s, in %v; expires_in %d", r.ExpiresAt, left, r.ExpiresIn)
	}
	got := response{Outcome: r.Outcome, Version: r.Version, TooShort: !r.MinTTLMet}
	if len(r.Warnings) > 0 {
		got.Warnings = r.Warnings
	}
	return got
}
