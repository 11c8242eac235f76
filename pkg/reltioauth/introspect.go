package reltioauth

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Introspection is what the server says about a token. Only Active is certain.
// Reltio documents the other fields by name but not by type (inferred), and a
// field that is missing or of another shape is left at its zero value.
//
// Each field is read by the name that Reltio documents, or else by that of Spring
// Security's legacy framework (seen in the framework) and of RFC 7662.
type Introspection struct {
	// Active reports whether the token is valid.
	Active bool

	ClientID string // clientId, client_id: the client that the token was issued to
	// Username is user.username, user_name or username, whichever comes first:
	// the user's, or a virtual one for a client's own token.
	Username string
	Email    string // user.email
	Customer string // user.customer
	Tenants  []string
	Scopes   []string // scopes, scope
	Roles    []string

	// ExpiresAt (expiration, exp) is the token's deadline by the server's
	// clock, UTC.
	ExpiresAt time.Time
}

// Introspect asks whether a token is active: POST /oauth/checkToken (documented
// by Reltio; compare RFC 7662), within CheckTimeout.
//
// The client is in the Basic header, whatever ClientAuth says. If it is refused
// there, by a 401 that does not say invalid_token, the request is sent once more
// with the client in the form, over the same connection, or over a new one if the
// server closed it.
//
// There are three results. For a success with a JSON object, Active is true. For
// a definite no, Active is false and the error is nil: a 400 or 401 with the code
// invalid_token (the framework: 400), or a success with "active":false (RFC
// 7662). Everything else is an *Error and says nothing about the token. The most
// common is a 403, the framework's default, because no client is permitted to ask
// (seen in the framework).
func (c *Conn) Introspect(ctx context.Context, token Secret) (*Introspection, error) {
	ctx, cancel := within(ctx, CheckTimeout)
	defer cancel()
	r, a, err := c.aboutToken(ctx, opCheck, token, "")
	if err != nil {
		return nil, err
	}
	if a.success() {
		return r.tokenInfo(a)
	}
	e := r.refusal(a)
	definite := a.status == http.StatusBadRequest || a.status == http.StatusUnauthorized
	if definite && e.Code == ErrInvalidToken {
		return &Introspection{Active: false}, nil
	}
	return nil, e
}

const (
	// errContradiction is for a success with an error code in its body.
	errContradiction constError = "answer: a success with an error in it"
	// errActive is for an active field that is neither true nor false.
	errActive constError = "active: neither true nor false"
)

func (r *request) tokenInfo(a *answer) (*Introspection, error) {
	body, err := parseObject(a.body)
	active, activeErr := body.isActive()
	if err == nil && !body.missing("error") {
		err = errContradiction
	}
	if err := cmp.Or(a.readErr, err, activeErr); err != nil {
		return nil, r.unusable(a, body, err)
	}
	if !active {
		return &Introspection{Active: false}, nil
	}
	return readTokenInfo(body), nil
}

// isActive reads active (RFC 7662, section 2.2). Reltio does not document it: a
// token that the response describes is active.
func (o object) isActive() (bool, error) {
	switch value, err := o.value("active"); {
	case err != nil:
		return false, err
	case value == nil, string(value) == "true":
		return true, nil
	case string(value) == "false":
		return false, nil
	}
	return false, errActive
}

func readTokenInfo(body object) *Introspection {
	user, _ := parseObject(body["user"])
	info := &Introspection{
		Active:    true,
		ClientID:  cmp.Or(body.name("clientId"), body.name("client_id")),
		Username:  cmp.Or(user.name("username"), body.name("user_name"), body.name("username")),
		Email:     user.name("email"),
		Customer:  user.name("customer"),
		Tenants:   stringList(user["tenants"]),
		Scopes:    stringList(body["scopes"]),
		Roles:     stringList(body["roles"]),
		ExpiresAt: parseInstant(body["expiration"]),
	}
	if info.Scopes == nil {
		info.Scopes = stringList(body["scope"])
	}
	if info.ExpiresAt.IsZero() {
		info.ExpiresAt = parseInstant(body["exp"])
	}
	return info
}

// name is a text, or "" if it is missing or cannot be used.
func (o object) name(key string) string {
	text, _ := o.text(key)
	return text
}

// stringList reads a list in any of its forms: an array of strings, a string with
// spaces (scopes), or an object whose keys are the list (roles, in other APIs of
// Reltio).
func stringList(value json.RawMessage) []string {
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return list
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return strings.Fields(text)
	}
	if fields, err := parseObject(value); err == nil {
		return slices.Sorted(maps.Keys(fields))
	}
	return nil
}

// parseInstant reads a point in time in any of its forms: RFC 3339, or seconds or
// milliseconds since 1970, which are too far apart to be confused.
func parseInstant(value json.RawMessage) time.Time {
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC()
		}
	}
	var number float64
	if text != "" && isNumber(text) {
		value = json.RawMessage(text)
	}
	if json.Unmarshal(value, &number) != nil {
		return time.Time{}
	}
	const (
		milliseconds = 1e11 // as seconds this is the year 5138
		limit        = 1e14
	)
	switch number = math.Trunc(number); {
	case number <= 0 || number >= limit:
		return time.Time{}
	case number < milliseconds:
		return time.Unix(int64(number), 0).UTC()
	}
	return time.UnixMilli(int64(number)).UTC()
}
