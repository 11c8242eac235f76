package faultinject

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// allowed are the actions that the roles of the functions may do. The service
// reaches keys, logs, traces and queues by itself: the functions call none.
func allowed(t *testing.T) []Action {
	t.Helper()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	action := regexp.MustCompile(`(dynamodb|secretsmanager|events|lambda):[A-Z][A-Za-z]+`)
	all := map[Action]bool{}
	for _, role := range []string{"IssueRole", "RotateRole", "CallbackRole"} {
		_, text, found := strings.Cut(string(template), "\n  "+role+":\n")
		if !found {
			t.Fatalf("template.yaml has no %s", role)
		}
		text = text[:regexp.MustCompile(`\n {2}[A-Z]`).FindStringIndex(text)[0]]
		for line := range strings.Lines(text) {
			if before, is, _ := strings.Cut(line, "#"); is != "" && strings.TrimSpace(before) == "" || !strings.Contains(line, "Action:") {
				continue
			}
			for _, a := range action.FindAllString(line, -1) {
				all[Action(a)] = true
			}
		}
	}
	delete(all, "secretsmanager:TagResource") // a CreateSecret with tags needs it; no function sends it
	return slices.Sorted(maps.Keys(all))
}

func TestTheCodesAreThoseOfWhatThePoliciesAllow(t *testing.T) {
	want := allowed(t)
	if got := slices.Sorted(slices.Values(Actions())); !slices.Equal(got, want) {
		t.Errorf("there are codes for %v, and the roles of the functions allow %v", got, want)
	}
	for _, a := range want {
		classes, known := map[Class]bool{}, map[Code]bool{}
		for _, c := range Codes(a) {
			if known[c] {
				t.Errorf("%s: %s stands there twice", a, c)
			}
			known[c], classes[c.Class] = true, true
		}
		if !classes[Repeated] || !classes[Refused] {
			t.Errorf("%s: %d codes of the classes %v", a, len(known), classes)
		}
	}
	if Codes("dynamodb:Scan") != nil {
		t.Error("an action that nobody may do has codes")
	}
}

// What a service answers is read by its SDK as the code that it stands for.
func TestTheSDKReadsEachCode(t *testing.T) {
	for _, a := range Actions() {
		for _, c := range Codes(a) {
			if got := read(t, a, c); got != c.Name {
				t.Errorf("%s: the SDK reads %q from %s", a, got, c)
			}
		}
	}
}

// read is the code that the SDK of the action's service reads.
func read(t *testing.T, a Action, c Code) string {
	t.Helper()
	service := serviceOf(a)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		f := Fault{Kind: Answer, Status: c.Status, Code: c.Name}
		header, body := f.answer(service)
		(&reply{status: c.Status, header: header, body: []byte(body)}).write(rw)
	}))
	defer server.Close()
	err := request(t.Context(), a, server.URL)
	var api smithy.APIError
	if !errors.As(err, &api) {
		return errText(err)
	}
	return api.ErrorCode()
}

func errText(err error) string {
	if err == nil {
		return "success"
	}
	return err.Error()
}

func serviceOf(a Action) stack.Service {
	prefix, _, _ := strings.Cut(string(a), ":")
	return map[string]stack.Service{
		"dynamodb": stack.DynamoDB, "secretsmanager": stack.SecretsManager, "events": stack.EventBridge, "lambda": stack.Lambda,
	}[prefix]
}

// request does the action once, as the SDK does it.
func request(ctx context.Context, a Action, url string) (err error) {
	once, keys := aws.NopRetryer{}, credentials.NewStaticCredentialsProvider("a", "b", "")
	id := aws.String("a")
	key := map[string]dynamotypes.AttributeValue{"pk": &dynamotypes.AttributeValueMemberS{Value: "a"}}
	d := dynamodb.New(dynamodb.Options{Region: stack.Region, Retryer: once, Credentials: keys, BaseEndpoint: &url})
	s := secretsmanager.New(secretsmanager.Options{Region: stack.Region, Retryer: once, Credentials: keys, BaseEndpoint: &url})
	switch a {
	case "dynamodb:GetItem":
		_, err = d.GetItem(ctx, &dynamodb.GetItemInput{TableName: id, Key: key})
	case "dynamodb:BatchGetItem":
		_, err = d.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]dynamotypes.KeysAndAttributes{
			"a": {Keys: []map[string]dynamotypes.AttributeValue{key}},
		}})
	case "dynamodb:UpdateItem":
		_, err = d.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: id, Key: key})
	case "dynamodb:Query":
		_, err = d.Query(ctx, &dynamodb.QueryInput{TableName: id})
	case "secretsmanager:GetSecretValue":
		_, err = s.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id})
	case "secretsmanager:DescribeSecret":
		_, err = s.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: id})
	case "secretsmanager:PutSecretValue":
		_, err = s.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: id, ClientRequestToken: id})
	case "secretsmanager:CreateSecret":
		_, err = s.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: id, SecretString: id, ClientRequestToken: id})
	case "events:PutEvents":
		var out *eventbridge.PutEventsOutput
		e := eventbridge.New(eventbridge.Options{Region: stack.Region, Retryer: once, Credentials: keys, BaseEndpoint: &url})
		out, err = e.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{Detail: id, DetailType: id, Source: id}}})
		if err == nil && out.FailedEntryCount == 1 {
			err = &smithy.GenericAPIError{Code: entryRefused}
		}
	case "lambda:InvokeFunction":
		l := lambda.New(lambda.Options{Region: stack.Region, Retryer: once, Credentials: keys, BaseEndpoint: &url})
		_, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: id})
	}
	return err
}
