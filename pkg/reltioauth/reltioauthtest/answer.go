package reltioauthtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	contentJSON      = "application/json;charset=UTF-8"
	contentPlainJSON = "application/json" // of the framework's errors
	contentHTML      = "text/html;charset=UTF-8"
	contentXML       = "application/xml"
)

// answer is a response.
type answer struct {
	status      int
	contentType string
	header      http.Header // in addition to the usual ones
	body        []byte
	outcome     Outcome
	cut         bool // no response, the connection ends
	truncate    bool // half a response, the connection ends
}

// aborter is a response writer that can end its connection.
type aborter interface{ abort() }

// send writes the response.
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

// refused makes a response from an error.
func (c *call) refused(err error) answer {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, code: "server_error", text: "no random numbers"}
	}
	a := answer{status: r.status, header: r.header.Clone(), outcome: cmp.Or(r.outcome, Outcome(r.code))}
	if value := c.challenge(r); value != "" {
		if a.header == nil {
			a.header = http.Header{}
		}
		a.header.Set("Www-Authenticate", value)
	}
	a.contentType, a.body = c.errorBody(r)
	return a
}

// errorBody is the body of a refusal, in the server's shape.
func (c *call) errorBody(r *refusal) (contentType string, body []byte) {
	management := r.management || (c.how.ManagementErrors && (c.req.Op == OpRevoke || c.req.Op == OpCheckToken))
	switch {
	case r.boot:
		return contentPlainJSON, bootError(c.now, r.status, c.path)
	case management:
		return contentJSON, managementError(r.status, r.text)
	case c.how.Errors == DocumentedErrors:
		return contentJSON, oauthError(r)
	case c.xml:
		return contentXML, xmlError(r.code, r.text)
	default:
		return contentPlainJSON, oauthError(r)
	}
}

func oauthError(r *refusal) []byte {
	o := object(nil).addText("error", r.code).addText("error_description", r.text)
	for _, key := range slices.Sorted(maps.Keys(r.more)) {
		o = o.addText(key, r.more[key])
	}
	return o.end()
}

func managementError(status int, text string) []byte {
	return object(nil).addRaw("errorCode", strconv.Itoa(status)).addText("errorMessage", text).end()
}

// bootError is the error object of Spring Boot.
func bootError(now time.Time, status int, path string) []byte {
	word := http.StatusText(status)
	return object(nil).addText("timestamp", now.UTC().Format("2006-01-02T15:04:05.000+00:00")).
		addRaw("status", strconv.Itoa(status)).addText("error", word).addText("message", word).addText("path", path).end()
}

// xmlError is the framework's error for callers that accept XML only.
func xmlError(code, text string) []byte {
	b := bytes.NewBufferString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?><oauth><error_description>`)
	_ = xml.EscapeText(b, []byte(text)) // a write to a Buffer never fails
	b.WriteString("</error_description><error>")
	_ = xml.EscapeText(b, []byte(code))
	b.WriteString("</error></oauth>")
	return b.Bytes()
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

// object builds a JSON object. Its values may be any text, because some responses
// must be malformed.
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
	text, _ := json.Marshal(value) // a string can always be encoded
	return o.addRaw(key, string(text))
}

func (o object) addList(key string, values []string) object { return o.addRaw(key, list(values)) }

// list is the JSON text of an array.
func list(values []string) string {
	if values == nil {
		values = []string{}
	}
	text, _ := json.Marshal(values) // strings can always be encoded
	return string(text)
}

func (o object) end() []byte {
	if len(o) == 0 {
		o = append(o, '{')
	}
	return append(o, '}')
}
