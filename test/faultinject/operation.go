package faultinject

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Operation is one request of a function, as the table names it.
type Operation struct {
	// Service is who is asked.
	Service stack.Service
	// Name is what for: "UpdateItem lease#", "token refresh_token".
	Name string
	// Nth counts those of one name within an invocation, from 1.
	Nth int
}

// String implements fmt.Stringer.
func (o Operation) String() string {
	if o.Nth == 1 {
		return o.Name
	}
	return fmt.Sprintf("%s %d", o.Name, o.Nth)
}

// verb is the first word of the name: the action of the service.
func (o Operation) verb() string {
	verb, _, _ := strings.Cut(o.Name, " ")
	return verb
}

// asks reports whether it is a token request.
func (o Operation) asks() bool { return strings.HasPrefix(o.Name, tokenPrefix) }

// Words of names.
const (
	tokenPrefix = "token "
	connect     = "connect"
	invocation  = "Invoke rotate"
)

// nameOf names a request by what is in it.
func nameOf(service stack.Service, r *http.Request, body []byte) string {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch service {
	case stack.DynamoDB:
		return action + item(body)
	case stack.Lambda:
		return invocation
	case stack.Reltio:
		return endpoint(r, body)
	default:
		return action + secret(body)
	}
}

// key is an item's key in a request.
type key struct {
	PK struct{ S string } `json:"pk"`
}

// item is the kind of item that a request names, as its key begins: " lease#". A batch
// names several.
func item(body []byte) string {
	var in struct {
		Key          key
		RequestItems map[string]struct{ Keys []key }
	}
	if json.Unmarshal(body, &in) != nil {
		return ""
	}
	keys := []key{in.Key}
	for _, asked := range in.RequestItems {
		keys = append(keys, asked.Keys...)
	}
	var kinds []string
	for _, k := range keys {
		if kind, _, found := strings.Cut(k.PK.S, "#"); found {
			kinds = append(kinds, " "+kind+"#")
		}
	}
	slices.Sort(kinds)
	return strings.Join(slices.Compact(kinds), "")
}

// secret is the kind of secret that a request names: " connections/".
func secret(body []byte) string {
	var in struct{ SecretID, Name string }
	if json.Unmarshal(body, &in) != nil {
		return ""
	}
	parts := strings.Split(in.SecretID+in.Name, "/")
	if len(parts) < 3 {
		return ""
	}
	return " " + parts[1] + "/"
}

// endpoint is what Reltio is asked for.
func endpoint(r *http.Request, body []byte) string {
	op := strings.TrimPrefix(r.URL.Path, "/oauth/")
	form, err := url.ParseQuery(string(body))
	if err != nil || op != "token" {
		return op
	}
	return tokenPrefix + form.Get("grant_type")
}
