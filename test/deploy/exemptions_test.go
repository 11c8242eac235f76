package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// rule is the name of a rule of checkov or cfn-lint.
var rule = regexp.MustCompile(`\b(CKV[0-9]?_AWS_[0-9]+|[EWI]S?[0-9]{4})\b`)

// checkExemptions: what a tool is told to overlook has a reason in the template
// and in docs/security.md, which names nothing else.
func checkExemptions(tb testing.TB, t template) (found problems) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		tb.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	documented := rule.FindAllString(string(text), -1)
	var used []string
	for _, metadata := range append([]resource{{"Metadata", t.doc}}, t.resources("")...) {
		for _, skip := range listOf(at(metadata.body, "Metadata", "checkov", "skip")) {
			used = append(used, fmt.Sprint(at(skip, "id")))
			if comment, _ := at(skip, "comment").(string); len(comment) < 10 {
				found.addf("%s: %v is overlooked without a reason", metadata.id, at(skip, "id"))
			}
		}
		for _, id := range listOf(at(metadata.body, "Metadata", "cfn-lint", "config", "ignore_checks")) {
			used = append(used, fmt.Sprint(id))
			if !regexp.MustCompile(`(?m)^ *- ` + fmt.Sprint(id) + ` # \w`).Match(source) {
				found.addf("%s: %v is overlooked without a reason", metadata.id, id)
			}
		}
	}
	for _, id := range used {
		if !slices.Contains(documented, id) {
			found.addf("docs/security.md does not say why %s is overlooked", id)
		}
	}
	for _, id := range documented {
		if !slices.Contains(used, id) {
			found.addf("docs/security.md says why %s is overlooked, and it is not", id)
		}
	}
	return found
}
