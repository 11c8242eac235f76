package strictjson_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
)

func TestParseRefusesWhatIsNotOneObject(t *testing.T) {
	for name, test := range map[string]struct {
		input string
		want  error
	}{
		"nothing":          {"", strictjson.ErrNotObject},
		"null":             {"null", strictjson.ErrNotObject},
		"an array":         {"[]", strictjson.ErrNotObject},
		"a text":           {`"x"`, strictjson.ErrNotObject},
		"cut":              {`{"a":1`, strictjson.ErrNotObject},
		"cut in a value":   {`{"a":`, strictjson.ErrNotObject},
		"a comma too many": {`{"a":1,}`, strictjson.ErrNotObject},
		"not UTF-8":        {"{\"a\":\"\xff\"}", strictjson.ErrNotObject},
		"two objects":      {`{}{}`, strictjson.ErrTrailing},
		"a stray brace":    {`{}}`, strictjson.ErrTrailing},
		"a zero byte":      {"{}\x00", strictjson.ErrTrailing},
		"white space":      {" {} \n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := strictjson.Parse([]byte(test.input)); !errors.Is(err, test.want) {
				t.Errorf("Parse(%q) = %v, want %v", test.input, err, test.want)
			}
		})
	}
}

func TestFields(t *testing.T) {
	o, err := strictjson.Parse([]byte(`{"s":"x","b":true,"n":1.5,"i":7,"l":["a","b"],"o":{"in":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{o.String("s"), o.Bool("b"), o.Number("n"), o.Integer("i"), o.Strings("l"), o.Object("o").Integer("in")}
	want := []any{"x", true, 1.5, int64(7), []string{"a", "b"}, int64(1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := o.Problems(); len(p) != 0 {
		t.Errorf("problems %q, want none", p)
	}
	missing := []any{o.String("x"), o.Bool("x"), o.Number("x"), o.Integer("x"), len(o.Strings("x")), o.Object("x") == nil}
	if diff := cmp.Diff([]any{"", false, 0.0, int64(0), 0, true}, missing); diff != "" {
		t.Error(diff)
	}
}

func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		input string
		want  []string
	}{
		"wrong types": {
			`{"s":1,"i":1.5,"l":["a",null],"o":[],"b":"true","n":"1"}`,
			[]string{"b: must be true or false", "i: must be a whole number", "l: must be a list of strings", "n: must be a number", "o: must be an object", "s: must be a string"},
		},
		"null is no value": {
			`{"s":null,"i":null,"l":null,"o":null,"b":null,"n":null}`,
			[]string{"b: must be true or false", "i: must be a whole number", "l: must be a list of strings", "n: must be a number", "o: must be an object", "s: must be a string"},
		},
		"repeated":              {`{"s":"a","s":"b"}`, []string{"s: is repeated"}},
		"another case":          {`{"S":"a"}`, []string{"a field: is not known here"}},
		"unknown":               {`{"other":1,"s":"a"}`, []string{"other: is not known here"}},
		"unknown and unprinted": {`{"p4ss word":1}`, []string{"a field: is not known here"}},
		"unknown and too long":  {`{"` + strings.Repeat("a", 33) + `":1}`, []string{"a field: is not known here"}},
		"repeated and unknown":  {`{"other":1,"other":2}`, []string{"other: is repeated"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := strictjson.Parse([]byte(test.input))
			if err != nil {
				t.Fatal(err)
			}
			o.String("s")
			o.Integer("i")
			o.Strings("l")
			o.Object("o")
			o.Bool("b")
			o.Number("n")
			if diff := cmp.Diff(test.want, o.Problems()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"b":[null]}}`, "{\"a\":\"\xff\"}", `{"a":1}{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := strictjson.Parse(data)
		if err != nil {
			return
		}
		o.String("a")
		for _, problem := range o.Problems() {
			if field, what, ok := strings.Cut(problem, ": "); !ok || field == "" || what == "" {
				t.Errorf("problem %q is not <field>: <what>", problem)
			}
		}
	})
}
