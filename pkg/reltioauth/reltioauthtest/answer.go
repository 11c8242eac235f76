package reltioauthtest

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"
)

const (
	contentJSON = "application/json;charset=UTF-8"
	contentHTML = "text/html;charset=UTF-8"
)

// answer is what a request is answered with.
type answer struct {
	status      int
	contentType string
	header      http.Header // besides the usual ones
	body        []byte
	outcome     Outcome
	cut         bool // no answer, the connection ends
	truncate    bool // half an answer, the connection ends
}

// aborter is a response writer that can end its connection.
type aborter interface{ abort() }

// send writes the answer.
func (a answer) send(w http.ResponseWriter) {
	if a.cut {
		cut(w)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.contentType != "" {
		header.Set("Content-Type", a.contentType)
	}
	maps.Copy(header, a.header)
	w.WriteHeader(a.status)
	if a.truncate { // less than Content-Length says: the connection is lost
		_, _ = w.Write(a.body[:len(a.body)/2])
		return
	}
	_, _ = w.Write(a.body)
}

// cut ends the connection under w. Where that is impossible (HTTP/2) the
// caller gets an empty 502.
func cut(w http.ResponseWriter) {
	if own, ok := w.(aborter); ok {
		own.abort()
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	_ = conn.Close()
}

// refusal is an error that is an answer. Its text may echo what was sent, as
// Reltio's does, and goes nowhere but to the caller.
type refusal struct {
	status     int
	code       string
	text       string
	header     http.Header
	management bool    // {"errorCode":…,"errorMessage":…}
	outcome    Outcome // if it is not the code
}

// Error implements error without the text.
func (r *refusal) Error() string { return r.code }

func invalidRequest(text string) error {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", text: text}
}

func invalidGrant(text string) error {
	return &refusal{status: http.StatusBadRequest, code: "invalid_grant", text: text}
}

func invalidClient() error {
	return &refusal{status: http.StatusUnauthorized, code: "invalid_client", text: "Bad client credentials", header: challenge()}
}

func unauthorized() error {
	return &refusal{
		status: http.StatusUnauthorized, code: "unauthorized",
		text: "Full authentication is required to access this resource", header: challenge(),
	}
}

func challenge() http.Header {
	return http.Header{"Www-Authenticate": {`Basic realm="oauth"`}}
}

// refused makes an answer of an error.
func (c *call) refused(err error) answer {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, code: "server_error", text: "no random numbers"}
	}
	management := r.management || (c.how.ManagementErrors && (c.req.Op == OpRevoke || c.req.Op == OpCheckToken))
	a := answer{status: r.status, contentType: contentJSON, header: r.header, outcome: r.outcome}
	if a.outcome == "" {
		a.outcome = Outcome(r.code)
	}
	if management {
		a.body = object(nil).addRaw("errorCode", strconv.Itoa(r.status)).addText("errorMessage", r.text).end()
	} else {
		a.body = object(nil).addText("error", r.code).addText("error_description", r.text).end()
	}
	return a
}

// tooMany is a 429.
func (c *call) tooMany(outcome Outcome) answer {
	a := answer{status: http.StatusTooManyRequests, contentType: contentJSON, outcome: outcome, body: []byte(c.how.RateLimitBody)}
	if len(a.body) == 0 {
		a.body = object(nil).addText("error", "too_many_requests").addText("error_description", "Too many requests").end()
	}
	if after := c.set.RetryAfter; after > 0 {
		a.header = http.Header{"Retry-After": {retryAfter(c.now, after, c.set.RetryAfterDate)}}
	}
	return a
}

func retryAfter(now time.Time, after time.Duration, date bool) string {
	if date {
		return now.Add(after).UTC().Format(http.TimeFormat)
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}

// object is a JSON object in the making. Its values may be anything, because
// some answers have to be odd.
type object []byte

func (o object) addRaw(key, value string) object {
	if len(o) == 0 {
		o = append(o, '{')
	} else {
		o = append(o, ',')
	}
	o = strconv.AppendQuote(o, key)
	o = append(o, ':')
	return append(o, value...)
}

func (o object) addText(key, value string) object {
	text, _ := json.Marshal(value) // a string always can be
	return o.addRaw(key, string(text))
}

func (o object) addList(key string, values []string) object {
	if values == nil {
		values = []string{}
	}
	list, _ := json.Marshal(values) // strings always can be
	return o.addRaw(key, string(list))
}

func (o object) end() []byte {
	if len(o) == 0 {
		o = append(o, '{')
	}
	return append(o, '}')
}
