package reltioauthtest

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// IssueServer stands in for the Lambda function issue, for the tests of
// integrations that call Reltio with the tokens it issues. It is the Invoke API
// of Lambda as an http.Handler, so every AWS SDK can call it, and it knows which
// tokens a tenant API must refuse:
//
//	issuer := &reltioauthtest.IssueServer{}
//	lambdaAPI := httptest.NewServer(issuer)            // AWS_ENDPOINT_URL_LAMBDA
//	tenant := httptest.NewServer(issuer.Tenant(myAPI)) // 401 for tokens that are not valid
//	issuer.Kill("acme-prod")                           // a 401 on demand
//
// It handles POST /2015-03-31/functions/NAME/invocations, for any name, alias or
// ARN, exactly as the function does: the members of responses, the errorTypes,
// the requests that it refuses. There is no Reltio behind it: it makes the tokens
// itself, a connection exists as soon as a caller asks for it, and failures are
// those that a test asks for.
//
// The zero value is ready. It is safe for concurrent use; its fields must not be
// changed after the first call.
type IssueServer struct {
	// Connections are those that exist. Empty means every valid name.
	Connections []string
	// APIURL and TenantID are those of each connection. Empty means none.
	APIURL, TenantID string
	// Life is the life of each token. Zero means an hour.
	Life time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	mu        sync.Mutex // guards the rest
	issued    map[string]*issuedToken
	tokens    map[string]*issuedToken // by fingerprint
	failures  map[string]issueapi.Error
	throttled int
	asked     map[string]int
}

// issuedToken is a token and its details.
type issuedToken struct {
	secret  reltioauth.Secret
	version int64
	made    time.Time
	ends    time.Time
	killed  bool
}

// Kill ends the connection's token early: Tenant refuses it from now on, and the
// function does not know. It returns the token's fingerprint, "" if there is
// none.
func (s *IssueServer) Kill(connection string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.issued[connection]
	if t == nil {
		return ""
	}
	t.killed = true
	return reltioauth.Fingerprint(t.secret)
}

// Renew gives the connection a new token, as the schedule does. The previous one
// stays valid until its deadline.
func (s *IssueServer) Renew(connection string) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(connection, now)
}

// Fail makes the function fail for the connection from now on, with an errorType
// of issue ("ReauthorizationRequired") and its message ("a person must log in";
// "retry after 3 s" for RateLimited). An empty errorType ends it.
func (s *IssueServer) Fail(connection, errorType, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == nil {
		s.failures = map[string]issueapi.Error{}
	}
	s.failures[connection] = issueapi.Error{Type: issueapi.ErrorType(errorType), Message: message}
}

// Throttle makes the next n invocations fail with Lambda's own 429.
func (s *IssueServer) Throttle(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttled = n
}

// Asked is how often the function was invoked for the connection, without
// throttled invocations.
func (s *IssueServer) Asked(connection string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[connection]
}

// Valid reports whether Tenant would accept the token.
func (s *IssueServer) Valid(token reltioauth.Secret) bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[reltioauth.Fingerprint(token)]
	return t != nil && t.valid(now)
}

func (t *issuedToken) valid(now time.Time) bool { return !t.killed && now.Before(t.ends) }

// left is a token's remaining life in whole seconds, rounded down; 0 if it has
// expired.
func (t *issuedToken) left(now time.Time) int64 {
	if t == nil {
		return 0
	}
	return int64(t.ends.Sub(now) / time.Second)
}

// renew makes a token. The caller holds mu.
func (s *IssueServer) renew(connection string, now time.Time) *issuedToken {
	life := s.Life
	orDefault(&life, DefaultAccessTokenTTL)
	t := &issuedToken{secret: reltioauth.NewSecret(strings.ToLower(rand.Text())), version: 1, made: now, ends: now.Add(life)}
	if last := s.issued[connection]; last != nil {
		t.version = last.version + 1
	}
	if s.issued == nil {
		s.issued, s.tokens = map[string]*issuedToken{}, map[string]*issuedToken{}
	}
	s.issued[connection] = t
	s.tokens[reltioauth.Fingerprint(t.secret)] = t
	return t
}

func (s *IssueServer) exists(connection string) bool {
	return len(s.Connections) == 0 || slices.Contains(s.Connections, connection)
}

func (s *IssueServer) now() time.Time {
	if s.Now == nil {
		return time.Now().Round(0) //nolint:forbidigo // the documented default
	}
	return s.Now().Round(0)
}
