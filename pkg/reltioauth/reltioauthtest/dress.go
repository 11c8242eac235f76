package reltioauthtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Dress is a change to the form of a response. It stands for proxies and
// firewalls between a server and its callers, and for servers that write JSON
// carelessly.
type Dress int

// The values of a Dress. Those from DressPage on replace a body, and suit
// refusals; those from DressScopeList on suit responses with a token.
const (
	// DressNone leaves the response as it is.
	DressNone Dress = iota
	// DressGzip compresses the body, requested or not.
	DressGzip
	// DressHTMLLabel labels the body as text/html.
	DressHTMLLabel
	// DressByteOrderMark begins the body with a byte order mark.
	DressByteOrderMark

	// DressPage replaces the body by a web page.
	DressPage
	// DressEmpty removes the body.
	DressEmpty
	// DressPlain sends the bare text.
	DressPlain
	// DressManagement sends {"errorCode":…,"errorMessage":…}.
	DressManagement
	// DressXML sends the framework's error in XML.
	DressXML
	// DressCapitals writes keys and code in capitals.
	DressCapitals

	// DressScopeList sends scope as an array of texts.
	DressScopeList
	// DressTokenTypeNumber sends token_type as a number.
	DressTokenTypeNumber
	// DressLatin1 adds a field that clients do not read, with a byte in it that
	// is not UTF-8.
	DressLatin1
)

// dressed is the response in the form in which it is sent.
func (c *call) dressed(a answer) answer {
	refusal := a.status >= http.StatusBadRequest && a.status < http.StatusInternalServerError &&
		a.status != http.StatusTooManyRequests
	switch {
	case c.req.Op == OpToken && refusal:
		a.status = orStatus(c.how.RefusalStatus, a.status)
		return c.how.DressRefusals.put(a)
	case (c.req.Op == OpCheckToken || c.req.Op == OpRevoke) && refusal:
		return c.how.DressRefusals.put(a)
	case c.req.Op == OpToken && a.outcome == OutcomeOK:
		return c.how.DressTokens.put(a)
	default:
		return a
	}
}

// put applies the change to a response that has a JSON object as its body.
func (d Dress) put(a answer) answer {
	switch d {
	case DressGzip:
		a.header = a.header.Clone()
		if a.header == nil {
			a.header = http.Header{}
		}
		a.header.Set("Content-Encoding", "gzip")
		a.body = compressed(a.body)
	case DressHTMLLabel:
		a.contentType = contentHTML
	case DressByteOrderMark:
		a.body = append([]byte("\ufeff"), a.body...)
	case DressPage:
		a.contentType, a.body = contentHTML, []byte(firewallPage)
	case DressEmpty:
		a.contentType, a.body = "", nil
	case DressPlain:
		a.contentType, a.body = "text/plain;charset=UTF-8", []byte(a.field("error_description"))
	case DressManagement:
		a.body = managementError(a.status, a.field("error_description"))
	case DressXML:
		a.contentType, a.body = contentXML, xmlError(a.field("error"), a.field("error_description"))
	case DressCapitals:
		a.body = object(nil).addText("ERROR", strings.ToUpper(a.field("error"))).
			addText("ERROR_DESCRIPTION", a.field("error_description")).end()
	case DressScopeList:
		a.body = a.with("scope", list(strings.Fields(a.field("scope"))))
	case DressTokenTypeNumber:
		a.body = a.with("token_type", "1")
	case DressLatin1:
		a.body = a.with("entityURI", "\"caf\xe9\"")
	}
	return a
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a write to a Buffer never fails
	_ = w.Close()
	return b.Bytes()
}

// fields are the fields of the body; none if the body is no object.
func (a answer) fields() map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(a.body, &fields)
	return fields
}

// field is the text of a field of the body, or "".
func (a answer) field(name string) string {
	var text string
	_ = json.Unmarshal(a.fields()[name], &text)
	return text
}

// with is the body with another value in one field.
func (a answer) with(name, value string) []byte {
	fields := a.fields()
	delete(fields, name)
	o := object(nil)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		o = o.addRaw(key, string(fields[key]))
	}
	return o.addRaw(name, value).end()
}
