package reltioauth

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// maxBody is how much of a response is read, and how much may come of it when it
// is unpacked: 1 MiB.
const maxBody = 1 << 20

// What a body begins with.
const (
	byteOrderMark = "\xef\xbb\xbf"
	gzipHeader    = "\x1f\x8b\x08" // RFC 1952, section 2.3.1, with the only method that it defines
)

// errPacked is for a body that begins like gzip and is not valid gzip.
const errPacked constError = "answer: cannot be unpacked"

// readBody reads a response's body, once and at most maxBody of it. With an error
// it returns what could be read, because a refresh token in it must not be lost.
//
// The body itself decides how it is read, not the headers. Proxies compress
// responses that were requested uncompressed, and label both kinds wrongly. So
// Content-Encoding and Content-Type are ignored.
func readBody(r io.Reader) ([]byte, error) {
	raw, err := readAtMost(r)
	body := raw
	if bytes.HasPrefix(raw, []byte(gzipHeader)) {
		var packedErr error
		if body, packedErr = unpack(raw); err == nil {
			err = packedErr
		}
	}
	return neutral(bytes.TrimPrefix(body, []byte(byteOrderMark))), err
}

// readAtMost reads up to maxBody. If there is more, the error is errTooLarge.
func readAtMost(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if len(body) > maxBody {
		return body[:maxBody], errTooLarge
	}
	return body, err
}

// unpack decompresses gzip. Only HTTP says whether a response is complete: a gzip
// body that ends early in a complete response is malformed, not cut off.
func unpack(raw []byte) ([]byte, error) {
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, errPacked
	}
	body, err := readAtMost(packed)
	if err != nil && !errors.Is(err, errTooLarge) {
		err = errPacked
	}
	return body, err
}

// neutral replaces, in place, the control characters that JSON does not allow in
// a string, so that one in a field that is not read does not make other fields
// unreadable. White space between fields becomes a space. The rest becomes a byte
// that is in no valid text, so that a field with it cannot be used.
func neutral(body []byte) []byte {
	for i, c := range body {
		switch {
		case c == '\t', c == '\n', c == '\r':
			body[i] = ' '
		case c < ' ':
			body[i] = 0xff
		}
	}
	return body
}

// isPage reports whether a body is a page for people, sent by something in front
// of the server, and not a response of the server. A page begins with "<" and
// JSON does not, whatever Content-Type says.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }
