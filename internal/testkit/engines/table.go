package engines

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// How long CreateTable waits for its table, and how often it looks at least and at
// most.
const (
	createWait            = 2 * time.Minute
	lookOften, lookSeldom = 50 * time.Millisecond, 5 * time.Second
)

// Table makes a table, which is deleted when the test ends, and returns its name
// and a client.
func Table(t testing.TB) (*dynamodb.Client, string) {
	t.Helper()
	client, name := DynamoDB(t), TableName(t)
	if err := CreateTable(t.Context(), client, Definition(name)); err != nil {
		t.Fatalf("creating the table: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if _, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(name)}); err != nil {
			t.Errorf("deleting the table: %v", err)
		}
	})
	return client, name
}

// CreateTable makes a table, with its time to live, and returns when it can be used. One
// that exists was made by an attempt whose response was lost: no two tests share a name.
func CreateTable(ctx context.Context, client *dynamodb.Client, definition *dynamodb.CreateTableInput) error {
	_, err := client.CreateTable(ctx, definition)
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = lookOften, lookSeldom
	})
	if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: definition.TableName}, createWait); err != nil {
		return err
	}
	_, err = client.UpdateTimeToLive(ctx, TimeToLive(*definition.TableName, true))
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "UnknownOperationException" {
		return nil // dynalite never deletes by time
	}
	return err
}

// TimeToLive is by what attribute DynamoDB deletes the table's items, if it does.
func TimeToLive(table string, enabled bool) *dynamodb.UpdateTimeToLiveInput {
	return &dynamodb.UpdateTimeToLiveInput{
		TableName:               aws.String(table),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(enabled)},
	}
}

// Definition is the table of template.yaml, under another name. In an AWS account the
// table belongs to the stack; a test of the template compares the two.
func Definition(table string) *dynamodb.CreateTableInput {
	key := func(attr string, k types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: aws.String(attr), KeyType: k}
	}
	attribute := func(attr string, s types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(attr), AttributeType: s}
	}
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(table),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("pk", types.ScalarAttributeTypeS),
			attribute("due_shard", types.ScalarAttributeTypeS),
			attribute("due_at", types.ScalarAttributeTypeN),
		},
		KeySchema: []types.KeySchemaElement{key("pk", types.KeyTypeHash)},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String("due"),
			KeySchema:  []types.KeySchemaElement{key("due_shard", types.KeyTypeHash), key("due_at", types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	}
}
