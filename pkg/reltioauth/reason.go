package reltioauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The fixed texts of Error.Reason. Others, like "no answer in 3 s" and "HTTP
// 503", have a number in them.
const (
	reasonNameNotFound = "name not found"
	reasonNameServer   = "name server"
	reasonRefused      = "connection refused"
	reasonExpired      = "certificate expired"
	reasonOtherName    = "certificate for another name"
	reasonAuthority    = "certificate of an unknown authority"
	reasonTLSVersion   = "TLS version"
	reasonLost         = "connection lost"
	reasonNoConnection = "no connection"
	reasonNotInTime    = "no answer in time"
	reasonUnreadable   = "unreadable answer"
)

// Reason says in words of this package why a server gave no usable response. It
// never quotes the server. It is one of:
//
//	no answer in 3 s                      the limit of a step ended: dialling, request
//	no answer in time                     the caller's own limit or cancellation, or the system's
//	name not found                        the host has no address
//	name server                           the look-up failed, or did not end in time
//	connection refused                    nothing listens at the port
//	certificate expired                   or not yet valid
//	certificate for another name
//	certificate of an unknown authority   or not acceptable for another reason
//	TLS version                           the server has none that is used here
//	connection lost                       reset, closed, or the response cut off
//	no connection                         another failure before anything was sent
//	unreadable answer                     not TLS, or a success that cannot be used
//	a web page with HTTP 200: is auth_url right?
//	HTTP 503                              the status, whatever it is
//
// It is empty where the server did not fail: a request that this package refused
// to send, and a second factor.
func (e *Error) Reason() string {
	switch {
	case e.Code == ErrMFARequired, e.Code == ErrInvalidRequest && !e.Answered():
		return ""
	case e.reason != "":
		return e.reason
	case e.Code == ErrInvalidResponse:
		return reasonUnreadable
	case e.Answered():
		return "HTTP " + strconv.Itoa(e.StatusCode)
	case e.Sent:
		return reasonLost
	}
	return reasonNoConnection
}

// answerReason is the reason of a response, or "" if its status says everything.
func answerReason(a *answer) string {
	switch kind := a.status / 100; {
	case a.cutOff && (kind == 2 || kind == 4):
		return a.reason
	case a.page && kind == 2:
		return "a web page with HTTP " + strconv.Itoa(a.status) + ": is auth_url right?"
	}
	return ""
}

// networkReason is the reason of a network error in a step whose limit was set by
// within. An unknown error has the fallback as its reason.
func networkReason(ctx context.Context, err error, fallback string) string {
	var lookup *net.DNSError
	var noTLS tls.RecordHeaderError
	certificate := certificateReason(err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return reasonNotInTime
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return reasonNameNotFound
	case lookup != nil:
		return reasonNameServer
	case errors.Is(err, syscall.ECONNREFUSED):
		return reasonRefused
	case certificate != "":
		return certificate
	case isTLSVersion(err):
		return reasonTLSVersion
	case errors.As(err, &noTLS):
		return reasonUnreadable
	case ctx.Err() != nil, isTimeout(err):
		return noAnswerIn(ctx)
	case isLost(err):
		return reasonLost
	}
	return fallback
}

// certificateReason says why a certificate was refused; "" if none was.
func certificateReason(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return reasonExpired
	case errors.As(err, &name):
		return reasonOtherName
	case errors.As(err, &authority), errors.As(err, &other):
		return reasonAuthority
	}
	return ""
}

// isTLSVersion recognizes the server's alert (RFC 8446, section 6.2) and the
// client's own error by their texts, because crypto/tls has no type or value for
// them.
func isTLSVersion(err error) bool {
	text := err.Error()
	return strings.Contains(text, "tls: protocol version not supported") ||
		strings.Contains(text, "tls: server selected unsupported protocol version")
}

// isTimeout reports whether any time limit ended.
func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT)
}

// isLost reports whether the other side ended the connection.
func isLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, net.ErrClosed)
}

// limitKey is the context's key of this package's limit.
type limitKey struct{}

// within bounds a step, and stores in the context which limit of this package
// ends it. If the caller's own deadline is earlier, it stores none.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	outer, has := ctx.Deadline()
	if inner, _ := bounded.Deadline(); !has || inner.Before(outer) {
		bounded = context.WithValue(bounded, limitKey{}, limit)
	}
	return bounded, cancel
}

func noAnswerIn(ctx context.Context) string {
	limit, ok := ctx.Value(limitKey{}).(time.Duration)
	if !ok {
		return reasonNotInTime
	}
	return "no answer in " + strconv.FormatFloat(limit.Seconds(), 'g', -1, 64) + " s"
}
