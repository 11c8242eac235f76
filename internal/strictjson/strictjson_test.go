package strictjson_test

import (
	"errors"
	"slices"
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

// What is said of an input does not grow with it, and what was asked for comes
// before the unknown ones.
func TestManyProblems(t *testing.T) {
	var input strings.Builder
	const unknown = 10_000
	input.WriteString(`{"s":1`)
	for i := range unknown {
		input.WriteString(`,"` + word(i) + `":1`)
	}
	input.WriteString(`}`)
	o, err := strictjson.Parse([]byte(input.String()))
	if err != nil {
		t.Fatal(err)
	}
	o.String("s")
	o.Problem("z", "is required")
	o.String("z")
	got := o.Problems()
	if want := 20 + 1; len(got) != want {
		t.Fatalf("%d problems, want %d", len(got), want)
	}
	if !slices.IsSorted(got[:20]) {
		t.Errorf("problems %q are not sorted", got)
	}
	for _, want := range []string{"s: must be a string", "z: is required", "a_aaaaa: is not known here", "other fields: 9982 more"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

func TestTwentyProblemsAreAllNamed(t *testing.T) {
	var o *strictjson.Object
	for n, want := range map[int]string{20: word(19) + ": is wrong", 21: "other fields: 1 more"} {
		o, _ = strictjson.Parse([]byte(`{}`))
		for i := range n {
			o.Problem(word(i), "is wrong")
		}
		if got := o.Problems(); got[len(got)-1] != want {
			t.Errorf("the last of %d is %q, want %q", n, got[len(got)-1], want)
		}
	}
}

// word is the nth of many names, in their order.
func word(n int) string {
	letters := []byte("a_aaaaa")
	for i := len(letters) - 1; n > 0; i-- {
		letters[i] += byte(n % 26)
		n /= 26
	}
	return string(letters)
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
