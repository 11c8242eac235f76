package reltioauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRetryAfter is the longest Retry-After that is passed on.
const maxRetryAfter = 24 * time.Hour

// What can be wrong with a body as a whole.
const (
	errTooLarge  constError = "answer: more than 1 MiB"
	errNotJSON   constError = "answer: not a JSON object"
	errRepeated  constError = "answer: a key is repeated"
	errEmpty     constError = "answer: empty"
	errMalformed constError = "answer: malformed JSON"
)

// object is a JSON object of an answer: its fields, each as it came. A field
// whose key is repeated is not in it, because nobody can say which one counts.
type object map[string]json.RawMessage

// parseObject reads a body. With an error the object holds the fields that
// stand complete before the fault: an answer that was cut off behind a new
// refresh token must not lose it.
func parseObject(body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errEmpty
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, errNotJSON
	}
	fields, err := readFields(d)
	if !json.Valid(body) || !utf8.Valid(body) {
		err = errMalformed
	}
	return fields, err
}

// readFields reads up to the closing brace or the first fault of grammar.
func readFields(d *json.Decoder) (object, error) {
	fields := object{}
	seen := map[string]bool{}
	var repeated error
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
		if seen[key] {
			repeated = errRepeated
			delete(fields, key)
			continue
		}
		seen[key] = true
		fields[key] = value
	}
	return fields, repeated
}

// missing reports whether a field is not there or null.
func (o object) missing(key string) bool {
	value, ok := o[key]
	return !ok || string(value) == "null"
}

// text is a field that is a string, or "" if it is missing.
func (o object) text(key string) (string, error) {
	if o.missing(key) {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(o[key], &text); err != nil {
		return "", errors.New(key + ": not a string")
	}
	return text, nil
}

// line is a text of printable ASCII, spaces included, that is not too long to
// be stored.
func (o object) line(key string) (string, error) {
	text, err := o.text(key)
	if err != nil {
		return "", err
	}
	if len(text) > maxTokenLength || !isPrintable(text, ' ') {
		return "", errors.New(key + ": too long or not printable")
	}
	return text, nil
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

// isPrintable reports whether the text is ASCII from first to "~".
func isPrintable(text string, first rune) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c < first || '~' < c })
}

// expiresIn is the field of that name, and whether it is missing.
func (o object) expiresIn() (d time.Duration, missing bool, err error) {
	if o.missing("expires_in") {
		return assumedExpiresIn, true, nil
	}
	d, err = parseSeconds(o["expires_in"])
	return d, false, err
}

// parseSeconds reads expires_in: a number in every sample of Reltio's, a
// string in one of its tables.
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

// isNumber reports whether the text is a number of JSON's grammar, which has
// no "Inf", "0x10" or " 1".
func isNumber(text string) bool {
	return text != "" && strings.ContainsRune("-0123456789", rune(text[0])) &&
		!strings.ContainsAny(text, " \t\r\n") && json.Valid([]byte(text))
}

// isHTML reports whether an answer is a page. An outage page may have any
// status, and any type if its server is careless.
func isHTML(header http.Header, body []byte) bool {
	return strings.Contains(strings.ToLower(header.Get("Content-Type")), "html") ||
		bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
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
