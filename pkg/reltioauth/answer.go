package reltioauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRetryAfter is the longest Retry-After that is passed on.
const maxRetryAfter = 24 * time.Hour

// Problems of a body as a whole.
const (
	errTooLarge  constError = "answer: more than 1 MiB"
	errNotJSON   constError = "answer: not a JSON object"
	errEmpty     constError = "answer: empty"
	errMalformed constError = "answer: malformed JSON"
)

// object is a JSON object of a response: its fields, each in the form it was
// sent. The value of a field whose key is repeated is nil, because it is unclear
// which one counts. That is an error where the field is read, and only there.
type object map[string]json.RawMessage

// parseObject reads a body. With an error, the object holds the fields that are
// complete before the problem, so that a response that was cut off after a new
// refresh token does not lose it. Bytes that are not UTF-8 are no error here: see
// text.
func parseObject(body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errEmpty
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, errNotJSON
	}
	fields, err := readFields(d)
	if !json.Valid(body) {
		err = errMalformed
	}
	return fields, err
}

// readFields reads up to the closing brace or the first syntax error.
func readFields(d *json.Decoder) (object, error) {
	fields := object{}
	for d.More() {
		token, _ := d.Token()
		key, ok := token.(string)
		if !ok {
			return fields, errMalformed
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fields, errMalformed
		}
		if _, repeated := fields[key]; repeated {
			value = nil
		}
		fields[key] = value
	}
	return fields, nil
}

// missing reports whether a field is absent or null.
func (o object) missing(key string) bool {
	value, ok := o[key]
	return !ok || string(value) == "null"
}

// value is the value of a field, or nil if it is missing. It fails if the field
// is repeated.
func (o object) value(key string) (json.RawMessage, error) {
	switch value := o[key]; {
	case o.missing(key):
		return nil, nil
	case value == nil:
		return nil, errors.New(key + ": repeated")
	default:
		return value, nil
	}
}

// text is a field that is a string, or "" if it is missing. A string with bytes
// that are not UTF-8 cannot be used: two different names would look the same, and
// a secret that the server repeats in another encoding would not be recognized.
func (o object) text(key string) (string, error) {
	value, err := o.value(key)
	if value == nil || err != nil {
		return "", err
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", errors.New(key + ": not a string")
	}
	if strings.ContainsRune(text, utf8.RuneError) { // encoding/json replaces invalid bytes by it
		return "", errors.New(key + ": not UTF-8")
	}
	return text, nil
}

// note is a field on which nothing depends: a string, or an array of strings,
// which Reltio also documents for scope and which is joined by spaces. One that
// cannot be used, because of its type, its length or a character that cannot be
// stored, counts as not sent.
func (o object) note(key string) string {
	text, err := o.text(key)
	if err != nil {
		var list []string
		if json.Unmarshal(o[key], &list) != nil {
			return ""
		}
		text = strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
	}
	if len(text) > maxTokenLength || !isPrintable(text, ' ') {
		return ""
	}
	return text
}

// credential is a text that may be a token.
func (o object) credential(key string) (Secret, error) {
	text, err := o.text(key)
	if err != nil {
		return Secret{}, err
	}
	if len(text) > maxTokenLength || !isPrintable(text, '!') {
		return Secret{}, errors.New(key + ": too long or characters that no token has")
	}
	return NewSecret(text), nil
}

// isPrintable reports whether all characters of the text are in the range from
// first to "~".
func isPrintable(text string, first rune) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c < first || '~' < c })
}

// expiresIn is the field of that name, and whether it is missing.
func (o object) expiresIn() (d time.Duration, missing bool, err error) {
	value, err := o.value("expires_in")
	switch {
	case err != nil:
		return 0, false, err
	case value == nil:
		return assumedExpiresIn, true, nil
	}
	d, err = parseSeconds(value)
	return d, false, err
}

// parseSeconds reads expires_in: a number in all of Reltio's samples, a string in
// one of its tables.
func parseSeconds(value json.RawMessage) (time.Duration, error) {
	number := string(value)
	if strings.HasPrefix(number, `"`) {
		_ = json.Unmarshal(value, &number) // it is a string
	}
	if !isNumber(number) {
		return 0, errors.New("expires_in: not a number")
	}
	seconds, _ := strconv.ParseFloat(number, 64) // out of range is infinite
	switch seconds = math.Trunc(seconds); {
	case seconds < 0:
		return 0, errors.New("expires_in: negative")
	case seconds == 0:
		return 0, ErrNoLifeLeft
	case seconds > maxExpiresIn.Seconds():
		return maxExpiresIn, nil
	}
	return time.Duration(seconds) * time.Second, nil
}

// isNumber reports whether the text is a number in JSON's grammar, which has no
// "Inf", "0x10" or " 1".
func isNumber(text string) bool {
	return text != "" && strings.ContainsRune("-0123456789", rune(text[0])) &&
		!strings.ContainsAny(text, " \t\r\n") && json.Valid([]byte(text))
}

// retryAfter reads the header (RFC 9110, section 10.2.3): whole seconds or a
// date.
func retryAfter(header http.Header, now func() time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.Atoi(value)
		if err != nil || seconds > int(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now()), 0), maxRetryAfter)
}
