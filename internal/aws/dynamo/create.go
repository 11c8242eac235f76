package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// How long CreateTable waits for its table, and how often it looks at least
// and at most.
const (
	// createWait is how long CreateTable waits for its table; lookOften and
	// lookSeldom bound the time between two checks.
	createWait            = 2 * time.Minute
	lookOften, lookSeldom = 50 * time.Millisecond, 5 * time.Second
)

// CreateTable makes the table with its index and its time to live, and returns
// when it can be used. An existing one stays as it is. It is for tests and for
// one machine: in an AWS account the table belongs to the stack.
func (t *Table) CreateTable(ctx context.Context) error {
	_, err := t.Client.CreateTable(ctx, t.definition())
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return failure(ctx, err)
	}
	waiter := dynamodb.NewTableExistsWaiter(t.Client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = lookOften, lookSeldom
	})
	if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(t.Name)}, createWait); err != nil {
		return failure(ctx, err)
	}
	if exists != nil {
		return nil
	}
	_, err = t.Client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: aws.String(t.Name),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(attrTTL),
			Enabled:       aws.Bool(true),
		},
	})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "UnknownOperationException" {
		return nil // some DynamoDB engines of tests never delete by time
	}
	if err != nil {
		return failure(ctx, err)
	}
	return nil
}

func (t *Table) definition() *dynamodb.CreateTableInput {
	key := func(attr string, k types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: aws.String(attr), KeyType: k}
	}
	attribute := func(attr string, s types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(attr), AttributeType: s}
	}
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(t.Name),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute(attrKey, types.ScalarAttributeTypeS),
			attribute(attrShard, types.ScalarAttributeTypeS),
			attribute(attrDueAt, types.ScalarAttributeTypeN),
		},
		KeySchema: []types.KeySchemaElement{key(attrKey, types.KeyTypeHash)},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String(indexDue),
			KeySchema:  []types.KeySchemaElement{key(attrShard, types.KeyTypeHash), key(attrDueAt, types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	}
}
