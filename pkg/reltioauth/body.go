package reltioauth

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// maxBody is how much of a response is read, and how much may come of it when
// it is unpacked: 1 MiB.
const maxBody = 1 << 20

// What a body begins with.
const (
	byteOrderMark = "\xef\xbb\xbf"
	gzipHeader    = "\x1f\x8b\x08" // RFC 1952, section 2.3.1, with the only method there is
)

// errPacked is a body that begins as gzip does and is none.
const errPacked constError = "answer: cannot be unpacked"

// readBody reads a response's body, once and at most maxBody of it. With an
// error it returns what could be read: a refresh token in it must not be lost.
//
// The body decides how it is read, not what its header says of it: proxies
// pack what was asked for unpacked, and label what they packed or did not pack
// in every way. So Content-Encoding and Content-Type are not looked at.
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

// readAtMost reads maxBody. If there is more the error is errTooLarge.
func readAtMost(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if len(body) > maxBody {
		return body[:maxBody], errTooLarge
	}
	return body, err
}

// unpack undoes gzip. Whether a response came whole is for HTTP to say: a packed
// body that ends early in a whole response is badly packed, and not cut off.
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

// neutral replaces, in place, the control characters that JSON has no place for
// inside of a string, so that one in a field that is not read spoils no other
// field. What is white space between fields becomes a space; the rest becomes a
// byte that is in no valid text, so that a field with it cannot be used.
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

// isPage reports whether a body is a page for people, from something in front
// of the server, and not a response of the server. A page begins with "<" and
// JSON does not, whatever Content-Type says.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }
