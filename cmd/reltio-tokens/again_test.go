package main

import (
	"bytes"
	"testing"
)

// A command that a text names can be pasted.
func TestCommandsCanBePasted(t *testing.T) {
	stack := again{flags: " --stack=mine", name: "acme"}
	for name, test := range map[string]struct {
		again      again
		text, want string
	}{
		"nothing given":     {again{}, "reltio-tokens check NAME says why", "reltio-tokens check NAME says why"},
		"a name":            {again{name: "acme"}, "reltio-tokens check NAME says why", "reltio-tokens check acme says why"},
		"a stack":           {stack, "reltio-tokens check NAME says why", "reltio-tokens --stack=mine check acme says why"},
		"another's name":    {stack, "reltio-tokens connect other makes", "reltio-tokens --stack=mine connect other makes"},
		"two":               {stack, "reltio-tokens add NAME --force; reltio-tokens resume NAME", "reltio-tokens --stack=mine add acme --force; reltio-tokens --stack=mine resume acme"},
		"an error":          {stack, "reltio-tokens: NAME is unknown", "reltio-tokens: NAME is unknown"},
		"no name known":     {again{flags: " --local=u"}, "reltio-tokens check NAME", "reltio-tokens --local=u check NAME"},
		"for programs":      {again{flags: " --local=u", machine: true}, "reltio-tokens check NAME", "reltio-tokens check NAME"},
		"a name that is no": {stack, "reltio-tokens check NAMES", "reltio-tokens --stack=mine check NAMES"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.again.inText(bytes.NewBufferString(test.text)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for text, want := range map[string]string{"--stack=mine": "--stack=mine", "--stack=my stack": "'--stack=my stack'", "--a='": `'--a='\'''`} {
		if got := quoted(text); got != want {
			t.Errorf("quoted %q, want %q", got, want)
		}
	}
}
