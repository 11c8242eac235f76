package deploy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// root is the repository.
const root = "../.."

// object is a mapping of the template. An intrinsic function is one too, in its
// long form: {"Ref": …}, {"Fn::Sub": …}, {"Fn::GetAtt": [a, b]}.
type object = map[string]any

// template is template.yaml, as it is written: before SAM's transform.
type template struct{ doc object }

// load reads the template. Each call gives one of its own, to be changed at will.
func load(t testing.TB) template {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		t.Fatal(err)
	}
	doc, ok := value(t, node.Content[0]).(object)
	if !ok {
		t.Fatal("template.yaml is no mapping")
	}
	return template{doc}
}

// value turns a YAML node into plain values, intrinsic functions in their long
// form.
func value(t testing.TB, n *yaml.Node) any {
	t.Helper()
	if name, ok := strings.CutPrefix(n.Tag, "!"); ok && !strings.HasPrefix(name, "!") {
		plain := *n
		plain.Tag = ""
		v := value(t, &plain)
		switch name {
		case "Ref", "Condition":
			return object{name: v}
		case "GetAtt":
			if text, ok := v.(string); ok {
				before, after, _ := strings.Cut(text, ".")
				v = []any{before, after}
			}
		}
		return object{"Fn::" + name: v}
	}
	switch n.Kind {
	case yaml.MappingNode:
		o := object{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := o[key]; twice {
				t.Errorf("line %d: %s stands there twice", n.Content[i].Line, key)
			}
			o[key] = value(t, n.Content[i+1])
		}
		return o
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, entry := range n.Content {
			list = append(list, value(t, entry))
		}
		return list
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			t.Fatalf("line %d: %v", n.Line, err)
		}
		return v
	}
}

// at follows a path of keys; nil if it leads nowhere.
func at(v any, path ...string) any {
	for _, key := range path {
		o, ok := v.(object)
		if !ok {
			return nil
		}
		v = o[key]
	}
	return v
}

// objectAt is at for a mapping; an empty one if there is none.
func objectAt(v any, path ...string) object {
	o, ok := at(v, path...).(object)
	if !ok {
		return object{}
	}
	return o
}

// listOf is a list, or the one value that may stand in its place.
func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// resource is one resource of the template, with its logical id.
type resource struct {
	id   string
	body object
}

func (r resource) properties() object { return objectAt(r.body, "Properties") }

// resources are all of a type, sorted by logical id; of all types without one.
func (t template) resources(kind string) []resource {
	all := objectAt(t.doc, "Resources")
	var found []resource
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if body := objectAt(all, id); kind == "" || body["Type"] == kind {
			found = append(found, resource{id, body})
		}
	}
	return found
}

// get is the resource of a logical id.
func (t template) get(id string) resource {
	return resource{id, objectAt(t.doc, "Resources", id)}
}

// The functions: their names, and their logical ids.
var functions = map[string]string{"issue": "IssueFunction", "rotate": "RotateFunction", "callback": "CallbackFunction"}

// setting is a property of a function, or of all functions.
func (t template) setting(id string, path ...string) any {
	if v := at(t.get(id).properties(), path...); v != nil {
		return v
	}
	return at(objectAt(t.doc, "Globals", "Function"), path...)
}

// problems collects what is wrong.
type problems []string

func (p *problems) addf(format string, a ...any) { *p = append(*p, fmt.Sprintf(format, a...)) }
