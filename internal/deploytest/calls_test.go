package deploytest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// callsFile holds what the functions call in AWS: one line per kind of call,
// sorted. `go test ./internal/deploytest -run TestCalls -update` writes it.
const callsFile = "testdata/calls.txt"

// call is one kind of call: what stands after a key's prefix, or a secret's, is
// an example.
type call struct {
	function, action string
	// on is "table", "index/due", "secret", "function" or "bus"; key is the
	// item's key, the index's partition, the secret's or function's name, or
	// the event's source.
	on, key string
}

// String is a line of the file.
func (c call) String() string { return strings.Join([]string{c.function, c.action, c.on, c.key}, " ") }

// access is the call as IAM sees it.
func (t template) access(c call) access {
	switch c.on {
	case "table":
		return access{c.action, t.attribute("Table", "Arn"), map[string][]string{"dynamodb:LeadingKeys": {c.key}}}
	case "index/due":
		return access{c.action, t.attribute("Table", "Arn") + "/index/due", map[string][]string{"dynamodb:LeadingKeys": {c.key}}}
	case "secret":
		// AWS adds six characters to the names of secrets.
		return access{c.action, arn("secretsmanager", "secret:"+stack+"/"+c.key+"-AbCdEf"), nil}
	case "function":
		return access{c.action, t.ref(functions[c.key] + ".Alias"), nil}
	case "bus":
		return access{c.action, arn("events", "event-bus/default"), map[string][]string{"events:source": {c.key}}}
	default:
		return access{}
	}
}

// recorded are the calls in the file.
func recorded(t testing.TB) []call {
	t.Helper()
	data, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	for line := range strings.Lines(string(data)) {
		var c call
		if _, err := fmt.Sscan(line, &c.function, &c.action, &c.on, &c.key); err != nil {
			t.Fatalf("%s: %q: %v", callsFile, line, err)
		}
		all = append(all, c)
	}
	return all
}
