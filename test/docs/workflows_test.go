package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	uses   = regexp.MustCompile(`(?m)^\s*-? *uses: *(.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
)

// A tag of an action can be moved to other code, a commit cannot. No job has more
// rights than reading, unless its own lines say so.
func TestActionsArePinned(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, path := range found {
		name := strings.TrimPrefix(path, root+"/")
		text := read(t, name)
		for _, m := range uses.FindAllStringSubmatch(text, -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s: %q is not pinned by a commit, with its version behind it", name, m[1])
			}
		}
		if !strings.Contains(text, "\npermissions: { contents: read }\n") {
			t.Errorf("%s: the workflow's permissions are not contents: read", name)
		}
		if n := strings.Count(text, "persist-credentials: false"); n != strings.Count(text, "actions/checkout@") {
			t.Errorf("%s: a checkout keeps its credentials", name)
		}
		for _, target := range targetsOf(text) {
			if !strings.Contains(read(t, "Makefile"), "\n"+target+":") {
				t.Errorf("%s: make has no target %s", name, target)
			}
		}
	}
}

// targetsOf are the make targets that a workflow runs.
func targetsOf(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)run: (make .*)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, targets(m[1])...)
	}
	return all
}
