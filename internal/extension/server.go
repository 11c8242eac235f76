package extension

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// SessionHeader proves that a caller belongs to the function: its value is the
// AWS_SESSION_TOKEN of the execution environment.
const SessionHeader = "X-Reltio-Tokens-Session"

// The paths.
const (
	tokenPath    = "/token"
	rejectedPath = "/rejected"
)

// timeout bounds one response: issue has 25 s, and Lambda needs time to start it.
// It is not the invocation's own deadline, which the caller knows and this
// process does not: a caller that leaves earlier ends its request.
const timeout = 28 * time.Second

// The function's own start ends after ten seconds, and Lambda would begin it again.
// So a request that comes while the environment starts gets its response before
// startWithin, or within shortestWait.
const (
	startWithin  = 8 * time.Second
	shortestWait = time.Second
)

// bodyWithin bounds how long a caller may take to send a body.
const bodyWithin = 5 * time.Second

// TokenSource gives tokens. It keeps them and invokes issue only when it must.
// Its errors hold an apierr.Error; one that holds none is a defect. It is safe
// for concurrent use.
type TokenSource interface {
	// Token returns a valid token of the connection, with at least minTTL left if
	// the server allows that.
	Token(ctx context.Context, connection string, minTTL time.Duration) (issueapi.Response, error)
	// Rejected reports a token that Reltio refused, and returns the one to use
	// instead.
	Rejected(ctx context.Context, connection, fingerprint string) (issueapi.Response, error)
}

// Server serves the function over HTTP. All fields are required. It implements
// http.Handler.
type Server struct {
	Tokens TokenSource
	// Session is the value that callers have to send.
	Session reltioauth.Secret
	Log     *telemetry.Log
	Now     func() time.Time
	// Started is when the environment began to start. The zero value means long
	// ago.
	Started time.Time
}

// ServeHTTP handles one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.Now()
	ctx, cancel := context.WithTimeout(r.Context(), s.within(start))
	defer cancel()
	if r.ContentLength != 0 { // net/http reads a body that is not read here, before it responds
		_ = http.NewResponseController(w).SetReadDeadline(start.Add(bodyWithin)) // a test's recorder has none
	}
	var in request
	var out issueapi.Response
	err := s.guard(ctx, func() error {
		asked, err := s.read(w, r)
		if err != nil {
			return err
		}
		in = asked // only now is it known that its text is no secret
		out, err = s.token(ctx, in)
		return err
	})
	if err == nil {
		err = write(w, http.StatusOK, out)
	} else {
		s.fail(w, err)
	}
	s.log(ctx, in, out, err, s.Now().Sub(start))
}

// within is how long a request may take that came at the given time. The wall
// clock decides, because the environment may have been frozen since its start.
func (s *Server) within(now time.Time) time.Duration {
	left := s.Started.Add(startWithin).Round(0).Sub(now.Round(0))
	if left <= 0 || left > startWithin {
		return timeout
	}
	return max(left, shortestWait)
}

// read reads a request and checks it in this order: whether it is meant for this
// process, whether the caller is the function, whether it is valid.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (request, error) {
	if !local(r.Host) {
		return request{}, refuse(http.StatusMisdirectedRequest, apierr.InvalidRequest, "host: must be localhost or 127.0.0.1")
	}
	proof := r.Header.Values(SessionHeader)
	if len(proof) != 1 || !s.Session.Equal(reltioauth.NewSecret(proof[0])) {
		return request{}, refuse(http.StatusForbidden, apierr.AccessDenied, SessionHeader+": must be the function's AWS_SESSION_TOKEN")
	}
	method, known := map[string]string{tokenPath: http.MethodGet, rejectedPath: http.MethodPost}[r.URL.Path]
	switch {
	case !known:
		return request{}, refuse(http.StatusNotFound, apierr.InvalidRequest, "path: there are GET /token and POST /rejected")
	case r.Method != method:
		refused := refuse(http.StatusMethodNotAllowed, apierr.InvalidRequest, "method: must be "+method)
		refused.allow = method
		return request{}, refused
	case r.URL.Path == rejectedPath:
		return rejectedRequest(w, r)
	default:
		return tokenRequest(r)
	}
}

// local reports whether a Host header names this machine. The Host header of a
// page from another origin, whose name was made to resolve to this machine, does
// not.
func local(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil && port != "" {
		host = name
	}
	return host == "127.0.0.1" || strings.EqualFold(host, "localhost")
}

func (s *Server) token(ctx context.Context, in request) (issueapi.Response, error) {
	if in.rejected != "" {
		return s.Tokens.Rejected(ctx, in.connection, in.rejected)
	}
	return s.Tokens.Token(ctx, in.connection, in.minTTL)
}

// fail writes an error. The caller gets no details of a defect.
func (s *Server) fail(w http.ResponseWriter, err error) {
	f := apierr.Of(err)
	code := status(f.Type)
	var refused refusal
	if errors.As(err, &refused) {
		code = refused.status
		if refused.allow != "" {
			w.Header().Set("Allow", refused.allow)
		}
	}
	if seconds := retryAfter(f); seconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	_ = write(w, code, issueapi.Error{Type: f.Type, Message: f.Message}) // two strings can always be encoded; a caller that is gone gets nothing
}

// guard calls f and turns a panic, or an error that holds no apierr.Error, into
// an Internal error with a request's id.
func (s *Server) guard(ctx context.Context, f func() error) error {
	id := "request " + strings.ToLower(rand.Text())
	err := s.Log.Guard(ctx, id, f)
	if err == nil || errors.As(err, new(*apierr.Error)) {
		return err
	}
	return apierr.Wrap(apierr.Internal, id, err)
}

// log writes a line for a failure and, at level debug, for a success: a function
// may ask for its token thousands of times.
func (s *Server) log(ctx context.Context, in request, out issueapi.Response, err error, took time.Duration) {
	level := slog.LevelDebug
	attrs := []slog.Attr{slog.String("connection", in.connection)}
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, telemetry.Fault(err)...)
	} else {
		attrs = append(attrs, slog.Int64("version", out.Version), slog.String("fingerprint", out.Fingerprint),
			slog.String("outcome", string(out.Outcome)))
	}
	s.Log.Write(ctx, level, "token", append(attrs, telemetry.Took(took))...)
}
