package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Import and Export work on the fields of secrets, of which some are secret.

// Exported is a connection's secret without what is secret in it.
type Exported struct {
	Connection string `json:"connection"`
	// Fields are as in the secret.
	Fields map[string]any `json:"fields"`
	// Problem is why the secret could not be read or parsed; empty if it could.
	Problem string `json:"problem"`
}

// Export returns what is not secret of all connections' secrets, sorted by name.
func (o *Service) Export(ctx context.Context) ([]Exported, error) {
	names, err := o.Connections.List(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Exported, len(names))
	r := reader{o}
	r.eachNamed(len(names), func(i int) { all[i] = r.exported(ctx, names[i]) })
	return all, nil
}

func (o reader) exported(ctx context.Context, name string) Exported {
	e := Exported{Connection: name, Fields: map[string]any{}}
	source, err := o.Connections.Connection(ctx, name)
	if err == nil {
		_, err = connection.Parse(name, source, o.Hosts)
	}
	if err != nil {
		e.Problem = "its secret is missing"
		if !errors.Is(err, connection.ErrNotFound) {
			e.Problem = apierr.Of(err).Error()
		}
		return e
	}
	fields := fieldsOf(source.Value)
	for _, field := range connection.Fields() {
		if value, ok := fields[field.Name]; ok && !field.Hidden {
			e.Fields[field.Name] = value
		}
	}
	return e
}

// fieldsOf are the fields of a secret; none if it is no JSON object. Numbers stay as
// they are written.
func fieldsOf(text reltioauth.Secret) map[string]any {
	fields := map[string]any{}
	d := json.NewDecoder(strings.NewReader(strings.TrimPrefix(text.Reveal(), "\ufeff")))
	d.UseNumber()
	if d.Decode(&fields) != nil {
		return map[string]any{}
	}
	return fields
}

// ImportRequest asks for a connection's secret to be as given.
type ImportRequest struct {
	Connection string
	// Secret is the JSON that connection.Parse reads. A secret field that it does not
	// have is taken from the present secret, so that what Export returned can be
	// imported.
	Secret reltioauth.Secret
	// DryRun: nothing is written.
	DryRun bool
}

// Planning is what an import does with a connection.
type Planning string

// The plannings.
const (
	PlanAdd     Planning = "+"
	PlanChange  Planning = "~"
	PlanNothing Planning = "="
	PlanRefuse  Planning = "!"
)

// Planned is what an import does, or did, with a connection.
type Planned struct {
	Connection string   `json:"connection"`
	Change     Planning `json:"change"`
	// Fields are the names of the fields that differ.
	Fields []string `json:"fields"`
	// Problems are why it is refused, or why the connection cannot be used although
	// its secret is well-formed.
	Problems []string `json:"problems"`
}

// Import writes a connection's secret unless it is as given already. A secret that a
// renewal could not use is refused, in the result. It can be repeated without harm.
func (o *Service) Import(ctx context.Context, r ImportRequest) (Planned, error) {
	p := Planned{Connection: r.Connection, Change: PlanRefuse, Fields: []string{}, Problems: []string{}}
	if err := named(r.Connection); err != nil {
		p.Problems = append(p.Problems, apierr.Of(err).Message)
		return p, nil
	}
	present, err := o.Connections.Connection(ctx, r.Connection)
	exists := err == nil
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return p, err
	}
	next, text, err := merged(r.Secret, present.Value)
	if err != nil {
		return p, err
	}
	c, err := connection.Parse(r.Connection, connection.Source{Value: text}, o.Hosts)
	if err != nil {
		p.Problems = strings.Split(apierr.Of(err).Message, "; ")
		return p, nil
	}
	p.Fields = differing(fieldsOf(present.Value), next)
	switch {
	case exists && len(p.Fields) == 0:
		p.Change = PlanNothing
		return p, nil
	case exists:
		p.Change = PlanChange
	default:
		p.Change = PlanAdd
	}
	if c.HasUser() {
		checked := Checked{}
		if err := (reader{o}).claim(ctx, c, &checked); err != nil {
			return p, err
		}
		p.Problems = append(p.Problems, checked.Problems...)
	}
	if !r.DryRun {
		_, err = o.Secrets.PutConnection(ctx, r.Connection, text)
	}
	return p, err
}

// merged is the given secret with the secret fields that it does not have. One that
// is no object stays as it is, for the parser to say so.
func merged(given, present reltioauth.Secret) (map[string]any, reltioauth.Secret, error) {
	next := fieldsOf(given)
	if len(next) == 0 {
		return next, given, nil
	}
	before := fieldsOf(present)
	for _, field := range connection.Fields() {
		_, given := next[field.Name]
		if field.Hidden && !given && before[field.Name] != nil && before["grant_type"] == next["grant_type"] {
			next[field.Name] = before[field.Name]
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(next); err != nil {
		return nil, given, apierr.New(apierr.InvalidRequest, "secret: its fields are no JSON")
	}
	return next, reltioauth.NewSecret(strings.TrimSpace(text.String())), nil
}

// differing are the names of the fields that differ, sorted.
func differing(before, next map[string]any) []string {
	names := []string{}
	for _, fields := range []map[string]any{before, next} {
		for name := range fields {
			if !reflect.DeepEqual(before[name], next[name]) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
