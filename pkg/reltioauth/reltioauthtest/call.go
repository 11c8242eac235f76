package reltioauthtest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxBody is how much of a request is read.
const maxBody = 64 << 10

// The paths of the login in the browser, which lead to one another.
const (
	pathSSO   = "/oauth/sso"
	pathLogin = "/oauth/sso/login"
)

// call is the state of one request.
type call struct {
	set    *settings
	how    *Behaviour // of the client that the request names
	method string
	path   string
	xml    bool // the caller accepts XML only
	query  url.Values
	form   url.Values
	bad    string // why the request cannot be understood

	hasBasic            bool
	basicID, basicValue string
	session             string // fingerprint of the cookie of a browser that is logged in

	req     Request
	fault   Fault
	number  int       // in the record
	limited bool      // above the rate limit
	now     time.Time // the moment of acting
	client  *Client   // once authenticated
	verdict Outcome   // of acting, even if the response is replaced
}

// newCall reads the request.
func newCall(set *settings, r *http.Request) *call {
	c := &call{set: set, method: r.Method, path: r.URL.Path, req: Request{Op: opOf(r.URL.Path), Outcome: OutcomePending}}
	if err := c.read(r); err != nil {
		c.bad = err.Error()
	}
	c.session = sessionOf(r)
	c.xml = strings.HasPrefix(r.Header.Get("Accept"), contentXML)
	c.hasBasic = strings.HasPrefix(r.Header.Get("Authorization"), "Basic ")
	c.basicID, c.basicValue, _ = r.BasicAuth()
	c.name()
	c.how = set.behaviour(c.req.ClientID)
	return c
}

func opOf(path string) Op {
	switch path {
	case "/oauth/token":
		return OpToken
	case "/oauth/revoke":
		return OpRevoke
	case "/oauth/checkToken":
		return OpCheckToken
	case pathSSO:
		return OpSSO
	case pathLogin:
		return OpLogin
	default:
		return OpOther
	}
}

// read reads the parameters of query and body. Its errors hold nothing of the
// request.
func (c *call) read(r *http.Request) error {
	var err error
	if r.URL.RawQuery != "" {
		if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return errors.New("malformed query")
		}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return single(c.query, nil)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return errors.New("incomplete body")
	case len(body) > maxBody:
		return errors.New("body too large")
	case len(body) == 0 || !isForm(r.Header.Get("Content-Type")):
		return single(c.query, nil)
	}
	if c.form, err = url.ParseQuery(string(body)); err != nil {
		return errors.New("malformed body")
	}
	return single(c.query, c.form)
}

func isForm(contentType string) bool {
	const form = "application/x-www-form-urlencoded"
	if contentType == form {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == form
}

// single refuses repeated parameters (RFC 6749, section 3.2).
func single(all ...url.Values) error {
	for _, values := range all {
		for _, value := range values {
			if len(value) > 1 {
				return errors.New("repeated parameter")
			}
		}
	}
	return nil
}

// name sets the client and user that the request names.
func (c *call) name() {
	switch {
	case c.hasBasic:
		c.req.ClientID = c.basicID
	case c.form.Get("client_id") != "":
		c.req.ClientID = c.form.Get("client_id")
	case c.req.Op == OpSSO:
		c.req.ClientID = c.query.Get("client_id")
	}
	switch c.req.Op {
	case OpToken:
		c.req.GrantType = c.form.Get("grant_type")
		c.req.User = userKey(c.form.Get("username"))
	case OpLogin:
		c.req.User = userKey(c.form.Get("username"))
	}
}

// readable refuses requests that no endpoint can handle.
func (c *call) readable() error {
	if c.req.Op == OpOther {
		return nil
	}
	method := http.MethodPost
	if c.req.Op == OpSSO {
		method = http.MethodGet
	}
	switch {
	case c.method != method:
		return c.badMethod(method)
	case c.bad != "":
		return invalidRequest(c.bad)
	case c.req.Op == OpToken && len(c.query) > 0:
		return invalidRequest("parameters belong into the body, a query ends up in access logs")
	}
	return nil
}

// token is the token of a revoke or checkToken request.
func (c *call) token() string {
	if c.how.TokenPlace != FormOnly && c.query.Get("token") != "" {
		return c.query.Get("token")
	}
	if c.how.TokenPlace == QueryOnly {
		return ""
	}
	return c.form.Get("token")
}

// scope is the scope that the client is given.
func (c *call) scope(asked string) (string, error) {
	scope, unknown := c.client.granted(asked)
	if unknown != "" {
		return "", &refusal{
			status: http.StatusBadRequest, code: "invalid_scope", text: c.repeating("Invalid scope", unknown),
			more: map[string]string{"scope": strings.Join(c.client.Scopes, " ")},
		}
	}
	return scope, nil
}

// granted is the scope that a client is given: the one that it asks for, if the
// client may have it. unknown is the first part that it may not have.
func (client *Client) granted(asked string) (scope, unknown string) {
	if asked == "" {
		return strings.Join(client.Scopes, " "), ""
	}
	for _, scope := range strings.Fields(asked) {
		if len(client.Scopes) > 0 && !slices.Contains(client.Scopes, scope) {
			return "", scope
		}
	}
	return asked, ""
}
