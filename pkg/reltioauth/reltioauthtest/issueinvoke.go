package reltioauthtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

const (
	// maxPayload is Lambda's limit for synchronous invocations.
	maxPayload = 6 << 20
)

// ServeHTTP implements http.Handler: the Invoke API of Lambda.
func (s *IssueServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, versioned := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	name, invoked := strings.CutSuffix(path, "/invocations")
	if r.Method != http.MethodPost || !versioned || !invoked || name == "" {
		refuseInvoke(w, http.StatusNotFound, "ResourceNotFoundException", "only the Invoke API is here")
		return
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if len(payload) == 0 {
		payload = []byte("{}") // as Lambda does
	}
	switch {
	case err != nil || len(payload) > maxPayload:
		refuseInvoke(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "the payload is larger than 6 MB, or was cut off")
	case s.throttle():
		refuseInvoke(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	case !json.Valid(payload):
		refuseInvoke(w, http.StatusBadRequest, "InvalidRequestContentException", "the payload is not JSON")
	default:
		s.invoke(w, payload)
	}
}

func refuseInvoke(w http.ResponseWriter, status int, kind, message string) {
	body := object(nil).addText("Type", "User").addText("Message", message).end()
	header := http.Header{"X-Amzn-Errortype": {kind}}
	answer{status: status, contentType: contentJSON, header: header, body: body}.send(w)
}

// throttle reports whether this invocation is one of those to throttle.
func (s *IssueServer) throttle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.throttled <= 0 {
		return false
	}
	s.throttled--
	return true
}

// invoke runs the function.
func (s *IssueServer) invoke(w http.ResponseWriter, payload []byte) {
	header := http.Header{"X-Amz-Executed-Version": {"$LATEST"}}
	body, failed := s.issue(payload)
	if failed != nil {
		header.Set("X-Amz-Function-Error", "Unhandled")
		body, _ = json.Marshal(failed) // two strings can always be encoded
	}
	answer{status: http.StatusOK, contentType: "application/json", header: header, body: body}.send(w)
}

// issue is the function.
func (s *IssueServer) issue(payload []byte) ([]byte, *issueapi.Error) {
	r, problem := readIssueRequest(payload)
	if problem != "" {
		return nil, &issueapi.Error{Type: issueapi.InvalidRequest, Message: problem}
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[r.Connection]++
	if !s.exists(r.Connection) {
		return nil, &issueapi.Error{Type: issueapi.UnknownConnection, Message: "no connection has this name"}
	}
	if failed := s.failures[r.Connection]; failed.Type != "" {
		return nil, &failed
	}
	t, outcome, warnings := s.choose(r, now)
	return s.response(t, r, outcome, warnings, now), nil
}

// choose finds the token to issue, or makes it. The caller holds mu.
func (s *IssueServer) choose(r issueapi.Request, now time.Time) (t *issuedToken, outcome issueapi.Outcome, warnings []issueapi.Warning) {
	t = s.issued[r.Connection]
	reported := t.left(now) > 0 && r.RejectedFingerprint == reltioauth.Fingerprint(t.secret)
	warnings = []issueapi.Warning{}
	switch {
	case t.left(now) < 1, reported && t.killed, t.left(now) < r.MinTTLSeconds && now.Sub(t.made) > t.ends.Sub(now):
		return s.renew(r.Connection, now), issueapi.Renewed, warnings
	case reported:
		warnings = []issueapi.Warning{issueapi.RejectedTokenIsAlive}
	}
	return t, issueapi.Cached, warnings
}

// response is the function's response with a token.
func (s *IssueServer) response(t *issuedToken, r issueapi.Request, outcome issueapi.Outcome, warnings []issueapi.Warning, now time.Time) []byte {
	body, _ := json.Marshal(issueapi.Response{ // texts, numbers and a list can always be encoded
		Connection:  r.Connection,
		AccessToken: t.secret.Reveal(),
		TokenType:   "bearer",
		ExpiresIn:   t.left(now),
		ExpiresAt:   t.ends.UTC().Truncate(time.Second).Format(time.RFC3339),
		Fingerprint: reltioauth.Fingerprint(t.secret),
		Version:     t.version,
		Outcome:     outcome,
		MinTTLMet:   t.left(now) >= r.MinTTLSeconds,
		Warnings:    warnings,
		APIURL:      s.APIURL,
		TenantID:    s.TenantID,
	})
	return body
}

// readIssueRequest is as strict as the function, so that a test finds requests
// that the function would refuse. problem is empty if the request is valid.
func readIssueRequest(payload []byte) (r issueapi.Request, problem string) {
	members, problems, err := strictMembers(payload)
	if err != nil {
		return r, "payload: " + err.Error()
	}
	read := func(name string, value any, kind, rule string, valid func() bool) {
		raw, found := members[name]
		delete(members, name)
		switch {
		case !found || problems[name] != "":
		case string(raw) == "null" || json.Unmarshal(raw, value) != nil:
			problems[name] = kind
		case !valid():
			problems[name] = rule
		}
	}
	if members[issueapi.FieldConnection] == nil {
		problems[issueapi.FieldConnection] = issueapi.Required
	}
	read(issueapi.FieldConnection, &r.Connection, "must be a string", issueapi.ConnectionRule,
		func() bool { return issueapi.ValidConnection(r.Connection) })
	read(issueapi.FieldMinTTLSeconds, &r.MinTTLSeconds, "must be a whole number", issueapi.MinTTLRule,
		func() bool { return issueapi.ValidMinTTLSeconds(r.MinTTLSeconds) })
	read(issueapi.FieldRejectedFingerprint, &r.RejectedFingerprint, "must be a string", issueapi.FingerprintRule,
		func() bool { return issueapi.ValidFingerprint(r.RejectedFingerprint) })
	return r, listed(problems, members)
}

// listed lists the problems as the function does: by field, and at the end those of
// unknown fields whose names the function does not show.
func listed(problems map[string]string, unknown map[string]json.RawMessage) string {
	const notKnown = "is not known here"
	var unnamed []string
	for name := range unknown {
		if printable.MatchString(name) {
			problems[name] = cmp.Or(problems[name], notKnown)
		} else {
			delete(problems, name)
			unnamed = []string{"a field: " + notKnown}
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		lines = append(lines, name+": "+problems[name])
	}
	return strings.Join(append(lines, unnamed...), "; ")
}

// printable matches the names of unknown fields that the function shows.
var printable = regexp.MustCompile(`^[a-z_]{1,32}$`)

// strictMembers reads one object; problems are those of its repeated members.
func strictMembers(data []byte) (members map[string]json.RawMessage, problems map[string]string, err error) {
	errShape := errors.New("must be one JSON object")
	d := json.NewDecoder(bytes.NewReader(data))
	if first, err := d.Token(); err != nil || first != json.Delim('{') || !utf8.Valid(data) {
		return nil, nil, errShape
	}
	members, problems = map[string]json.RawMessage{}, map[string]string{}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil, nil, errShape
		}
		key, _ := name.(string) // a member's name is always a string
		if members[key] != nil {
			problems[key] = "is repeated"
		}
		members[key] = value
	}
	return members, problems, nil // the caller has checked that the JSON is valid, so the object ends here
}
