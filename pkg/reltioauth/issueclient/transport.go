package issueclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Transport is an http.RoundTripper that signs requests with the token of a
// Source:
//
//	client := &http.Client{Transport: &issueclient.Transport{Source: source}}
//
// A request that Reltio answers with 401 is sent a second time, and never a
// third, if its token was reported and replaced: see RoundTrip. It is safe for
// concurrent use; its fields must not be changed after the first request.
type Transport struct {
	// Source is where tokens come from. Required.
	Source *Source
	// Base sends the requests. Nil means http.DefaultTransport.
	Base http.RoundTripper
	// Hosts are those that the token may be sent to: "host", "host:port", or
	// "*.domain" for everything below a domain; without a port it is the scheme's
	// own. The scheme is https; http is for a loopback address only. Nil means
	// "*.reltio.com". A request to another host is refused, except one that a
	// redirect made: that is sent without the token.
	Hosts []string
	// Retry makes RoundTrip repeat requests that Reltio answers with 502, 503 or
	// 504, as Reltio documents it: at most 10, 12 and 5 tries, and after the nth
	// a wait of 2^n - 1 seconds. Here each wait is lengthened by up to a fifth,
	// so that requests that failed together are not repeated together. (Twelve
	// tries take more than an hour: give the request's context a deadline. A wait
	// that would reach it is not begun.) A longer Retry-After counts.
	//
	// Only requests that can be repeated are repeated: the body, if there is one,
	// must have a GetBody, and the method must be idempotent (RFC 9110, section
	// 9.2.2), because a gateway's 502 or 504 does not say that nothing was done.
	// A POST that may be repeated, like a search, is marked as for net/http, by a
	// header Idempotency-Key; one with an empty list of values is not sent:
	//
	//	req.Header["Idempotency-Key"] = nil
	Retry bool
}

// maxDrain and drainTime bound how much of a discarded response is read, so that
// its connection can be used again.
const (
	maxDrain  = 256 << 10
	drainTime = time.Second
)

// RoundTrip implements http.RoundTripper. It sends a copy of the request with the
// token.
//
// After a 401 it reports the token, once for all requests that failed with it,
// and sends the request again with the token that replaced it. It returns the 401
// itself if the token turns out to be active, or if the body was used up and has
// no GetBody. If there is no other token, it returns the Source's error.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	s := &sending{Transport: t, req: req}
	if err := s.check(); err != nil {
		closeBody(req)
		return nil, err
	}
	ctx := req.Context()
	for try := 1; ; try++ {
		resp, err := s.send(ctx)
		if err != nil || !t.Retry || !s.repeatable() {
			return resp, err
		}
		wait := retryWait(resp, try, t.now(), random())
		if wait == 0 || outlasts(ctx, wait) {
			return resp, nil
		}
		discard(resp)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// sending is the state of one request.
type sending struct {
	*Transport
	req *http.Request
	// signed: the request gets a token.
	signed bool
	// begun: the request's own body was used.
	begun bool
	// renewed: a 401 was followed by a new token.
	renewed bool
}

func (s *sending) check() (err error) {
	if s.Source == nil {
		return errors.New("vended: Transport.Source: is missing")
	}
	s.signed, err = s.signs(s.req)
	return err
}

// send sends the request, and once more with a new token after a 401.
func (s *sending) send(ctx context.Context) (*http.Response, error) {
	if !s.signed {
		return s.attempt(ctx, nil)
	}
	token, err := s.Source.Get(ctx, Options{})
	if err != nil {
		s.close()
		return nil, err
	}
	resp, err := s.attempt(ctx, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || s.renewed {
		return resp, err
	}
	s.renewed = true
	next, err := s.Source.Get(ctx, Options{Rejected: token.Fingerprint})
	switch {
	case !s.rewindable():
		return resp, nil // the token is reported nevertheless, for later requests
	case err != nil:
		discard(resp)
		return nil, err
	case next.Fingerprint == token.Fingerprint:
		return resp, nil
	}
	discard(resp)
	return s.attempt(ctx, next)
}

// attempt sends a copy of the request.
func (s *sending) attempt(ctx context.Context, token *Token) (*http.Response, error) {
	out := s.req.Clone(ctx)
	if s.begun && s.req.GetBody != nil {
		body, err := s.req.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	s.begun = true
	if token != nil {
		out.Header.Set("Authorization", "Bearer "+token.AccessToken.Reveal())
	}
	resp, err := s.base().RoundTrip(out)
	if err != nil {
		return nil, err
	}
	resp.Request = s.req // the caller's own request: printing it shows no token
	return resp, nil
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport //nolint:forbidigo // the documented default; it carries the headers it is given
}

// now is the Source's clock.
func (t *Transport) now() time.Time { return t.Source.now() }

// rewindable reports whether the request's body can be sent again.
func (s *sending) rewindable() bool {
	return s.req.Body == nil || s.req.Body == http.NoBody || s.req.GetBody != nil
}

// repeatable reports whether sending the request twice has the same effect as
// sending it once, by the rules of net/http.
func (s *sending) repeatable() bool {
	if !s.rewindable() {
		return false
	}
	switch s.req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	_, key := s.req.Header["Idempotency-Key"]
	_, xKey := s.req.Header["X-Idempotency-Key"]
	return key || xKey
}

// close closes a body that was not read, as a RoundTripper must.
func (s *sending) close() {
	if !s.begun {
		closeBody(s.req)
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // nothing was read
	}
}

// discard reads the rest of a response that is not returned. A body that does not
// end in time is closed, which ends the reading of net/http's bodies.
func discard(resp *http.Response) {
	late := time.AfterFunc(drainTime, func() { _ = resp.Body.Close() })
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain) // an error changes nothing: reading only lets the connection be used again
	_ = resp.Body.Close()
}
