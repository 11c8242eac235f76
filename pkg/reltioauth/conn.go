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
// it open. It is not opened again: after an error, or after an answer with
// which the server closed it, the next request fails with ErrUnavailable,
// ErrNotSent and Error.Sent false. A connection that waited for long may turn
// out to be closed only when the request is on its way. The one exception is the
// second request of Check and Revoke, for which they dial if they have to.
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
	clientAuth    ClientAuth
}

func (c *Conn) newRequest(op, grantType string, query, form url.Values) *request {
	return &request{
		op: op, grantType: grantType, query: query, form: form,
		client: &c.client, clientAuth: c.client.ClientAuth,
	}
}

// redactor for what the request carries. It is made when it is needed, and not
// before the request is sent.
func (r *request) redactor() redactor { return r.client.redactor(r.query, r.form) }

// http makes the request that goes on the wire. The operations are named as
// their paths are.
func (r *request) http(ctx context.Context, authURL *url.URL) (*http.Request, error) {
	header := http.Header{
		"Accept":          {"application/json"},
		"Accept-Encoding": {"identity"}, // readBody unpacks gzip all the same
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

// exchange makes the one round trip. An answer whose body ended early is an
// answer; its readErr says so.
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

// unanswered is the error of a round trip without an answer.
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

// answer is what came back.
type answer struct {
	status     int
	page       bool // for people, from something in front of the server
	body       []byte
	readErr    error  // the body is of no use as a whole: cut off, too large, badly packed
	cutOff     bool   // the body ended early, or not in time
	reason     string // of cutOff, for Error.Reason
	retryAfter time.Duration
	sentAt     time.Time
}

// success reports whether the answer is one of the server, to the point.
func (a *answer) success() bool { return a.status/100 == 2 && !a.page }

// refused reports whether the answer is the server's clear no: a 4xx that can be
// read, and that is neither a page nor a plea to slow down.
func (a *answer) refused() bool {
	return a.status/100 == 4 && a.status != http.StatusTooManyRequests && !a.page && a.readErr == nil
}
