package lambdahost

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// HTTPAPI is an API Gateway HTTP API whose route $default leads to one function
// (payload format 2.0).
//
//	api := &lambdahost.HTTPAPI{Host: host, Function: "callback"}
//	url, err := api.Start(ctx, "127.0.0.1:3000")
//
// It is an http.Handler too. It ends with its host.
type HTTPAPI struct {
	// Host runs the function. Required.
	Host *Host
	// Function to invoke, as a caller would name it. Required.
	Function string
	// DomainName is what the API says of itself; empty means
	// local.execute-api.<region>.amazonaws.com.
	DomainName string
	// Stage; empty means $default. Another one begins every path.
	Stage string
	// Timeout of an integration; 0 means 30 s.
	Timeout time.Duration
}

// Limits of an HTTP API.
const (
	maxHTTPBody    = 10 << 20
	defaultHTTPAPI = 30 * time.Second
	defaultStage   = "$default"
)

// httpEvent is payload format 2.0.
type httpEvent struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        httpContext       `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID    string   `json:"accountId"`
	APIID        string   `json:"apiId"`
	DomainName   string   `json:"domainName"`
	DomainPrefix string   `json:"domainPrefix"`
	HTTP         httpCall `json:"http"`
	RequestID    string   `json:"requestId"`
	RouteKey     string   `json:"routeKey"`
	Stage        string   `json:"stage"`
	Time         string   `json:"time"`
	TimeEpoch    int64    `json:"timeEpoch"`
}

type httpCall struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// httpAnswer is what a function answers.
type httpAnswer struct {
	StatusCode      *int              `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// Start serves on a loopback address, until the host is closed, and returns the
// URL.
func (a *HTTPAPI) Start(ctx context.Context, address string) (string, error) {
	listener, err := listen(ctx, address)
	if err != nil {
		return "", err
	}
	if err := a.Host.serveOn(listener, a); err != nil {
		return "", errors.Join(err, listener.Close())
	}
	return "http://" + listener.Addr().String(), nil
}

// ServeHTTP implements http.Handler.
func (a *HTTPAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHTTPBody))
	if err != nil {
		gatewayError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	payload, err := json.Marshal(a.event(r, body))
	if err != nil {
		gatewayError(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	// The integration is not cancelled by a client that leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), cmp.Or(a.Timeout, defaultHTTPAPI))
	defer cancel()
	result, err := a.Host.Invoke(ctx, Invocation{Function: a.Function, Payload: payload, TraceID: r.Header.Get("X-Amzn-Trace-Id")})
	switch {
	case err != nil: // throttled, or too late
		gatewayError(w, http.StatusServiceUnavailable, "Service Unavailable")
	case result.FunctionError != "":
		gatewayError(w, http.StatusInternalServerError, "Internal Server Error")
	default:
		w.Header().Set("Apigw-Requestid", invokeapi.NewRequestID())
		writeAnswer(w, result.Payload)
	}
}

// event is the request as the function sees it.
func (a *HTTPAPI) event(r *http.Request, body []byte) httpEvent {
	host, now := a.Host, a.Host.now()
	domain := cmp.Or(a.DomainName, "local.execute-api."+host.config.Region+".amazonaws.com")
	prefix, _, _ := strings.Cut(domain, ".")
	stage, path := cmp.Or(a.Stage, defaultStage), r.URL.EscapedPath()
	if stage != defaultStage {
		path = "/" + stage + path
	}
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	text, encoded := bodyText(r.Header.Get("Content-Type"), body)
	return httpEvent{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: r.URL.RawQuery,
		Cookies: cookies(r), Headers: headers(r, domain), QueryStringParameters: parameters(r),
		RequestContext: httpContext{
			AccountID: host.config.Account, APIID: prefix, DomainName: domain, DomainPrefix: prefix,
			HTTP: httpCall{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent(),
			},
			RequestID: invokeapi.NewRequestID(), RouteKey: "$default", Stage: stage,
			Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
		Body: text, IsBase64Encoded: encoded,
	}
}

// cookies are all that were sent, as they were written.
func cookies(r *http.Request) []string {
	var all []string
	for _, line := range r.Header["Cookie"] {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = textproto.TrimString(cookie); cookie != "" {
				all = append(all, cookie)
			}
		}
	}
	return all
}

// headers have lower-case names; several values of one are joined. Cookies have
// a place of their own. Where the request came from stands behind what a client
// says of that.
func headers(r *http.Request, domain string) map[string]string {
	all := map[string]string{"host": domain, "x-forwarded-proto": "https", "x-forwarded-port": "443"}
	for name, values := range r.Header {
		if name != "Cookie" {
			all[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	if source, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		all["x-forwarded-for"] = strings.Join(append(r.Header.Values("X-Forwarded-For"), source), ", ")
	}
	return all
}

func parameters(r *http.Request) map[string]string {
	all := map[string]string{}
	for name, values := range r.URL.Query() {
		all[name] = strings.Join(values, ",")
	}
	return all
}

// bodyText is a body as JSON can hold it: text as it is, anything else encoded.
func bodyText(contentType string, body []byte) (text string, encoded bool) {
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case len(body) == 0:
		return "", false
	case strings.HasPrefix(media, "text/"), media == contentJSON, media == "application/javascript", media == "application/xml":
		return string(body), false
	default:
		return base64.StdEncoding.EncodeToString(body), true
	}
}

// writeAnswer writes what the function answered. An answer without a status is
// the body itself, as JSON.
func writeAnswer(w http.ResponseWriter, payload []byte) {
	var a httpAnswer
	if json.Unmarshal(payload, &a) != nil || a.StatusCode == nil {
		w.Header().Set("Content-Type", contentJSON)
		_, _ = w.Write(payload) // a client that is gone hears nothing
		return
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(a.Body)
		if err != nil {
			gatewayError(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
		body = decoded
	}
	if *a.StatusCode < 200 || *a.StatusCode > 599 {
		gatewayError(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	h := w.Header()
	for name, value := range a.Headers {
		h.Set(name, value)
	}
	for _, cookie := range a.Cookies {
		h.Add("Set-Cookie", cookie)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain;charset=utf-8")
	}
	w.WriteHeader(*a.StatusCode)
	_, _ = w.Write(body) // a client that is gone hears nothing
}

func gatewayError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, message) // a client that is gone hears nothing
}
