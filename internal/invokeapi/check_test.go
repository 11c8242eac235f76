package invokeapi_test

import (
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

func TestSplit(t *testing.T) {
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
	for _, test := range []struct{ function, apart, want string }{
		{"f", "", "f "},
		{"f", "live", "f live"},
		{"f:live", "", "f live"},
		{"f:live", "live", "f live"},
		{"f:$LATEST", "live", "InvalidParameterValueException"},
		{arn, "", "f "},
		{arn, "live", "f live"},
		{arn + ":live", "", "f live"},
		{arn + ":live", "blue", "InvalidParameterValueException"},
		{"123456789012:function:f", "", "f "},
		{"123456789012:function:f:live", "", "f live"},
	} {
		name, qualifier, err := invokeapi.Split(test.function, test.apart)
		got := name + " " + qualifier
		if err != nil {
			got = err.Code
		}
		if got != test.want {
			t.Errorf("%s, %s: %q, want %q", test.function, test.apart, got, test.want)
		}
	}
}

func TestCheckPayload(t *testing.T) {
	for payload, want := range map[string]string{
		"":                            "",
		" \n":                         "",
		"{}":                          "",
		"null":                        "",
		"{":                           "InvalidRequestContentException",
		"{} x":                        "InvalidRequestContentException",
		`"123"`:                       "",
		`"` + strings.Repeat("x", 15): "RequestEntityTooLargeException",
	} {
		got := ""
		if err := invokeapi.CheckPayload([]byte(payload), 10); err != nil {
			got = err.Code
		}
		if got != want {
			t.Errorf("%q: %q, want %q", payload, got, want)
		}
	}
}
