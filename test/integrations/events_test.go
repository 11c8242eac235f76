package integrations

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// rule is one of people.yaml.
type rule struct {
	Properties struct {
		EventPattern map[string]any `yaml:"EventPattern"`
		Targets      []struct {
			InputTransformer transformer `yaml:"InputTransformer"`
		} `yaml:"Targets"`
	} `yaml:"Properties"`
}

// transformer makes the text that a target gets.
type transformer struct {
	InputPathsMap map[string]string `yaml:"InputPathsMap"`
	InputTemplate string            `yaml:"InputTemplate"`
}

func (r rule) transformer() transformer { return r.Properties.Targets[0].InputTransformer }

// rules are those of the page, with its parameters' values.
func rules(t testing.TB, parameters map[string]string) map[string]rule {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(page(t, "events/people.yaml")), &node); err != nil {
		t.Fatal(err)
	}
	resolve(&node, parameters)
	var template struct {
		Resources map[string]rule `yaml:"Resources"`
	}
	if err := node.Decode(&template); err != nil {
		t.Fatal(err)
	}
	return template.Resources
}

// resolve puts parameters in the place of Ref and Sub.
func resolve(n *yaml.Node, parameters map[string]string) {
	switch n.Tag {
	case "!Ref":
		n.Value = parameters[n.Value]
	case "!Sub":
		for name, value := range parameters {
			n.Value = strings.ReplaceAll(n.Value, "${"+name+"}", value)
		}
	}
	if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		resolve(child, parameters)
	}
}

// What rotate says reaches people as the page has it: the person gets the link,
// Slack does not.
func TestPeopleAreTold(t *testing.T) {
	s := start(t, time.Hour, "machine")
	for _, name := range []string{connection, "another"} {
		err := s.AddConnection(t.Context(), name, map[string]any{
			"grant_type": "authorization_code", "client_id": "machine", "client_secret": secretOf("machine").Reveal(), "tenant_id": "acme",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	told := rules(t, map[string]string{"Connection": connection, "SlackChannel": "integrations"})
	targets := map[string]string{}
	for _, name := range []string{"PersonRule", "SlackRule"} {
		targets[name] = subscribe(t, s, s.Table.Name+name, told[name])
	}
	for _, name := range []string{"machine", connection, "another"} {
		_, err := s.Lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(`{"connection":"` + name + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
	}

	mails := heard(t, s, targets["PersonRule"], told["PersonRule"])
	if len(mails) != 1 {
		t.Fatalf("%d mails, want one, for %s: %q", len(mails), connection, mails)
	}
	start := `"Please log in at Reltio for the connection acme-prod:"` + "\n" + `"` + s.CallbackURL + "/authorize?invitation="
	if !strings.HasPrefix(mails[0], start) {
		t.Errorf("the mail is\n%s\nwant\n%s…", mails[0], start)
	}
	var said []string
	for _, text := range heard(t, s, targets["SlackRule"], told["SlackRule"]) {
		var message struct{ Channel, Text string }
		if err := json.Unmarshal([]byte(text), &message); err != nil || message.Channel != "integrations" {
			t.Errorf("a message %s: %v", text, err)
		}
		said = append(said, message.Text)
	}
	want := []string{
		"ReauthorizationRequired: connection acme-prod is now reauthorize.",
		"ReauthorizationRequired: connection another is now reauthorize.",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("Slack (-want +got):\n%s", diff)
	}
}

// subscribe puts a rule on the bus, with a log group in the place of its target.
// The group hears what the rule takes from an event, as JSON; moto knows no
// templates of plain text, so heard fills in the rule's own.
func subscribe(t testing.TB, s *stack.Stack, name string, r rule) string {
	t.Helper()
	pattern, err := json.Marshal(r.Properties.EventPattern)
	if err != nil {
		t.Fatal(err)
	}
	logs(t, s, "CreateLogGroup", map[string]any{"logGroupName": name})
	_, err = s.EventBridge.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String(name), EventPattern: aws.String(string(pattern))})
	if err != nil {
		t.Fatal(err)
	}
	paths, plain := r.transformer().InputPathsMap, map[string]string{}
	for member := range paths {
		plain[member] = "<" + member + ">"
	}
	template, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.EventBridge.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String(name), Targets: []types.Target{{
		Id: aws.String("log"), Arn: aws.String("arn:aws:logs:" + stack.Region + ":123456789012:log-group:" + name),
		InputTransformer: &types.InputTransformer{InputPathsMap: paths, InputTemplate: aws.String(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(template)))},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// heard is what a rule's target would have got.
func heard(t testing.TB, s *stack.Stack, name string, r rule) (messages []string) {
	t.Helper()
	var got struct{ Events []struct{ Message string } }
	if err := json.Unmarshal(logs(t, s, "FilterLogEvents", map[string]any{"logGroupName": name}), &got); err != nil {
		t.Fatal(err)
	}
	for _, e := range got.Events {
		var members map[string]string
		if err := json.Unmarshal([]byte(e.Message), &members); err != nil {
			t.Fatalf("%s: %v", e.Message, err)
		}
		text := r.transformer().InputTemplate
		for name, value := range members {
			text = strings.ReplaceAll(text, "<"+name+">", value)
		}
		messages = append(messages, text)
	}
	return messages
}

// logs calls CloudWatch Logs.
func logs(t testing.TB, s *stack.Stack, action string, input any) []byte {
	t.Helper()
	body, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoints[stack.EventBridge], strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "Logs_20140328."+action)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=stack/20261124/%s/logs/aws4_request", stack.Region))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", action, response.StatusCode, text)
	}
	return text
}
