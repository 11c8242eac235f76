package deploy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// callsFile holds what the functions and the operator's command call in AWS: one line per kind of call,
// sorted. `go test ./test/deploy -run TestCalls -update` writes it.
const callsFile = "testdata/calls.txt"

// call is one kind of call: what stands after a key's prefix, or a secret's, is
// an example.
type call struct {
	// function is who calls: one of the functions, or operator.
	function, action string
	// on is "table", "index/due", "secret", "alias" or "function", "bus",
	// "queue", "topic", "stack" or "account", or what a scan selects; key is the item's key, the index's partition, the
	// secret's or function's name, the event's source, the attributes of a scan, or whole.
	on, key string
}

// operator is the operator's command among those who call; whole stands for
// calls that name nothing in what they are made on.
const operatorRole, whole = "operator", "whole"

// String is a line of the file.
func (c call) String() string { return strings.Join([]string{c.function, c.action, c.on, c.key}, " ") }

// access is the call as IAM sees it.
func (t template) access(c call) access {
	switch c.on {
	case "table":
		if c.key == whole {
			return access{c.action, t.attribute("Table", "Arn"), nil}
		}
		return access{c.action, t.attribute("Table", "Arn"), map[string][]string{"dynamodb:LeadingKeys": {c.key}}}
	case "SPECIFIC_ATTRIBUTES":
		return access{c.action, t.attribute("Table", "Arn"), map[string][]string{
			"dynamodb:Select": {c.on}, "dynamodb:Attributes": strings.Split(c.key, ","),
		}}
	case "index/due":
		return access{c.action, t.attribute("Table", "Arn") + "/index/due", map[string][]string{"dynamodb:LeadingKeys": {c.key}}}
	case "secret":
		// AWS adds six characters to the names of secrets.
		return access{c.action, arn("secretsmanager", "secret:"+stack+"/"+c.key+"-AbCdEf"), nil}
	case "alias":
		return access{c.action, t.ref(functions[c.key] + ".Alias"), nil}
	case "function":
		return access{c.action, strings.TrimSuffix(t.ref(functions[c.key]+".Alias"), ":live"), nil}
	case "stack":
		return access{c.action, t.ref("AWS::StackId"), nil}
	case "queue":
		return access{c.action, t.attribute("FailureQueue", "Arn"), nil}
	case "topic":
		return access{c.action, t.ref("AlarmTopic"), nil}
	case "account":
		return access{c.action, "*", nil}
	case "bus":
		return access{c.action, arn("events", "event-bus/"+stack), map[string][]string{"events:source": {c.key}}}
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
