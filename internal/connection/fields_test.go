package connection_test

import (
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// wrong is a value that no field of the kind may have.
func wrong(k connection.Kind) any {
	if k == connection.Text || k == connection.Texts {
		return 7
	}
	return "text"
}

// The list says what the parser does: it knows each field, wants a value of that kind,
// and takes it for these grant types alone.
func TestFieldsAreWhatTheParserReads(t *testing.T) {
	for _, field := range connection.Fields() {
		for _, grantType := range grantTypes() {
			_, err := connection.Parse("acme", secret(with(minimal(grantType), field.Name, wrong(field.Kind))), reltio())
			switch {
			case err == nil:
				t.Errorf("%s of %s: a value that is no %s was taken", field.Name, grantType, field.Kind)
			case strings.Contains(err.Error(), field.Name+": is not known here"):
				t.Errorf("%s: the parser does not know it", field.Name)
			case strings.Contains(err.Error(), field.Name+": is not used by") == field.UsedBy(grantType):
				t.Errorf("%s of %s: %v", field.Name, grantType, err)
			}
		}
	}
}
