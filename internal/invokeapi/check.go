package invokeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Limits of Lambda's Invoke API, in bytes. A response may be a little longer than a
// request.
const (
	MaxRequest      = 6 << 20
	MaxAsyncRequest = 1 << 20
	MaxResponse     = 6<<20 + 100
)

const (
	invalidContent   = "InvalidRequestContentException"
	invalidParameter = "InvalidParameterValueException"
)

// Error is an invocation that did not take place.
type Error struct {
	// Status is HTTP's.
	Status int
	// Code is the error's type: ResourceNotFoundException, for instance.
	Code string
	// Reason and Message say more.
	Reason, Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NotFound is the error of a function that is not there.
func NotFound(format string, args ...any) *Error {
	return &Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: fmt.Sprintf(format, args...)}
}

func badRequest(code, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: message}
}

// Split reads "name", "name:qualifier", "account:function:name" and an ARN, the
// last two with a qualifier or without. A caller may also give the qualifier apart,
// or in both ways; an error says that they differ.
func Split(function, apart string) (name, qualifier string, err *Error) {
	if _, after, ok := strings.Cut(function, "function:"); ok {
		function = after
	}
	name, own, _ := strings.Cut(function, ":")
	switch {
	case own == "":
		return name, apart, nil
	case apart != "" && own != apart:
		return "", "", badRequest(invalidParameter, "The derived qualifier from the function name does not match the specified qualifier.")
	}
	return name, own, nil
}

// CheckPayload returns an error if the payload has more bytes, or is no JSON. Nothing at
// all is valid, and means {}.
func CheckPayload(payload []byte, most int) *Error {
	if len(payload) > most {
		return tooLarge(most)
	}
	if len(bytes.TrimSpace(payload)) > 0 && !json.Valid(payload) {
		return badRequest(invalidContent, "Could not parse request body into json")
	}
	return nil
}

func tooLarge(most int) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLargeException",
		Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", most),
	}
}
