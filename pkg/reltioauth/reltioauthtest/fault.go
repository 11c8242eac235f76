package reltioauthtest

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"
)

// Fault is what goes wrong with one request. The zero value is nothing.
type Fault struct {
	// Kind is the thing that happens.
	Kind FaultKind
	// Delay passes before the server does anything. A caller that goes away
	// meanwhile has changed nothing.
	Delay time.Duration
	// Hold passes between the server's acting and its answer. A caller that
	// goes away meanwhile never learns what it was given.
	Hold time.Duration
	// Acted lets the server act before FaultCut, FaultStatus, FaultHTML or
	// FaultEmpty takes its answer's place.
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

// FaultKind names what goes wrong.
type FaultKind int

// The kinds of faults.
const (
	// FaultNone lets the request through, after its delay.
	FaultNone FaultKind = iota
	// FaultUnreachable, as an outage of all operations, lets Connector open no
	// connection and nothing through those that are open: the server sees no
	// request. Anywhere else it is FaultCut.
	FaultUnreachable
	// FaultCut ends the connection instead of answering.
	FaultCut
	// FaultTruncate acts, and ends the connection halfway through the answer.
	FaultTruncate
	// FaultStatus answers with Status.
	FaultStatus
	// FaultHTML answers with a web page.
	FaultHTML
	// FaultEmpty answers with no body.
	FaultEmpty
	// FaultInvalidGrant refuses password, refresh_token and
	// authorization_code requests, right or not. A refused login counts as a
	// bad one.
	FaultInvalidGrant
	// FaultInvalidClient refuses every client, right or not.
	FaultInvalidClient
	// FaultRateLimit answers 429 to every token request.
	FaultRateLimit
	// FaultFirewall answers with the page of a firewall, which lets nothing
	// through to the server.
	FaultFirewall
	// FaultUserStore takes the server's users away: a login is refused with 401
	// unauthorized and the exception's text, a refresh in the same way or as
	// [Behaviour].ServerErrorAtRefresh says. A server with RefreshIgnoresUser
	// goes on refreshing.
	FaultUserStore
	// FaultClientStore takes the server's clients away: whatever a client asks
	// for is refused with 401 unauthorized and the exception's text.
	FaultClientStore
)

// Outage is a fault of the server as a whole.
type Outage struct {
	// Fault is what happens to each request.
	Fault Fault
	// Ops are the operations concerned. Empty means all.
	Ops []Op
	// From and Until bound it in time. Zero means from now on, and until
	// Outage is called again.
	From, Until time.Time
}

// Outage takes the place of any outage before it. The zero Outage ends it.
func (s *Server) Outage(o Outage) {
	if o.isZero() {
		s.outage.Store(nil)
		return
	}
	o.Ops = slices.Clone(o.Ops)
	s.outage.Store(&o)
}

// isZero reports whether nothing would happen to any request.
func (o *Outage) isZero() bool {
	return o.Fault.Kind == FaultNone && o.Fault.Delay == 0 && o.Fault.Hold == 0
}

// covers reports whether the outage is on.
func (o *Outage) covers(now time.Time) bool {
	return o != nil && !now.Before(o.From) && (o.Until.IsZero() || now.Before(o.Until))
}

// faultFor is what happens to the request.
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

// replaces reports whether the fault's own answer takes the place of the
// server's.
func (f Fault) replaces() bool {
	switch f.Kind {
	case FaultUnreachable, FaultCut, FaultStatus, FaultHTML, FaultEmpty, FaultFirewall:
		return true
	default:
		return false
	}
}

// acts reports whether the server acts on the request all the same.
func (f Fault) acts() bool {
	return !f.replaces() || (f.Acted && f.Kind != FaultUnreachable)
}

// answer is what the caller sees instead of the server's answer.
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

// outagePage is what a proxy shows when there is nothing behind it.
const outagePage = `<!DOCTYPE html><html><head><title>Service Unavailable</title></head>` +
	`<body><h1>Service Unavailable</h1><p>We will be back soon.</p></body></html>`

// firewallPage is what a firewall shows to a caller that it does not like.
const firewallPage = `<html><head><title>Access Denied</title></head>` +
	`<body><h1>Access Denied</h1><p>You don't have permission to access this server.</p></body></html>`

// text is that of the exception of a store that is down.
func (f Fault) text(otherwise string) string { return cmp.Or(f.Body, otherwise) }

func orStatus(status, otherwise int) int {
	if status == 0 {
		return otherwise
	}
	return status
}

// wait lets d pass, unless the caller goes away first.
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
