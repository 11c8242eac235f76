package issueclient

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

const (
	// maxAnswer bounds a response that is read; a real one has at most 20 KiB.
	maxAnswer = 256 << 10
	// maxToken is the longest token that issue accepts from Reltio.
	maxToken = 16384
	// maxExpiresIn is the longest life that issue accepts, in seconds.
	maxExpiresIn = 31 * 24 * 3600
	// maxRetryAfter is the longest wait that is accepted from a response.
	maxRetryAfter = 5 * time.Minute
)

// readAnswer reads the response of issue to an invocation that began at asked. It
// ignores members that it does not know, because a later release may have more.
// An error names the member and never its value.
func readAnswer(payload []byte, asked time.Time) (*Token, *Error) {
	var a issueapi.Response
	switch {
	case len(payload) > maxAnswer:
		return nil, unusable("too long")
	case json.Unmarshal(payload, &a) != nil:
		return nil, unusable("not the JSON of an answer")
	case !validToken(a.AccessToken):
		return nil, unusable("access_token")
	case a.ExpiresIn < 1 || a.ExpiresIn > maxExpiresIn:
		return nil, unusable("expires_in")
	case !issueapi.ValidFingerprint(a.Fingerprint):
		return nil, unusable("fingerprint")
	}
	return &Token{
		AccessToken: reltioauth.NewSecret(a.AccessToken),
		TokenType:   a.TokenType,
		Scope:       a.Scope,
		ExpiresAt:   asked.Add(time.Duration(a.ExpiresIn) * time.Second),
		Fingerprint: a.Fingerprint,
		Version:     a.Version,
		APIURL:      oneLine(a.APIURL),
		TenantID:    oneLine(a.TenantID),
		Warnings:    a.Warnings,
	}, nil
}

func unusable(what string) *Error {
	return &Error{Type: ErrInvalidAnswer, Message: "this is no answer of issue: " + what}
}

// validToken reports whether the text can stand in a header.
func validToken(text string) bool {
	notInToken := func(c rune) bool { return c <= ' ' || c > '~' }
	return text != "" && len(text) <= maxToken && !strings.ContainsFunc(text, notInToken)
}

// readFunctionError reads the error of a function that failed. A function without
// a readable error has a defect.
func readFunctionError(payload []byte) *Error {
	var f issueapi.Error
	if len(payload) > maxAnswer || json.Unmarshal(payload, &f) != nil || !validType(string(f.Type)) {
		f.Type = ErrInternal
	}
	e := &Error{Type: f.Type, Message: oneLine(f.Message)}
	if e.Type == ErrRateLimited {
		e.RetryAfter = retryAfter(e.Message)
	}
	return e
}

func validType(text string) bool {
	notInType := func(c rune) bool { return c <= ' ' || c > '~' }
	return text != "" && len(text) <= maxType && !strings.ContainsFunc(text, notInType)
}

var retryMessage = regexp.MustCompile(`\bretry after ([0-9]+) s\b`)

// retryAfter reads the seconds in "retry after 7 s"; 0 if there are none.
func retryAfter(message string) time.Duration {
	found := retryMessage.FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	return seconds(found[1])
}

// seconds reads a time to wait, at most maxRetryAfter; 0 if the text is no whole
// number.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 31)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return maxRetryAfter
	case err != nil:
		return 0
	}
	return min(time.Duration(n)*time.Second, maxRetryAfter)
}
