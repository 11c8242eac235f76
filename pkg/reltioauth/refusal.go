package reltioauth

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
)

// newError is the error of a response, without its code.
func (r *request) newError(a *answer) *Error {
	return &Error{
		Op:         r.op,
		GrantType:  r.grantType,
		StatusCode: a.status,
		RetryAfter: a.retryAfter,
		Sent:       true,
		Err:        a.readErr,
		reason:     answerReason(a),
		cutOff:     a.cutOff && a.status != http.StatusTooManyRequests,
	}
}

// refusal is the error of a response that is no success. A code counts with any
// 4xx but 429, although RFC 6749, section 5.2, gives each code its status. For
// example, invalid_grant on a login is a refusal even with a 403: overlooking a
// refusal can lock the user. A body that is no object has no code, and then the
// status decides.
func (r *request) refusal(a *answer) *Error {
	e := r.newError(a)
	var body object
	var err error
	if !a.page {
		body, err = parseObject(a.body)
	}
	r.explain(e, body)
	switch {
	case a.status == http.StatusTooManyRequests:
		e.Code = ErrRateLimited
	case a.refused() && err == nil:
		e.Code = cmp.Or(serverCode(body), ErrUnavailable)
	default:
		e.Code = ErrUnavailable
	}
	return e
}

// unusable is the error of a success that cannot be used.
func (r *request) unusable(a *answer, body object, err error) *Error {
	e := r.newError(a)
	e.Err = err
	r.explain(e, body)
	switch {
	case a.cutOff:
		e.Code = ErrUnavailable
	case errors.Is(err, errNoAccessToken) && !body.missing("state_token"):
		e.Code = ErrMFARequired
		e.MFA = r.challenge(body)
	default:
		e.Code = ErrInvalidResponse
	}
	return e
}

// serverCode is the code in a refusal, in either of Reltio's shapes and in any
// case, or "" if it is not a known one: a program cannot act on an unknown code.
func serverCode(body object) ErrorCode {
	word, _ := body.text("error")
	other, _ := body.text("errorCode") // a number, as far as is known
	return cmp.Or(known(word), known(other))
}

// known is the server's code as an ErrorCode, or "" if it is unknown.
func known(word string) ErrorCode {
	switch code := ErrorCode(lower(strings.TrimSpace(word))); code {
	case ErrInvalidRequest, ErrInvalidClient, ErrInvalidGrant, ErrUnauthorizedClient,
		ErrUnsupportedGrantType, ErrInvalidScope, ErrInvalidToken, ErrUnauthorized:
		return code
	}
	return ""
}

// explain keeps the server's description: error_description of the token
// endpoint, errorMessage of the other endpoints, else the code as sent.
func (r *request) explain(e *Error, body object) {
	if len(body) == 0 {
		return
	}
	redactor := r.redactor()
	long, _ := body.text("error_description")
	other, _ := body.text("errorMessage")
	word, _ := body.text("error")
	code, _ := body.text("errorCode")
	uri, _ := body.text("error_uri")
	e.Description = redactor.serverText(cmp.Or(long, other, word, code))
	e.URI = redactor.serverText(uri)
}

// challenge reads the response that asks for a second factor. Reltio documents an
// object; a bare string would be the token.
func (r *request) challenge(body object) *MFAChallenge {
	if token, err := body.credential("state_token"); err == nil {
		return &MFAChallenge{StateToken: token}
	}
	inner, err := parseObject(body["state_token"])
	if err != nil {
		return new(MFAChallenge)
	}
	kind, _ := inner.text("mfaType")
	status, _ := inner.text("status")
	token, _ := inner.credential("token")
	expiresIn, missing, err := inner.expiresIn()
	if missing || err != nil {
		expiresIn = 0
	}
	redactor := r.redactor()
	return &MFAChallenge{
		Type:       redactor.serverText(kind),
		Status:     redactor.serverText(status),
		StateToken: token,
		ExpiresIn:  expiresIn,
	}
}
