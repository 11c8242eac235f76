package issueclient_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Who imports this package gets the SDK's Lambda client, golang.org/x/oauth2 and
// nothing else: none of the service's own code, and no test code.
func TestWhatAnImportBrings(t *testing.T) {
	if testing.Short() {
		t.Skip("go list takes a second: not with -short")
	}
	const format = "{{if not .Standard}}{{.ImportPath}}{{end}}"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{
		"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth", "golang.org/x/oauth2",
		"github.com/aws/smithy-go", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/internal",
		"github.com/aws/aws-sdk-go-v2/service/lambda", "github.com/aws/aws-sdk-go-v2/service/internal",
	}
	found := strings.Fields(string(out))
	for _, path := range found {
		known := path == allowed[0]+"/issueclient" || path == allowed[0]+"/issueapi"
		for _, prefix := range allowed {
			known = known || path == prefix || prefix != allowed[0] && strings.HasPrefix(path, prefix+"/")
		}
		if !known {
			t.Errorf("it brings %s", path)
		}
	}
	if len(found) < len(allowed) {
		t.Errorf("only %d packages: the test looks at nothing", len(found))
	}
}
