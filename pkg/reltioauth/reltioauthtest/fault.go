package reltioauthtest

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"
)

// Fault is a failure that is injected into one request. The zero value is no
// fault.
type Fault struct {
	// Kind is the failure.
	Kind FaultKind
	// Delay passes before the server does anything. If the caller leaves in this
	// time, the server does nothing.
	Delay time.Duration
	// Hold passes between the server's action and its response. If the caller
	// leaves in this time, it never gets the response.
	Hold time.Duration
	// Acted makes the server act before FaultCut, FaultStatus, FaultHTML or
	// FaultEmpty replaces its response.
	Acted bool
	// Status is the status of FaultStatus (zero means 503), FaultHTML and
	// FaultEmpty (zero means 200), FaultFirewall (zero means 403).
	Status int
	// Body and Header are sent with FaultStatus. An empty body is a short JSON
	// object. For FaultUserStore and FaultClientStore Body is the text of the
	// server's exception, if it is not empty.
	Body   string
	Header http.Header
}

// FaultKind names a failure.
type FaultKind int

// The kinds of faults.
const (
	// FaultNone lets the request through, after its delay.
	FaultNone FaultKind = iota
	// FaultUnreachable, as an outage of all operations, makes Connector refuse
	// new connections, and open connections pass nothing: the server sees no
	// request. In all other cases it is FaultCut.
	FaultUnreachable
	// FaultCut ends the connection without a response.
	FaultCut
	// FaultTruncate acts, and ends the connection in the middle of the response.
	FaultTruncate
	// FaultStatus responds with Status.
	FaultStatus
	// FaultHTML responds with a web page.
	FaultHTML
	// FaultEmpty responds without a body.
	FaultEmpty
	// FaultInvalidGrant refuses password, refresh_token and authorization_code
	// requests, right or not. A refused login counts as a bad login.
	FaultInvalidGrant
	// FaultInvalidClient refuses every client, right or not.
	FaultInvalidClient
	// FaultRateLimit responds with 429 to every token request.
	FaultRateLimit
	// FaultFirewall responds with the page of a firewall; no request reaches the
	// server.
	FaultFirewall
	// FaultUserStore makes the server's users unreadable: a login is refused with
	// 401 unauthorized and the exception's text, a refresh in the same way or as
	// [Behaviour].ServerErrorAtRefresh says. A server with RefreshIgnoresUser
	// still refreshes.
	FaultUserStore
	// FaultClientStore makes the server's clients unreadable: every request of a
	// client is refused with 401 unauthorized and the exception's text.
	FaultClientStore
)

// Outage is a fault of the server as a whole.
type Outage struct {
	// Fault is what happens to each request.
	Fault Fault
	// Ops are the operations that fail. Empty means all.
	Ops []Op
	// From and Until are its time. Zero means from now on, and until Outage is
	// called again.
	From, Until time.Time
}

// Outage replaces any earlier outage. The zero Outage ends it.
func (s *Server) Outage(o Outage) {
	if o.isZero() {
		s.outage.Store(nil)
		return
	}
	o.Ops = slices.Clone(o.Ops)
	s.outage.Store(&o)
}

// isZero reports whether the outage changes no request.
func (o *Outage) isZero() bool {
	return o.Fault.Kind == FaultNone && o.Fault.Delay == 0 && o.Fault.Hold == 0
}

// covers reports whether the outage is in effect.
func (o *Outage) covers(now time.Time) bool {
	return o != nil && !now.Before(o.From) && (o.Until.IsZero() || now.Before(o.Until))
}

// faultFor is the fault of the request.
func (s *Server) faultFor(c *call) Fault {
	o := s.outage.Load()
	if o.covers(c.req.At) && (len(o.Ops) == 0 || slices.Contains(o.Ops, c.req.Op)) {
		return o.Fault
	}
	if c.set.Fault != nil {
		return c.set.Fault(c.req)
	}
	return Fault{}
}

// replaces reports whether the fault's own response replaces the server's.
func (f Fault) replaces() bool {
	switch f.Kind {
	case FaultUnreachable, FaultCut, FaultStatus, FaultHTML, FaultEmpty, FaultFirewall:
		return true
	default:
		return false
	}
}

// acts reports whether the server acts on the request nevertheless.
func (f Fault) acts() bool {
	return !f.replaces() || (f.Acted && f.Kind != FaultUnreachable)
}

// answer is the response that replaces the server's.
func (f Fault) answer() answer {
	switch f.Kind {
	case FaultHTML:
		return answer{
			status: orStatus(f.Status, http.StatusOK), contentType: contentHTML,
			body: []byte(outagePage), header: f.Header, outcome: OutcomeFault,
		}
	case FaultFirewall:
		return answer{
			status: orStatus(f.Status, http.StatusForbidden), contentType: contentHTML,
			body: []byte(firewallPage), header: f.Header, outcome: OutcomeFault,
		}
	case FaultEmpty:
		return answer{status: orStatus(f.Status, http.StatusOK), header: f.Header, outcome: OutcomeFault}
	case FaultStatus:
		body := f.Body
		if body == "" {
			body = `{"error":"server_error","error_description":"out of order"}`
		}
		return answer{
			status: orStatus(f.Status, http.StatusServiceUnavailable), contentType: contentJSON,
			body: []byte(body), header: f.Header, outcome: OutcomeFault,
		}
	default:
		return answer{cut: true, outcome: OutcomeCut}
	}
}

// outagePage is the page of a proxy that cannot reach the server.
const outagePage = `<!DOCTYPE html><html><head><title>Service Unavailable</title></head>` +
	`<body><h1>Service Unavailable</h1><p>We will be back soon.</p></body></html>`

// firewallPage is the page of a firewall that blocks the caller.
const firewallPage = `<html><head><title>Access Denied</title></head>` +
	`<body><h1>Access Denied</h1><p>You don't have permission to access this server.</p></body></html>`

// text is the text of the exception of a store that is down.
func (f Fault) text(otherwise string) string { return cmp.Or(f.Body, otherwise) }

func orStatus(status, otherwise int) int {
	if status == 0 {
		return otherwise
	}
	return status
}

// wait waits for d, or until the caller leaves. Package internal/ratelimit
// has the same lines, but a package that other programs use imports none of internal.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
