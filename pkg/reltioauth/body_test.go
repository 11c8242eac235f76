package reltioauth_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const bom = "\xef\xbb\xbf"

// packed is a body as gzip.
func packed(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, body)
	_ = w.Close()
	return b.String()
}

// spoiled is a packed body with a wrong checksum.
func spoiled(packed string) string {
	b := []byte(packed)
	b[len(b)-8] ^= 0xff
	return string(b)
}

// with puts one more field into an object.
func with(field, body string) string { return strings.Replace(body, "{", "{"+field+",", 1) }

// dress is a way in which a server, or something in front of it, may send the
// same object.
type dress struct {
	name   string
	header http.Header
	body   func(string) string
}

func dresses() []dress {
	label := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	plain := func(body string) string { return body }
	field := func(text string) func(string) string {
		return func(body string) string { return with(text, body) }
	}
	typed := func(name string) http.Header { return label("Content-Type", name) }
	return []dress{
		{"plain", typed("application/json"), plain},
		{"without a type", http.Header{"Content-Type": nil}, plain},
		{"called a page", typed("text/html; charset=utf-8"), plain},
		{"called text", typed("text/plain"), plain},
		{"called XML", typed("application/xml"), plain},
		{"called UTF-16", typed("application/json; charset=utf-16"), plain},
		{"called nonsense", typed("/;;"), plain},
		{"byte order mark", typed("application/json"), func(body string) string { return bom + body }},
		{"white space around", typed("text/html"), func(body string) string { return " \r\n\t" + body + "\n\n" }},
		{"byte order mark and white space", nil, func(body string) string { return bom + "\r\n" + body }},
		{"packed", label("Content-Encoding", "gzip"), packed},
		{"packed, another name", label("Content-Encoding", "x-gzip"), packed},
		{"packed, not labelled", nil, packed},
		{"packed, labelled otherwise", label("Content-Encoding", "br"), packed},
		{"packed, called a page", label("Content-Encoding", "gzip", "Content-Type", "text/html"), packed},
		{"packed in two parts", nil, func(body string) string { return packed(body[:7]) + packed(body[7:]) }},
		{"packed with a byte order mark", nil, func(body string) string { return packed(bom + body) }},
		{"labelled gzip, not packed", label("Content-Encoding", "gzip"), plain},
		{"labelled deflate, not packed", label("Content-Encoding", "deflate"), plain},
		{"labelled identity", label("Content-Encoding", "identity"), plain},
		{"Latin-1 in a field that is not read", nil, field("\"entityURI\":\"caf\xe9\"")},
		{"Latin-1 in a key", nil, field("\"caf\xe9\":1")},
		{"half a surrogate in a field that is not read", nil, field(`"x":"\ud800"`)},
		{"NUL in a field that is not read", nil, field("\"x\":\"\x00\"")},
		{"a line end in a field that is not read", nil, field("\"x\":\"a\r\nb\tc\"")},
		{"a field that is not read, twice", nil, field(`"x":1,"x":"2"`)},
		{"odd types in fields that are not read", nil, field(`"x":[1,{"access_token":7}],"y":{"error":[]},"":null,"z":1e999`)},
	}
}

// send is what a server does that sends a body so dressed.
func (d dress) send(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range d.header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, d.body(body))
	}
}

func TestTheBodyDecidesAndNotItsLabel(t *testing.T) {
	want := &reltioauth.Token{
		AccessToken:  reltioauth.NewSecret("204938ca-2cf7-44b0-b11a-1b4c59984512"),
		TokenType:    "bearer",
		RefreshToken: reltioauth.NewSecret("676742af-989b-4d40-b7cc-f69ccadd45ea"),
		Scope:        "configuration_api entities_api",
		ExpiresIn:    3599 * time.Second,
		IssuedAt:     start,
	}
	for _, d := range dresses() {
		t.Run(d.name, func(t *testing.T) {
			got, err := serve(t, d.send(200, goodAnswer)).Token(t.Context(), password)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("token: %v (-want +got):\n%s", err, diff)
			}
			got, err = serve(t, d.send(200, `{"refresh_token":"r","expires_in":-1}`)).Token(t.Context(), password)
			if !errors.Is(err, reltioauth.ErrInvalidResponse) || got == nil || got.RefreshToken.Reveal() != "r" {
				t.Errorf("refresh token next to an error: got %v, %v", got, err)
			}
			_, err = serve(t, d.send(200, `{"state_token":{"mfaType":"AUTHENTICATOR","token":"s"}}`)).Token(t.Context(), password)
			if e := asError(t, err); e.Code != reltioauth.ErrMFARequired || e.MFA.StateToken.Reveal() != "s" {
				t.Errorf("second factor: got %v", err)
			}
			for _, body := range []string{`{"error":"invalid_grant","error_description":"no"}`, `{"errorCode":"INVALID_GRANT","errorMessage":"no"}`} {
				_, err = serve(t, d.send(400, body)).Token(t.Context(), password)
				if e := asError(t, err); e.Code != reltioauth.ErrInvalidGrant || e.Description != "no" || e.CutOff() {
					t.Errorf("refusal: got %v, %q", err, e.Description)
				}
			}
			if err := serve(t, d.send(200, `{"status":"failure"}`)).Revoke(t.Context(), reltioauth.NewSecret("t"), ""); !errors.Is(err, reltioauth.ErrInvalidResponse) {
				t.Errorf("revocation that failed: got %v", err)
			}
		})
	}
}

func TestScopeAndTokenTypeDecideNothing(t *testing.T) {
	for value, want := range map[string]string{
		`"a b"`:                       "a b",
		`["a","b"]`:                   "a b",
		`["a b","","c"]`:              "a b c",
		`[]`:                          "",
		`null`:                        "",
		`7`:                           "",
		`true`:                        "",
		`{"a":1}`:                     "",
		`["a",7]`:                     "",
		`[["a"]]`:                     "",
		`"\u0000"`:                    "",
		`["a","ä"]`:                   "",
		"\"caf\xe9\"":                 "",
		"[\"caf\xe9\"]":               "",
		"\"a\x00\"":                   "",
		`"a","%s":"b"`:                "", // twice
		`"` + long(16384) + `"`:       long(16384),
		`"` + long(16385) + `"`:       "",
		`["` + long(16384) + `","a"]`: "",
	} {
		for _, field := range []string{"scope", "token_type"} {
			body := with(`"`+field+`":`+strings.ReplaceAll(value, "%s", field), `{"access_token":"a","expires_in":60}`)
			token, err := answering(reply{status: 200, body: body}).Token(t.Context(), password)
			if err != nil {
				t.Errorf("%s %.40s: %v", field, value, err)
				continue
			}
			got := map[string]string{"scope": token.Scope, "token_type": token.TokenType}[field]
			if got != want {
				t.Errorf("%s %.40s: got %.40q, want %.40q", field, value, got, want)
			}
		}
	}
}

func long(n int) string { return strings.Repeat("s", n) }

// A bomb is small when it is sent and as large as its maker likes unpacked.
func TestBodiesThatUnpackToTooMuch(t *testing.T) {
	frame := func(size int) string {
		return packed(`{"refresh_token":"r","access_token":"a","expires_in":60,"x":"` + strings.Repeat("x", size-63) + `"}`)
	}
	_, err := answering(reply{status: 200, body: frame(reltioauth.MaxBody)}).Token(t.Context(), password)
	if err != nil {
		t.Errorf("1 MiB unpacked: %v", err)
	}
	for _, size := range []int{reltioauth.MaxBody + 1, 4 * reltioauth.MaxBody} {
		token, err := answering(reply{status: 200, body: frame(size)}).Token(t.Context(), password)
		if !errors.Is(err, reltioauth.ErrInvalidResponse) || !strings.Contains(err.Error(), "more than 1 MiB") {
			t.Errorf("%d bytes: got %v", size, err)
		}
		if token == nil || token.RefreshToken.Reveal() != "r" {
			t.Errorf("%d bytes: the refresh token was lost", size)
		}
	}
}

// What a whole 4xx means is said by its status, whatever its body is.
func TestWholeRefusalsAreWhole(t *testing.T) {
	for name, body := range map[string]string{
		"a page":                `<html><h1>Forbidden</h1>`,
		"a page behind a mark":  bom + "\n<!DOCTYPE html>",
		"a packed page":         packed(`<html>`),
		"nothing":               ``,
		"white space":           "\r\n",
		"XML":                   `<?xml version="1.0"?><oauth><error>invalid_grant</error></oauth>`,
		"text":                  `Unauthorized`,
		"the other shape":       `{"errorCode":404,"errorMessage":"no"}`,
		"an unknown word":       `{"error":"server_error"}`,
		"an array":              `[]`,
		"null":                  `null`,
		"half an object":        `{"error":"invalid_grant"`,
		"an object and more":    `{"error":"invalid_grant"}}`,
		"UTF-16":                "\xff\xfe{\x00}\x00",
		"bytes":                 "\x00\x01\xfe",
		"badly packed":          "\x1f\x8b\x08xxxxxxxxxxxxxxx",
		"half a pack":           packed(`{"error":"invalid_grant"}`)[:30],
		"more than 1 MiB":       strings.Repeat("x", reltioauth.MaxBody+1),
		"more than 1 MiB of it": packed(strings.Repeat("x", reltioauth.MaxBody+1)),
	} {
		for _, status := range []int{400, 401, 403, 404, 405, 410, 415, 451, 499} {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, status, body) })
			_, err := client.Token(t.Context(), password)
			e := asError(t, err)
			if e.Code != reltioauth.ErrUnavailable || e.CutOff() || e.StatusCode != status || !e.Answered() || !e.Sent {
				t.Errorf("%s, %d: got %v, cut off %t", name, status, err, e.CutOff())
			}
			if got, want := e.OAuthSummary(), fmt.Sprintf("(no OAuth error, HTTP %d)", status); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
			if got, want := e.Reason(), fmt.Sprintf("HTTP %d", status); got != want {
				t.Errorf("%s: got reason %q, want %q", name, got, want)
			}
		}
	}
}

func TestRefusalsThatAreCutOff(t *testing.T) {
	whole := `{"error":"invalid_grant","error_description":"no"}`
	short := func(header, body string) string {
		return "HTTP/1.1 400 Bad Request\r\n" + header + "Content-Length: 1000\r\n\r\n" + body
	}
	for name, sent := range map[string]string{
		"behind the object":    short("", whole),
		"in the object":        short("", whole[:20]),
		"before it":            short("", ""),
		"in a page":            short("Content-Type: text/html\r\n", "<html>"),
		"packed":               short("Content-Encoding: gzip\r\n", packed(whole)[:30]),
		"in the pack's header": short("Content-Encoding: gzip\r\n", packed(whole)[:4]),
	} {
		client := serveRaw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, sent) })
		_, err := client.Token(t.Context(), password)
		e := asError(t, err)
		if e.Code != reltioauth.ErrUnavailable || !e.CutOff() || e.StatusCode != 400 || e.Reason() != "connection lost" {
			t.Errorf("%s: got %v, cut off %t, reason %q", name, err, e.CutOff(), e.Reason())
		}
	}
}
