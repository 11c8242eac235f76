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

// Connector opens one connection to the authorization server, whose address it
// gets as scheme and host. It returns when the connection is ready for a request:
// TCP and TLS are done. The context ends after DialTimeout, and when Connector
// returns: it bounds the dialling, not the connection.
//
// Connectors are for tests, and for networks that need more than a dial.
type Connector func(ctx context.Context, authURL *url.URL) (Transport, error)

// Transport is one open connection.
//
// RoundTrip sends the request once and returns the response as it is: no retry,
// no redirect, no other host. If no byte of the request was sent, it returns an
// error that matches ErrNotSent; after any other error the request counts as
// sent. The request's context also bounds the reading of the body.
//
// Requests are sent one after the other. Close is called after them, perhaps more
// than once.
// once.
type Transport interface {
	http.RoundTripper
	io.Closer
}

// ErrNotSent is matched by the error of a Transport if certainly no part of the
// request was sent.
const ErrNotSent constError = "request not sent"

// Conn is an open connection of a Client, made by Dial. One goroutine uses it at
// a time.
//
// It takes several requests, one after the other, as long as the server keeps it
// open. It is not opened again: after an error, or after a response with which
// the server closed it, the next request fails with ErrUnavailable, ErrNotSent
// and Error.Sent false. After a long wait, a closed connection may be noticed
// only when the request is sent. The one exception is the second request of
// Introspect and Revoke, for which they dial again if they have to.
type Conn struct {
	client    Client
	authURL   *url.URL
	transport Transport
}

// Close closes the connection.
func (c *Conn) Close() error { return c.transport.Close() }

// discard closes a connection that is no longer needed. A failure to close does
// not change the response.
func (c *Conn) discard() { _ = c.Close() }

// request is a call of the authorization server before it is encoded as HTTP.
type request struct {
	op, grantType string
	query, form   url.Values
	client        *Client
	clientAuth    ClientAuth
}

func (c *Conn) newRequest(op, grantType string, query, form url.Values) *request {
	return &request{
		op: op, grantType: grantType, query: query, form: form,
		client: &c.client, clientAuth: c.client.ClientAuth,
	}
}

// redactor is for the request's secrets. It is made only when an error needs it,
// not before the request is sent.
func (r *request) redactor() redactor { return r.client.redactor(r.query, r.form) }

// http makes the HTTP request. The operations have the names of their paths.
func (r *request) http(ctx context.Context, authURL *url.URL) (*http.Request, error) {
	header := http.Header{
		"Accept":          {"application/json"},
		"Accept-Encoding": {"identity"}, // readBody unpacks gzip nevertheless
		"Content-Type":    {"application/x-www-form-urlencoded"},
		"User-Agent":      {"reltioauth"},
	}
	r.client.authenticate(header, r.form, r.clientAuth)
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

// exchange makes the one round trip. A response whose body ended early is
// returned; its readErr says so.
func (c *Conn) exchange(ctx context.Context, r *request) (*answer, error) {
	req, err := r.http(ctx, c.authURL)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, r.unanswered(ctx, err, false)
	}
	sentAt := c.client.now()
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, r.unanswered(ctx, err, !errors.Is(err, ErrNotSent))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBody(resp.Body)
	a := &answer{
		status:     resp.StatusCode,
		page:       isPage(body),
		body:       body,
		retryAfter: retryAfter(resp.Header, c.client.now),
		sentAt:     sentAt,
	}
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errPacked):
		a.readErr = err
	case err != nil:
		a.readErr, a.cutOff = r.redactor().transportCause(err), true
		a.reason = networkReason(ctx, err, reasonLost)
	}
	return a, nil
}

// unanswered is the error of a round trip without a response.
func (r *request) unanswered(ctx context.Context, err error, sent bool) *Error {
	return &Error{
		Op:        r.op,
		GrantType: r.grantType,
		Code:      ErrUnavailable,
		Sent:      sent,
		Err:       r.redactor().transportCause(err),
		reason:    networkReason(ctx, err, reasonLost),
	}
}

// answer is the server's response.
type answer struct {
	status     int
	page       bool // a page for people, from something in front of the server
	body       []byte
	readErr    error  // the body as a whole cannot be used: cut off, too large, badly packed
	cutOff     bool   // the body ended early, or was not complete in time
	reason     string // of cutOff, for Error.Reason
	retryAfter time.Duration
	sentAt     time.Time
}

// success reports whether the response is a 2xx of the server, and not a page.
func (a *answer) success() bool { return a.status/100 == 2 && !a.page }

// refused reports whether the response is a clear refusal of the server: a
// readable 4xx that is neither a page nor a 429.
func (a *answer) refused() bool {
	return a.status/100 == 4 && a.status != http.StatusTooManyRequests && !a.page && a.readErr == nil
}
