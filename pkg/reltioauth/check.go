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

// TokenInfo is what the server says about a token. Only Active is certain: the
// rest is documented by name and not by type (inferred), and a field that is
// missing or of another shape is left at its zero value.
type TokenInfo struct {
	// Active reports whether the token is alive.
	Active bool

	ClientID string // of the client that it was issued to
	Username string // of the user, or a virtual one for a client's own token
	Email    string
	Customer string
	Tenants  []string
	Scopes   []string
	Roles    []string

	// ExpiresAt is the token's deadline by the server's clock, UTC.
	ExpiresAt time.Time
}

// Check asks whether a token is alive: POST /oauth/checkToken (documented by
// Reltio; compare RFC 7662), once, within CheckTimeout.
//
// There are three answers. A success with a JSON object: Active is true,
// unless the object says "active":false as in RFC 7662. A definite refusal:
// Active is false and the error nil. That is any 4xx, because Reltio does not
// document which one a dead token gets, but for a 401 with invalid_client or
// unauthorized, which refuses the client and not the token, for 429, and for a
// page of HTML. All else is an *Error and says nothing about the token.
func (c *Conn) Check(ctx context.Context, token Secret) (*TokenInfo, error) {
	r, err := c.aboutToken(opCheck, token, "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	a, err := c.exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.success() {
		return r.tokenInfo(a)
	}
	e := r.refusal(a)
	aboutClient := a.status == http.StatusUnauthorized && (e.Code == ErrInvalidClient || e.Code == ErrUnauthorized)
	if a.refused() && !aboutClient {
		return &TokenInfo{Active: false}, nil
	}
	return nil, e
}

// errContradiction is a success that says it is none.
const errContradiction constError = "answer: a success with an error in it"

func (r *request) tokenInfo(a *answer) (*TokenInfo, error) {
	body, err := parseObject(a.body)
	if err == nil && !body.missing("error") {
		err = errContradiction
	}
	if err := cmp.Or(a.readErr, err); err != nil {
		return nil, r.unusable(a, body, err)
	}
	if string(body["active"]) == "false" {
		return &TokenInfo{Active: false}, nil
	}
	return readTokenInfo(body), nil
}

func readTokenInfo(body object) *TokenInfo {
	user, _ := parseObject(body["user"])
	info := &TokenInfo{
		Active:    true,
		Tenants:   stringList(user["tenants"]),
		Scopes:    stringList(body["scopes"]),
		Roles:     stringList(body["roles"]),
		ExpiresAt: parseInstant(body["expiration"]),
	}
	info.ClientID, _ = body.text("clientId")
	info.Username, _ = user.text("username")
	info.Email, _ = user.text("email")
	info.Customer, _ = user.text("customer")
	return info
}

// stringList reads a list however it is written: an array of strings, a string
// with spaces (as scopes are), or an object whose keys are the list (as roles
// are elsewhere at Reltio).
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

// parseInstant reads a point in time however it is written: RFC 3339, or
// seconds or milliseconds since 1970, which lie too far apart to be confused.
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
