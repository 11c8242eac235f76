package simulation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Transit of a request: its spread stays within what the rate allows for.
const (
	transitFrom = 5 * time.Millisecond
	transitTo   = 60 * time.Millisecond
	// tooLong is longer than any client waits for an answer.
	tooLong = reltioauth.TokenTimeout
)

// connect implements reltioauth.Connector.
func (i *Instance) connect(ctx context.Context, u *url.URL) (reltioauth.Transport, error) {
	h := i.w.hosts[u.Hostname()+":443"]
	return perform(ctx, i, OpDial, h.name, func(ctx context.Context) (reltioauth.Transport, error) {
		inner, err := h.server.Connector()(ctx, u)
		if err != nil {
			return nil, err
		}
		return &line{i: i, h: h, inner: inner}, nil
	})
}

// line is one connection to an authorization server.
type line struct {
	i     *Instance
	h     *host
	inner reltioauth.Transport
}

// Close implements io.Closer.
func (l *line) Close() error { return l.inner.Close() }

// RoundTrip implements http.RoundTripper: on its way a request may be lost, or
// the answer.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, w := r.Context(), l.i.w
	at, op := w.now(), opOf(r.URL.Path)
	f, c := l.i.enter(ctx, op, l.h.name)
	w.sleep(c.between(transitFrom, transitTo))
	switch f.Kind {
	case KillBefore:
		l.i.kill()
	case Freeze:
		l.i.freeze(f.For)
	case Stall:
		if err := w.pause(ctx, f.For); err != nil {
			return nil, err
		}
	case Before:
		return nil, reset()
	}
	l.i.pass(&c)
	s := l.exchange(r, sent{op: op, at: at, login: credentialsOf(r)}, f)
	switch f.Kind {
	case KillAfter:
		l.i.kill()
	case Hold:
		if err := w.pause(ctx, f.For); err != nil {
			return nil, err
		}
	}
	return s.response, s.err
}

func opOf(path string) Op {
	switch path {
	case "/oauth/token":
		return OpToken
	case "/oauth/checkToken":
		return OpCheck
	default:
		return OpRevoke
	}
}

// sent is a request that was sent, with what the server made of it.
type sent struct {
	op Op
	// at is when its process sent it: the client counts a token's life from then, and
	// decides by what it knew then.
	at       time.Time
	request  reltioauthtest.Request
	response *http.Response
	err      error
	// login says whose credentials a login presents, as a hash.
	login uint64
	// ended is the fingerprint of the token in the table that the server accepted
	// until this request.
	ended string
	// heard: the client gets a whole answer; spoilt: no usable access token is
	// in it.
	heard, spoilt bool
}

// exchange lets the server act, in one moment.
func (l *line) exchange(r *http.Request, s sent, f Fault) sent {
	if f.Kind == StatusAfter && s.login != 0 {
		f.Kind = Status // a refusal behind a 503 is one that no client can count
	}
	l.h.mu.Lock()
	held := l.i.w.valid(r)
	l.h.fault = sandboxFault(f)
	s.response, s.err = l.inner.RoundTrip(r)
	if !held.IsZero() && !l.h.server.Valid(held) {
		s.ended = reltioauth.Fingerprint(held)
	}
	l.h.fault = reltioauthtest.Fault{}
	arrived := !errors.Is(s.err, reltioauth.ErrNotSent)
	if arrived {
		s.request = l.h.server.Requests()[0]
	}
	l.h.mu.Unlock()
	if !arrived {
		return s
	}
	page := s.request.Outcome == reltioauthtest.OutcomeFault && s.request.Status/100 != 4 // a firewall's is an answer
	s.heard = s.err == nil && s.request.Status != 0 && !page && f.Kind != KillAfter && f.For < tooLong
	if f.Kind == Unusable && s.response != nil {
		s.spoilt = unusable(s.response)
	}
	l.i.w.judgeSent(l.i, l.h, s)
	return s
}

// sandboxFault is the fault in the sandbox's words.
func sandboxFault(f Fault) reltioauthtest.Fault {
	switch f.Kind {
	case After:
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true}
	case Truncate:
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultTruncate}
	case Status:
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}
	case StatusAfter:
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Acted: true}
	case Page:
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}
	case Throttle:
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}
	default:
		return reltioauthtest.Fault{}
	}
}

// credentialsOf names the credentials of a login; 0 for any other request.
func credentialsOf(r *http.Request) uint64 {
	if r.GetBody == nil {
		return 0
	}
	body, err := r.GetBody()
	if err != nil {
		return 0
	}
	data, err := io.ReadAll(body)
	text := string(data)
	if err != nil || !strings.Contains(text, "grant_type=password") && !strings.Contains(text, "grant_type=client_credentials") {
		return 0
	}
	return hashText(r.Header.Get("Authorization") + "\n" + text)
}

// lifetime is the field that an unusable answer gets wrong.
func lifetime() *regexp.Regexp { return regexp.MustCompile(`"expires_in":[^,}]*`) }

// unusable spoils a successful answer, and reports whether there was anything to
// spoil: an answer may be compressed, or say nothing of a lifetime.
func unusable(r *http.Response) bool {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	spoilt := r.StatusCode == http.StatusOK && lifetime().Match(data)
	if spoilt {
		data = lifetime().ReplaceAll(data, []byte(`"expires_in":"soon"`))
		r.ContentLength = int64(len(data))
		r.Header.Del("Content-Length")
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return spoilt
}

func reset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}
