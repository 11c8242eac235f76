package dynamo_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
)

func TestTable(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return newTable(t) })
}

// newTable is an empty table, there until the test ends.
func newTable(t *testing.T) *dynamo.Table {
	t.Helper()
	table := &dynamo.Table{Client: engines.DynamoDB(t), Name: engines.TableName(t)}
	if err := table.CreateTable(t.Context()); err != nil {
		t.Fatalf("CreateTable: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if _, err := table.Client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(table.Name)}); err != nil {
			t.Errorf("deleting the table: %v", err)
		}
	})
	return table
}
