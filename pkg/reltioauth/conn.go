package reltioauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody is how much of an answer is read: 1 MiB.
const maxBody = 1 << 20

// Connector opens one connection to the authorization server, whose address
// it gets as scheme and host. It returns when the connection is ready for a
// request: TCP and TLS are done. The context ends after DialTimeout, and ends
// with Connector's return: it bounds the dialling and not the connection.
//
// Connectors are for tests, and for networks that need more than a dial.
type Connector func(ctx context.Context, authURL *url.URL) (Transport, error)

// Transport is one open connection.
//
// RoundTrip sends the request once and returns the answer as it is: no retry,
// no redirect, no other host. If no byte of the request left it returns an
// error that matches ErrNotSent; after any other error the request counts as
// sent. The request's context bounds the answer's body too.
//
// Requests come one after the other. Close comes after them, perhaps more than
// once.
type Transport interface {
	http.RoundTripper
	io.Closer
}

// ErrNotSent is matched by the error of a Transport whose request certainly
// did not leave, not even in part.
const ErrNotSent constError = "request not sent"

// Conn is an open connection of a Client, made by Dial. One goroutine uses it
// at a time.
//
// It takes several requests, one after the other, as long as the server keeps
// it open. It is never opened again: after an error, or after an answer with
// which the server closed it, the next request fails with ErrUnavailable,
// ErrNotSent and Error.Sent false. A connection that waited for long may turn
// out to be closed only when the request is on its way.
type Conn struct {
	client    Client
	authURL   *url.URL
	transport Transport
}

// Close closes the connection.
func (c *Conn) Close() error { return c.transport.Close() }

// discard closes a connection that has done its work: how it ends changes
// nothing about the answer.
func (c *Conn) discard() { _ = c.Close() }

// request is a call of the authorization server before it is HTTP.
type request struct {
	op, grantType string
	query, form   url.Values
	client        *Client
}

func (c *Conn) newRequest(op, grantType string, query, form url.Values) *request {
	return &request{op: op, grantType: grantType, query: query, form: form, client: &c.client}
}

// redactor for what the request carries. It is made when it is needed, and not
// before the request is sent.
func (r *request) redactor() redactor { return r.client.redactor(r.query, r.form) }

// http makes the request that goes on the wire. The operations are named as
// their paths are.
func (r *request) http(ctx context.Context, authURL *url.URL) (*http.Request, error) {
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
		"User-Agent":   {"reltioauth"},
	}
	r.client.authenticate(header, r.form)
	target := *authURL
	target.Path = "/oauth/" + r.op
	target.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(r.form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header = header
	return req, nil
}

// exchange makes the one round trip. An answer whose body ended early is an
// answer; its readErr says so.
func (c *Conn) exchange(ctx context.Context, r *request) (*answer, error) {
	req, err := r.http(ctx, c.authURL)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, r.unanswered(err, false)
	}
	sentAt := c.client.now()
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, r.unanswered(err, !errors.Is(err, ErrNotSent))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	a := &answer{
		status:     resp.StatusCode,
		html:       isHTML(resp.Header, body),
		body:       body[:min(len(body), maxBody)],
		retryAfter: retryAfter(resp.Header, c.client.now),
		sentAt:     sentAt,
	}
	switch {
	case err != nil:
		a.readErr = r.redactor().transportCause(err)
	case len(body) > maxBody:
		a.readErr = errTooLarge
	}
	return a, nil
}

// unanswered is the error of a round trip without an answer.
func (r *request) unanswered(err error, sent bool) *Error {
	return &Error{
		Op:        r.op,
		GrantType: r.grantType,
		Code:      ErrUnavailable,
		Sent:      sent,
		Err:       r.redactor().transportCause(err),
	}
}

// answer is what came back.
type answer struct {
	status     int
	html       bool // a page for people, from something in front of the server
	body       []byte
	readErr    error // the body is not whole: cut off, too late, too large
	retryAfter time.Duration
	sentAt     time.Time
}

// success reports whether the answer is one of the server, to the point.
func (a *answer) success() bool { return a.status/100 == 2 && !a.html }

// refused reports whether the answer is the server's clear no: a 4xx, whole,
// that is neither a page nor a plea to slow down.
func (a *answer) refused() bool {
	return a.status/100 == 4 && a.status != http.StatusTooManyRequests && !a.html && a.readErr == nil
}
