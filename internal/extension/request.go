package extension

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The bounds of what a caller may send.
const (
	maxBody = 4 << 10
)

// The problems of a field, in issue's words.
const (
	repeated       = "is repeated"
	unknown        = "is not known here"
	unknownUnnamed = "a parameter: is not known here"
)

var (
	digits = regexp.MustCompile(`^[0-9]{1,5}$`)
	// printable matches the names of unknown parameters that may be shown.
	printable = regexp.MustCompile(`^[a-z_]{1,32}$`)
)

// request is what a caller asks for.
type request struct {
	connection string
	minTTL     time.Duration
	// rejected is the fingerprint of a token that Reltio refused; empty: none.
	rejected string
}

// tokenRequest reads GET /token. Its error lists all problems.
func tokenRequest(r *http.Request) (request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, apierr.New(apierr.InvalidRequest, "query: cannot be read")
	}
	var problems []string
	problem := func(name, what string) { problems = append(problems, name+": "+what) }
	if r.ContentLength != 0 {
		problem("body", "is not read here")
	}
	unnamed := false
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch known := name == issueapi.FieldConnection || name == issueapi.FieldMinTTLSeconds; {
		case !known && !printable.MatchString(name):
			unnamed = true
		case !known:
			problem(name, unknown)
		case len(query[name]) > 1:
			problem(name, repeated)
		}
	}
	if unnamed {
		problems = append(problems, unknownUnnamed)
	}
	out := request{connection: query.Get(issueapi.FieldConnection)}
	if !query.Has(issueapi.FieldConnection) {
		problem(issueapi.FieldConnection, issueapi.Required)
	} else if !issueapi.ValidConnection(out.connection) {
		problem(issueapi.FieldConnection, issueapi.ConnectionRule)
	}
	if query.Has(issueapi.FieldMinTTLSeconds) {
		text := query.Get(issueapi.FieldMinTTLSeconds)
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !digits.MatchString(text) || !issueapi.ValidMinTTLSeconds(seconds) {
			problem(issueapi.FieldMinTTLSeconds, fmt.Sprintf("must be a whole number from 0 to %d", issueapi.MaxMinTTLSeconds))
		}
		out.minTTL = time.Duration(seconds) * time.Second
	}
	return out, asFault(problems)
}

// rejectedRequest reads POST /rejected. Its error lists all problems.
func rejectedRequest(w http.ResponseWriter, r *http.Request) (request, error) {
	if r.URL.RawQuery != "" {
		return request{}, apierr.New(apierr.InvalidRequest, "query: is not read here")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return request{}, refuse(http.StatusRequestEntityTooLarge, apierr.InvalidRequest, fmt.Sprintf("body: must be at most %d bytes", maxBody))
	case err != nil:
		return request{}, apierr.New(apierr.InvalidRequest, "body: cannot be read")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the body's; a test's recorder has none
	o, err := strictjson.Parse(body)
	if err != nil {
		return request{}, apierr.New(apierr.InvalidRequest, "body: "+err.Error())
	}
	out := request{connection: o.String(issueapi.FieldConnection), rejected: o.String(issueapi.FieldFingerprint)}
	switch {
	case !o.Has(issueapi.FieldConnection):
		o.Problem(issueapi.FieldConnection, issueapi.Required)
	case !issueapi.ValidConnection(out.connection):
		o.Problem(issueapi.FieldConnection, issueapi.ConnectionRule)
	}
	switch {
	case !o.Has(issueapi.FieldFingerprint):
		o.Problem(issueapi.FieldFingerprint, issueapi.Required)
	case !issueapi.ValidFingerprint(out.rejected):
		o.Problem(issueapi.FieldFingerprint, issueapi.FingerprintRule)
	}
	return out, asFault(o.Problems())
}

// asFault is InvalidRequest with the problems; nil if there is none.
func asFault(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return apierr.Fields(apierr.InvalidRequest, slices.Compact(slices.Sorted(slices.Values(problems))))
}
