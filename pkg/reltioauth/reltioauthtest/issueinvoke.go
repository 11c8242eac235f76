package reltioauthtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	// maxPayload is Lambda's limit for synchronous invocations.
	maxPayload = 6 << 20
	// maxMinTTL is the longest life that a caller may ask for, in seconds.
	maxMinTTL = 86400
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

// issueRequest is a request to the function.
type issueRequest struct {
	connection string
	minTTL     int64
	rejected   string
}

// issue is the function.
func (s *IssueServer) issue(payload []byte) ([]byte, *functionError) {
	r, problem := readIssueRequest(payload)
	if problem != "" {
		return nil, &functionError{Type: "InvalidRequest", Message: problem}
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[r.connection]++
	if !s.exists(r.connection) {
		return nil, &functionError{Type: "UnknownConnection", Message: "no connection has this name"}
	}
	if failed := s.failures[r.connection]; failed.Type != "" {
		return nil, &failed
	}
	t, outcome, warnings := s.choose(r, now)
	return t.issued(r, outcome, warnings, now), nil
}

// choose finds the token to issue, or makes it. The caller holds mu.
func (s *IssueServer) choose(r issueRequest, now time.Time) (t *issuedToken, outcome string, warnings []string) {
	t = s.issued[r.connection]
	reported := t.left(now) > 0 && r.rejected == reltioauth.Fingerprint(t.secret)
	switch {
	case t.left(now) < 1, reported && t.killed, t.left(now) < r.minTTL && now.Sub(t.made) > t.ends.Sub(now):
		return s.renew(r.connection, now), "renewed", nil
	case reported:
		warnings = []string{"rejected_token_is_alive"}
	}
	return t, "cached", warnings
}

// issued is a response: always these eleven members.
func (t *issuedToken) issued(r issueRequest, outcome string, warnings []string, now time.Time) []byte {
	return object(make([]byte, 0, 512)).
		addText("connection", r.connection).
		addText("access_token", t.secret.Reveal()).
		addText("token_type", "bearer").
		addText("scope", "").
		addRaw("expires_in", strconv.FormatInt(t.left(now), 10)).
		addText("expires_at", t.ends.UTC().Truncate(time.Second).Format(time.RFC3339)).
		addText("fingerprint", reltioauth.Fingerprint(t.secret)).
		addRaw("version", strconv.FormatInt(t.version, 10)).
		addText("outcome", outcome).
		addRaw("min_ttl_met", strconv.FormatBool(t.left(now) >= r.minTTL)).
		addList("warnings", warnings).
		end()
}

var (
	connectionName   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	fingerprintShape = regexp.MustCompile(`^sha256:[0-9a-f]{32}$`)
)

// readIssueRequest is as strict as the function, so that a test finds requests
// that the function would refuse. problem is empty if the request is valid.
func readIssueRequest(payload []byte) (r issueRequest, problem string) {
	members, err := strictMembers(payload)
	if err != nil {
		return r, "payload: " + err.Error()
	}
	var problems []string
	read := func(name string, value any, valid func() bool) {
		raw, found := members[name]
		delete(members, name)
		if found && (string(raw) == "null" || json.Unmarshal(raw, value) != nil || !valid()) {
			problems = append(problems, name+": must be another value")
		}
	}
	if members["connection"] == nil {
		problems = append(problems, "connection: is required")
	}
	read("connection", &r.connection, func() bool { return connectionName.MatchString(r.connection) })
	read("min_ttl_seconds", &r.minTTL, func() bool { return r.minTTL >= 0 && r.minTTL <= maxMinTTL })
	read("rejected_fingerprint", &r.rejected, func() bool { return fingerprintShape.MatchString(r.rejected) })
	if len(members) > 0 {
		problems = append(problems, "a field: is not known here")
	}
	slices.Sort(problems)
	return r, strings.Join(problems, "; ")
}

// strictMembers reads one object, in which no member is repeated.
func strictMembers(data []byte) (map[string]json.RawMessage, error) {
	errShape := errors.New("must be one JSON object")
	d := json.NewDecoder(bytes.NewReader(data))
	if first, err := d.Token(); err != nil || first != json.Delim('{') || !utf8.Valid(data) {
		return nil, errShape
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil, errShape
		}
		key, _ := name.(string) // a member's name is always a string
		if members[key] != nil {
			return nil, errors.New("a field is repeated")
		}
		members[key] = value
	}
	return members, nil // the caller has checked that the JSON is valid, so the object ends here
}
