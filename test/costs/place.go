package costs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// The lines between which the document has the tables.
const (
	begin = "<!-- go run -C test ./cmd/costs writes from here -->\n"
	end   = "<!-- to here -->\n"
)

// Paths in the repository.
const (
	pricesFile   = "docs/prices.json"
	documentFile = "docs/operations.md"
	templateFile = "template.yaml"
)

// Outcomes and dimensionless metrics that a busy stack has at most.
const customMetrics = 31

var alarmMetric = regexp.MustCompile(`(?m)^      MetricName: |^            Metric:$`)

// Count reads the template.
func Count(template string) Counts {
	return Counts{AlarmMetrics: len(alarmMetric.FindAllString(template, -1)), CustomMetrics: customMetrics}
}

// Written is the document of the repository as it is, and as it should be.
func Written(root string) (got, want string, err error) {
	var texts [3]string
	for i, name := range []string{pricesFile, documentFile, templateFile} {
		data, err := os.ReadFile(filepath.Join(root, name)) //nolint:gosec // the names are constants
		if err != nil {
			return "", "", fmt.Errorf("costs: %w", err)
		}
		texts[i] = string(data)
	}
	p, err := ReadPrices([]byte(texts[0]))
	if err != nil {
		return "", "", err
	}
	before, rest, ok := strings.Cut(texts[1], begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", "", errors.New("costs: " + documentFile + " has no place for the tables")
	}
	return texts[1], before + begin + "\n" + Document(p, Count(texts[2])) + "\n" + end + after, nil
}

// Write writes the document of the repository.
func Write(root string) error {
	_, want, err := Written(root)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, documentFile), []byte(want), 0o644); err != nil { //nolint:gosec // a document
		return fmt.Errorf("costs: %w", err)
	}
	return nil
}
