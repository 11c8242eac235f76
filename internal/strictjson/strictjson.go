// Package strictjson reads one JSON object and refuses all fields that the
// caller does not know.
//
// encoding/json is lenient: it matches keys in any case, uses the last of two
// equal keys, ignores unknown keys and takes null for any type. In a request or
// a secret each of these is a mistake that should be reported.
//
//	o, err := strictjson.Parse(data)
//	if err != nil { ... }               // not one JSON object
//	name := o.String("connection")      // a wrong type becomes a problem
//	if !o.Has("connection") { o.Problem("connection", "is required") }
//	problems := o.Problems()            // also names fields that were not read
//
// A problem reads "<field>: <what>". It never holds a value, and it holds a
// field's name only if the name looks like one of this service: a secret pasted
// in the wrong place must not be shown in an error.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

var (
	// ErrNotObject says that the input is not one JSON object in UTF-8.
	ErrNotObject = errors.New("must be one JSON object")
	// ErrTrailing says that something follows the object.
	ErrTrailing = errors.New("must be one JSON object and nothing after it")
)

// most is how many problems are named: an operator does not repair more at
// once, and the list must not grow with the input.
const most = 20

// printable is what the name of an unknown field must look like to be shown.
var printable = regexp.MustCompile(`^[a-z_]{1,32}$`)

// Object is a JSON object whose fields are taken out one by one. It is not safe
// for concurrent use.
type Object struct {
	fields   map[string]json.RawMessage
	asked    map[string]bool
	problems map[string]string
	unnamed  bool // an unknown field has a name that is not shown
}

// Parse reads data as one object: ErrNotObject or ErrTrailing if it is not. A
// repeated field is no error of Parse but a problem.
func Parse(data []byte) (*Object, error) {
	o := &Object{
		fields:   map[string]json.RawMessage{},
		asked:    map[string]bool{},
		problems: map[string]string{},
	}
	if !utf8.Valid(data) {
		return nil, ErrNotObject
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, ErrNotObject
	}
	for d.More() {
		if err := o.member(d); err != nil {
			return nil, ErrNotObject
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, ErrNotObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrTrailing
	}
	return o, nil
}

func (o *Object) member(d *json.Decoder) error {
	key, err := d.Token()
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	name, ok := key.(string)
	if !ok {
		return ErrNotObject
	}
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if _, twice := o.fields[name]; twice {
		o.Problem(name, "is repeated")
	}
	o.fields[name] = value
	return nil
}

// Has reports whether the field is there, whatever its value.
func (o *Object) Has(name string) bool {
	_, ok := o.fields[name]
	return ok
}

// Names lists the fields that are there, sorted.
func (o *Object) Names() []string { return slices.Sorted(maps.Keys(o.fields)) }

// Problem remembers the first mistake of a field.
func (o *Object) Problem(name, what string) {
	if !printable.MatchString(name) {
		o.unnamed = true
		return
	}
	if _, ok := o.problems[name]; !ok {
		o.problems[name] = what
	}
}

// String takes a text out; "" if it is missing.
func (o *Object) String(name string) string {
	return take[string](o, name, "must be a string")
}

// Bool takes a truth value out; false if it is missing.
func (o *Object) Bool(name string) bool {
	return take[bool](o, name, "must be true or false")
}

// Number takes a number out; 0 if it is missing.
func (o *Object) Number(name string) float64 {
	return take[float64](o, name, "must be a number")
}

// Integer takes a whole number out; 0 if it is missing.
func (o *Object) Integer(name string) int64 {
	return take[int64](o, name, "must be a whole number")
}

// Strings takes a list of texts out; nil if it is missing.
func (o *Object) Strings(name string) []string {
	const what = "must be a list of strings"
	list := take[[]*string](o, name, what)
	texts := make([]string, 0, len(list))
	for _, text := range list {
		if text == nil {
			o.Problem(name, what)
			return nil
		}
		texts = append(texts, *text)
	}
	return texts
}

// Object takes an object out; nil if it is missing. Its problems are its own.
func (o *Object) Object(name string) *Object {
	raw, ok := o.take(name)
	if !ok {
		return nil
	}
	inner, err := Parse(raw)
	if err != nil {
		o.Problem(name, "must be an object")
		return nil
	}
	return inner
}

func (o *Object) take(name string) (json.RawMessage, bool) {
	o.asked[name] = true
	raw, ok := o.fields[name]
	return raw, ok
}

func take[T any](o *Object, name, what string) T {
	var zero T
	raw, ok := o.take(name)
	if !ok {
		return zero
	}
	var value *T
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		o.Problem(name, what)
		return zero
	}
	return *value
}

// Known says that the fields are known although they were not read.
func (o *Object) Known(names ...string) {
	for _, name := range names {
		o.asked[name] = true
	}
}

// KnowAll says that a field that was not read until now is no problem: for
// input that others may extend.
func (o *Object) KnowAll() {
	for name := range o.fields {
		if !o.asked[name] {
			o.asked[name] = true
			delete(o.problems, name)
		}
	}
	o.unnamed = false
}

// Problems lists the mistakes, each as "<field>: <what>", sorted by field; at
// the end one entry for fields whose names are not shown, and the number of
// problems that are left out. No more than 20 are named, first those of the
// fields that were read.
func (o *Object) Problems() []string {
	for name := range o.fields {
		if !o.asked[name] {
			o.Problem(name, "is not known here")
		}
	}
	names := slices.Sorted(maps.Keys(o.problems))
	more := max(0, len(names)-most)
	if more > 0 {
		slices.SortStableFunc(names, o.askedFirst)
		names = slices.Sorted(slices.Values(names[:most]))
	}
	list := make([]string, 0, len(names)+2)
	for _, name := range names {
		list = append(list, name+": "+o.problems[name])
	}
	if o.unnamed {
		list = append(list, "a field: is not known here")
	}
	if more > 0 {
		list = append(list, "other fields: "+strconv.Itoa(more)+" more")
	}
	return list
}

func (o *Object) askedFirst(a, b string) int {
	switch {
	case o.asked[a] == o.asked[b]:
		return 0
	case o.asked[a]:
		return -1
	}
	return 1
}
