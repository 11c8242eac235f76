package reltioauthtest

import (
	"bytes"
	"net/http"
	"slices"
	"time"
)

// Request is the server's record of one request. It holds no secret.
type Request struct {
	// At is when it arrived.
	At time.Time
	// Op is the operation.
	Op Op
	// GrantType is set for a token request.
	GrantType string
	// ClientID and User are those that the request names, or else those of its
	// token. User is in lower case.
	ClientID, User string
	// Presented is the fingerprint of the token, refresh token or code that
	// the request holds.
	Presented string
	// Outcome is how it ended; OutcomePending until it has.
	Outcome Outcome
	// Acted says that the server did what the request asked for, whether or not
	// the caller got the response.
	Acted bool
	// Status is that of the response sent; zero if there was none.
	Status int
	// AccessToken and RefreshToken are the fingerprints of the tokens given.
	AccessToken, RefreshToken string
}

// Op is an operation of the server.
type Op string

// The operations.
const (
	OpToken      Op = "token"
	OpRevoke     Op = "revoke"
	OpCheckToken Op = "checkToken"
	OpSSO        Op = "sso"   // the login page
	OpLogin      Op = "login" // the login page, sent
	OpOther      Op = "other" // an address that the server does not have
)

// Outcome is how a request ended: one of these, or the error code of the response
// ("invalid_grant").
type Outcome string

// The outcomes that are not error codes.
const (
	OutcomePending     Outcome = "pending"
	OutcomeOK          Outcome = "ok"
	OutcomeMFARequired Outcome = "mfa_required"
	OutcomeRateLimited Outcome = "rate_limited"
	OutcomeTokenLimit  Outcome = "token_limit" // the cap of Multi Token Support
	OutcomeCut         Outcome = "cut"
	OutcomeAbandoned   Outcome = "abandoned" // the caller left
	OutcomeFault       Outcome = "fault"     // another response replaced the server's
)

// record is the server's record of requests.
type record struct {
	keep     int // 0 all, negative none
	requests []Request
	count    int // of all requests so far; the number of the next
	times    []int64
	windows  map[time.Duration]*slidingMax
	// When logins were refused or unclear, by user, and when clients were
	// refused, by client.
	logins, unclear, clients map[string][]time.Time
}

func newRecord(keep int) record {
	return record{
		keep:    keep,
		windows: make(map[time.Duration]*slidingMax),
		logins:  make(map[string][]time.Time),
		unclear: make(map[string][]time.Time),
		clients: make(map[string][]time.Time),
	}
}

// begin records a request that has arrived, and numbers it.
func (r *record) begin(req Request) int {
	if req.Op == OpToken {
		at := req.At.UnixNano()
		r.times = append(r.times, at)
		for _, window := range r.windows {
			window.add(at)
		}
	}
	number := r.count
	r.count++
	switch {
	case r.keep < 0:
	case r.keep == 0 || len(r.requests) < r.keep:
		r.requests = append(r.requests, req)
	default:
		r.requests[number%r.keep] = req
	}
	return number
}

// finish completes the entry, if it is still kept, and counts refusals.
func (r *record) finish(number int, req Request, refused refused) {
	if req.Op == OpToken {
		r.count4xx(req, refused)
	}
	switch {
	case r.keep < 0:
	case r.keep == 0:
		r.requests[number] = req
	case number >= r.count-r.keep:
		r.requests[number%r.keep] = req
	}
}

// refused says how a token request was refused, whether or not the caller got the
// response.
type refused struct{ login, unclear, client bool }

// refusalOf classifies a request by the server's decision and by the response. A
// refusal of the credentials with 400 counts towards a lock. Any other 4xx to a
// login (but 408 and 429) is unclear: it may be about the client, or come from
// something in front of the server.
func refusalOf(c *call, a answer) refused {
	var r refused
	switch c.verdict {
	case "invalid_client", "unauthorized", "unauthorized_client":
		r.client = c.fault.Kind != FaultUserStore && c.fault.Kind != FaultClientStore
	}
	if c.req.GrantType != grantPassword && c.req.GrantType != grantStateToken {
		return r
	}
	status := c.req.Status
	r.login = c.verdict == "invalid_grant" || (c.verdict == "" && status == http.StatusBadRequest && !aboutRequest(a.body))
	r.unclear = !r.login && status >= 401 && status < 500 &&
		status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
	return r
}

// aboutRequest reports whether a body holds a code about the request itself.
func aboutRequest(body []byte) bool {
	for _, code := range []string{"invalid_request", "invalid_scope", "unsupported_grant_type"} {
		if bytes.Contains(body, []byte(code)) {
			return true
		}
	}
	return false
}

func (r *record) count4xx(req Request, refused refused) {
	if refused.login {
		r.logins[req.User] = append(r.logins[req.User], req.At)
	}
	if refused.unclear {
		r.unclear[req.User] = append(r.unclear[req.User], req.At)
	}
	if refused.client {
		r.clients[req.ClientID] = append(r.clients[req.ClientID], req.At)
	}
}

// Requests returns the requests that are kept, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.record
	all := make([]Request, 0, len(r.requests))
	if r.keep > 0 && r.count > r.keep {
		oldest := r.count % r.keep
		all = append(all, r.requests[oldest:]...)
		return append(all, r.requests[:oldest]...)
	}
	return append(all, r.requests...)
}

// TokenRequests counts the requests to the token endpoint that arrived from from
// until before to, whatever their outcome. A zero from is the beginning, a zero
// to the end.
func (s *Server) TokenRequests(from, to time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := s.record.times
	first, end := 0, len(times)
	if !from.IsZero() {
		first, _ = slices.BinarySearch(times, from.UnixNano())
	}
	if !to.IsZero() {
		end, _ = slices.BinarySearch(times, to.UnixNano())
	}
	return max(0, end-first)
}

// RefusedLogins counts the logins of a user (password, and the second step with a
// state token) that were refused because of the user's credentials or state, from
// from until before to, with zero as in TokenRequests. It counts those that the
// server refused with invalid_grant, and any other response with 400 that has no
// code about the request, whether or not the caller got the response. Logins at
// the login page are not counted.
func (s *Server) RefusedLogins(user string, from, to time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return countBetween(s.record.logins[userKey(user)], from, to)
}

// UnclearLogins counts in the same way the logins that ended in any other 4xx but
// 408 and 429: a refused client, a store that is down, a firewall's page.
func (s *Server) UnclearLogins(user string, from, to time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return countBetween(s.record.unclear[userKey(user)], from, to)
}

// RefusedClients counts in the same way the token requests that were refused
// because of the client: invalid_client, unauthorized, unauthorized_client,
// except those during an outage of a store.
func (s *Server) RefusedClients(clientID string, from, to time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return countBetween(s.record.clients[clientID], from, to)
}

func countBetween(times []time.Time, from, to time.Time) int {
	n := 0
	for _, t := range times {
		if !t.Before(from) && (to.IsZero() || t.Before(to)) {
			n++
		}
	}
	return n
}

// MaxTokenRequests is the largest number of token requests that ever arrived
// within one window of the given length, wherever it begins. Two requests exactly
// a window apart are in different windows. The first call for a window reads all
// requests; from then on they are counted as they arrive.
func (s *Server) MaxTokenRequests(window time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.record.windows[window]
	if most == nil {
		most = &slidingMax{count: slidingCount{window: window}}
		for _, at := range s.record.times {
			most.add(at)
		}
		s.record.windows[window] = most
	}
	return most.max
}
