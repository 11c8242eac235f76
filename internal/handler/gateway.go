package handler

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Gateway puts an http.Handler behind an API Gateway HTTP API (payload format
// 2.0). It implements lambda.Handler, keeps no state, and passes on method, path,
// raw query and cookies. It ignores the rest of a request.
type Gateway struct{ Handler http.Handler }

// Invoke handles one request. An event of another shape is handled as a request
// for an unknown page.
func (g Gateway) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var e events.APIGatewayV2HTTPRequest
	// An event that cannot be read has no path, and so no page.
	_ = json.Unmarshal(payload, &e)
	w := &recorder{header: http.Header{}}
	g.Handler.ServeHTTP(w, requestOf(ctx, &e))
	answer, err := encode(w.response())
	if err != nil {
		return nil, Fail(ctx, err)
	}
	return answer, nil
}

// gateway is the domain and stage that API Gateway reports.
type gateway struct{ domain, stage string }

// gatewayKey is its key in a context.
type gatewayKey struct{}

func gatewayOf(ctx context.Context) gateway {
	g, _ := ctx.Value(gatewayKey{}).(gateway)
	return g
}

// stagePath is the stage as the beginning of a path; empty for $default, and if
// there is no stage.
func (g gateway) stagePath() string {
	if g.stage == "" || g.stage == "$default" {
		return ""
	}
	return "/" + g.stage
}

var (
	domainName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)
	stageName  = regexp.MustCompile(`^(\$default|[A-Za-z0-9_-]{1,128})$`)
)

// requestOf is the request that a browser has sent. The path is used without
// decoding: no page has a path that needs encoding.
func requestOf(ctx context.Context, e *events.APIGatewayV2HTTPRequest) *http.Request {
	g := gateway{}
	if domainName.MatchString(e.RequestContext.DomainName) {
		g.domain = e.RequestContext.DomainName
	}
	if stageName.MatchString(e.RequestContext.Stage) {
		g.stage = e.RequestContext.Stage
	}
	r := &http.Request{
		Method: e.RequestContext.HTTP.Method,
		URL:    &url.URL{Path: e.RawPath, RawQuery: e.RawQueryString},
		Header: http.Header{"Cookie": {strings.Join(e.Cookies, "; ")}},
	}
	return r.WithContext(context.WithValue(ctx, gatewayKey{}, g))
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }

// response is the response in API Gateway's shape, which has its own field for
// cookies.
func (w *recorder) response() events.APIGatewayV2HTTPResponse {
	headers := make(map[string]string, len(w.header))
	for name, values := range w.header {
		if name != "Set-Cookie" {
			headers[name] = strings.Join(values, ",")
		}
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: w.status, Headers: headers, Body: w.body.String(), Cookies: w.header["Set-Cookie"],
	}
}
