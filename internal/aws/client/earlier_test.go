package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
)

// A call whose time ends while it is tried again says which code its attempts got, and
// that the time was over. One that got no response has no code.
func TestAnInterruptedCallNamesItsCode(t *testing.T) {
	calls := map[string]func(ctx context.Context, cfg aws.Config) error{
		"a read of DynamoDB": func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg, client.QuickReads).GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("t"), Key: key()})
			return err
		},
		"a write into DynamoDB": func(ctx context.Context, cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("t"), Key: key()})
			return err
		},
		"a write into Secrets Manager": func(ctx context.Context, cfg aws.Config) error {
			_, err := secretsmanager.NewFromConfig(client.ForSecrets(cfg)).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("{}")})
			return err
		},
		"an event": func(ctx context.Context, cfg aws.Config) error {
			_, err := eventbridge.NewFromConfig(cfg).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []events.PutEventsRequestEntry{{Detail: aws.String("{}")}}})
			return err
		},
	}
	for how, c := range map[string]struct {
		refused int32 // attempts that are; the others get no response
		ends    int32 // the attempt during which the caller's time ends
		code    string
	}{
		"refused":                        {2, 2, "InternalServerError"},
		"refused once, then no response": {1, 2, "InternalServerError"},
		"no response":                    {0, 1, ""},
	} {
		for name, call := range calls {
			t.Run(name+", "+how, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				var requests atomic.Int32
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					n := requests.Add(1)
					if n == c.ends {
						end()
					}
					if n > c.refused {
						<-r.Context().Done()
						return
					}
					w.WriteHeader(http.StatusInternalServerError)
					_, _ = w.Write([]byte(`{"__type":"` + c.code + `"}`))
				}))
				defer server.Close()
				defer server.CloseClientConnections()
				err := call(ctx, config(t, server.URL))
				var api smithy.APIError
				code := ""
				if errors.As(err, &api) {
					code = api.ErrorCode()
				}
				if err == nil || code != c.code {
					t.Errorf("code %q, want %q; after %d requests: %v", code, c.code, requests.Load(), err)
				}
			})
		}
	}
}

func key() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "v"}}
}
