package handler

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// Callback serves the browser of a person who connects Reltio. It implements
// http.Handler, wherever it is served; Gateway puts it behind an HTTP API. All
// fields but BaseURL are required.
//
// It ignores what a request says about its own host: the browser returns to
// BaseURL, or to the address that API Gateway reports.
type Callback struct {
	Flow  *authcode.Flow
	Pages *pages.Set
	Log   *telemetry.Log
	Now   func() time.Time
	// BaseURL is the address of this handler, without a slash at its end; empty:
	// API Gateway reports it.
	BaseURL string
}

// The paths, after the stage or the path of BaseURL.
const (
	pathAuthorize = "/authorize"
	pathGo        = "/authorize/go"
	pathCallback  = "/callback"
	pathDone      = "/done"
)

// The outcomes of a request that are neither the flow's nor a failure's.
const (
	outcomePreviewed = "previewed"
	outcomeBegun     = "begun"
	outcomeSeen      = "seen"
)

// reply is a response before it is HTTP. It is sent in one place, so that all
// responses have the same headers and a line in the log.
type reply struct {
	status int
	// page, or location if the browser is redirected.
	page     []byte
	location string
	cookies  []*http.Cookie
	// retryAfter and allow are headers; zero: not sent.
	retryAfter time.Duration
	allow      string

	// outcome and the fields after it are for the log: connection, version and
	// fingerprint of the grant's token, an error code, and the result of the
	// exchange.
	outcome     string
	connection  string
	version     int64
	fingerprint string
	code        string
	asked       []telemetry.Metric
	// unkept says why Secrets Manager did not take the refresh token, parked that
	// the table has it instead.
	unkept error
	// hostErr says why the record of Reltio's host could not be read or written.
	hostErr error
	parked  bool
	err     error
}

// ServeHTTP implements http.Handler.
func (h *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Now()
	ctx := r.Context()
	v := &exchange{Callback: h, request: r, at: gatewayOf(ctx), reference: newReference()}
	a := reply{}
	err := h.Log.Guard(ctx, "", func() (err error) {
		a, err = v.answer(ctx)
		return err
	})
	if err != nil {
		a = v.broken(err)
	}
	h.log(ctx, v, a, start)
	h.send(w, a)
}

// send writes a response. The headers of all responses are set here.
func (h *Callback) send(w http.ResponseWriter, a reply) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", h.Pages.Policy())
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Strict-Transport-Security", "max-age=63072000")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Robots-Tag", "noindex, nofollow")
	for _, c := range a.cookies {
		http.SetCookie(w, c)
	}
	if a.retryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(wholeSeconds(a.retryAfter), 10))
	}
	if a.allow != "" {
		header.Set("Allow", a.allow)
	}
	if a.location != "" {
		header.Set("Location", a.location)
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.page) // a browser that is gone needs no page
}

// wholeSeconds rounds up, to at least one.
func wholeSeconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// newReference makes the random number that a page and its log line share.
func newReference() string {
	text := rand.Text()
	return text[:4] + "-" + text[4:8]
}

// exchange is one request and its response.
type exchange struct {
	*Callback
	request *http.Request
	// at is the address that API Gateway reports.
	at        gateway
	reference string
}

// answer finds the route and makes the checks that all routes share.
func (v *exchange) answer(ctx context.Context) (reply, error) {
	route := v.route()
	switch {
	case len(v.request.URL.RawQuery) > maxQuery:
		return v.failed(pages.TooLong, "")
	case route == "":
		return v.failed(pages.NoSuchPage, "")
	case v.request.Method != http.MethodGet:
		a, err := v.failed(pages.MethodNotAllowed, "")
		a.allow = http.MethodGet
		return a, err
	}
	switch route {
	case pathAuthorize:
		return v.preview(ctx)
	case pathGo:
		return v.begin(ctx)
	case pathCallback:
		return v.complete(ctx)
	default:
		return v.done()
	}
}

// route is the path after the stage or BaseURL's path; empty if there is no such
// page.
func (v *exchange) route() string {
	path := v.request.URL.Path
	for _, before := range []string{"", v.at.stagePath(), pathOf(v.BaseURL)} {
		rest, ok := strings.CutPrefix(path, before)
		if !ok {
			continue
		}
		switch rest {
		case pathAuthorize, pathGo, pathCallback, pathDone:
			return rest
		}
	}
	return ""
}

// base is this handler's address: scheme, host and path.
func (v *exchange) base() (string, error) {
	if v.BaseURL != "" {
		return v.BaseURL, nil
	}
	if v.at.domain == "" {
		return "", apierr.New(apierr.Internal, "")
	}
	return "https://" + v.at.domain + v.at.stagePath(), nil
}

// here is the path of one of our pages, as a browser requests it.
func (v *exchange) here(path string) string {
	if v.BaseURL != "" {
		return pathOf(v.BaseURL) + path
	}
	return v.at.stagePath() + path
}

// pathOf is the path of a base URL, which package config has validated.
func pathOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// preview handles GET /authorize.
func (v *exchange) preview(ctx context.Context) (reply, error) {
	text, ok := invitationOf(v.request.URL.RawQuery)
	if !ok {
		return v.failed(pages.Malformed, "")
	}
	p, outcome, err := v.Flow.Preview(ctx, text)
	if outcome != authcode.Done {
		return v.ended(authcode.CallbackResult{Outcome: outcome, Connection: p.Connection, Err: err})
	}
	link := v.here(pathGo)
	if v.BaseURL != "" {
		link = v.BaseURL + pathGo // the cookie has to be set on the host to which the browser returns
	}
	page, err := v.Pages.Leaving(pages.Leaving{
		Connection: p.Connection, Host: p.Host, User: p.User, Scope: p.Scope, Ends: p.Ends,
		Link: link + "?invitation=" + text, Reference: v.reference,
	})
	return reply{status: http.StatusOK, page: page, outcome: outcomePreviewed, connection: p.Connection}, err
}

// begin handles GET /authorize/go.
func (v *exchange) begin(ctx context.Context) (reply, error) {
	text, ok := invitationOf(v.request.URL.RawQuery)
	if !ok {
		return v.failed(pages.Malformed, "")
	}
	base, err := v.base()
	if err != nil {
		return reply{}, err
	}
	d, outcome, err := v.Flow.Begin(ctx, text, base+pathCallback)
	if outcome != authcode.Done {
		return v.ended(authcode.CallbackResult{
			Outcome: outcome, Connection: d.Connection, Version: d.Version, Fingerprint: d.Fingerprint, Err: err,
		})
	}
	return v.redirecting(d, outcomeBegun), nil
}

// redirecting redirects a browser to Reltio's login page, bound to the request by a
// cookie.
func (v *exchange) redirecting(d authcode.AuthorizationRedirect, outcome string) reply {
	return reply{
		status: http.StatusFound, location: d.URL, cookies: redirectCookies(v.request, d),
		outcome: outcome, connection: d.Connection, version: d.Version, fingerprint: d.Fingerprint,
	}
}

// complete handles GET /callback.
func (v *exchange) complete(ctx context.Context) (reply, error) {
	cb, ok := callbackOf(v.request.URL.RawQuery)
	if !ok {
		return v.failed(pages.Malformed, "")
	}
	cb.Binding = bindingOf(v.request, cb.State)
	a := v.Flow.Complete(ctx, cb)
	r, err := v.ended(a)
	r.asked, r.unkept, r.parked, r.hostErr = exchangeMetrics(a), a.Unkept, a.Parked, a.HostErr
	return r, err
}

// ended is the response to an outcome of the flow, with its fields for the log.
func (v *exchange) ended(a authcode.CallbackResult) (reply, error) {
	r, err := v.replyTo(a)
	r.connection, r.version, r.fingerprint = a.Connection, a.Version, a.Fingerprint
	r.code, r.err = a.ErrorCode, a.Err
	return r, err
}

func (v *exchange) replyTo(a authcode.CallbackResult) (reply, error) {
	switch a.Outcome {
	case authcode.Again:
		return v.redirecting(a.Redirect, string(a.Outcome)), nil
	case authcode.Done, authcode.DoneSameToken:
		return v.finished(a), nil
	}
	r, err := v.failed(string(a.Outcome), a.ErrorCode)
	switch a.Outcome {
	case authcode.Busy, authcode.StoreFailing:
		r.retryAfter = max(a.RetryAfter, time.Second)
	case authcode.Paused:
		r.retryAfter = time.Minute
	}
	return r, err
}

// finished redirects the browser, because its address holds code and state.
func (v *exchange) finished(a authcode.CallbackResult) reply {
	location := v.here(pathDone)
	if a.Outcome == authcode.DoneSameToken && !a.HoldsUntil.IsZero() {
		location += "?" + paramUntil + "=" + strconv.FormatInt(a.HoldsUntil.Unix(), 10)
	}
	return reply{status: http.StatusSeeOther, location: location, cookies: doneCookies(a.Connection), outcome: string(a.Outcome)}
}

// done handles GET /done. The browser's cookie says which connection it has just
// connected; a browser without one is told nothing.
func (v *exchange) done() (reply, error) {
	until := untilOf(v.request.URL.RawQuery)
	r := reply{status: http.StatusOK, outcome: outcomeSeen}
	var err error
	switch connection := doneOf(v.request); {
	case connection == "":
		r.page, err = v.Pages.Nothing(v.reference)
	case until.IsZero():
		r.page, err = v.Pages.Done(connection, v.reference)
	default:
		r.page, err = v.Pages.DoneUntil(connection, until, v.reference)
	}
	return r, err
}

// failed is the page of a failure.
func (v *exchange) failed(name, code string) (reply, error) {
	f := pages.FailureOf(name, code)
	page, err := v.Pages.Failed(f, v.reference)
	return reply{status: f.Status, page: page, outcome: name}, err
}

// broken is the response to a defect.
func (v *exchange) broken(err error) reply {
	r, _ := v.failed(pages.Internal, "") // if the page fails, the response still has its status
	r.err = err
	return r
}
