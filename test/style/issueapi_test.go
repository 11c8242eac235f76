package style_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The page about issue's contract names every field, warning and error type, and no
// other.
func TestThePageOfIssueIsItsContract(t *testing.T) {
	text, err := os.ReadFile("../../docs/issue.md")
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile("(?m)^\\| `([A-Za-z_]+)` \\|")
	var got []string
	for _, row := range first.FindAllStringSubmatch(string(text), -1) {
		if row[1] != "errorType" { // a heading
			got = append(got, row[1])
		}
	}
	want := slices.Concat(keys[issueapi.Request](), keys[issueapi.Response]())
	for _, warning := range issueapi.Warnings() {
		want = append(want, string(warning))
	}
	for _, kind := range issueapi.ErrorTypes() {
		want = append(want, string(kind))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has %v, the contract %v", got, want)
	}
}

// keys are the names of a type's fields in JSON.
func keys[T any]() (names []string) {
	for field := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
