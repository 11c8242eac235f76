package doctor

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// The table as the functions need it.
const (
	keyName       = "pk"
	indexName     = "due"
	indexKey      = "due_shard"
	indexSort     = "due_at"
	ttlName       = "ttl"
	deployItAgain = "the table is not as template.yaml has it: deploy the stack again"
)

func (e *examination) table(ctx context.Context) {
	if e.AWS == nil {
		e.found("table", Skipped, "the local stack keeps everything in memory", "")
		return
	}
	out, err := e.AWS.Database.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(e.AWS.Table)})
	if err != nil {
		e.refused("table", "DynamoDB DescribeTable", err)
		return
	}
	server, known := awsmiddleware.GetServerTime(out.ResultMetadata)
	if at, ok := awsmiddleware.GetResponseAt(out.ResultMetadata); ok && known {
		e.skews = append(e.skews, skew{"AWS", ahead(server, at)})
	}
	switch {
	case out.Table.TableStatus != types.TableStatusActive:
		e.found("table", Failed, e.AWS.Table+" is "+string(out.Table.TableStatus), "look at it in the console; the key may be disabled")
	case !hasKeys(out.Table.KeySchema, keyName):
		e.found("table", Failed, e.AWS.Table+" has another key than "+keyName, "look at --table")
	default:
		e.found("table", OK, e.AWS.Table+" is active", "")
	}
	e.index(out.Table.GlobalSecondaryIndexes)
	e.encryption(out.Table.SSEDescription)
	e.ttl(ctx)
	e.backups(ctx)
}

func hasKeys(schema []types.KeySchemaElement, names ...string) bool {
	var got []string
	for _, element := range schema {
		got = append(got, aws.ToString(element.AttributeName))
	}
	return slices.Equal(got, names)
}

// index checks the index that sweeps read. An index that is still being filled
// hides grants that are due.
func (e *examination) index(all []types.GlobalSecondaryIndexDescription) {
	for _, index := range all {
		if aws.ToString(index.IndexName) != indexName {
			continue
		}
		switch {
		case !hasKeys(index.KeySchema, indexKey, indexSort):
			e.found("index", Failed, indexName+" has other keys", deployItAgain)
		case index.IndexStatus != types.IndexStatusActive:
			e.found("index", Failed, indexName+" is "+string(index.IndexStatus), "wait until it is ACTIVE")
		default:
			e.found("index", OK, indexName+" is active", "")
		}
		return
	}
	e.found("index", Failed, "there is no index "+indexName+": no sweep finds what is due", deployItAgain)
}

func (e *examination) encryption(sse *types.SSEDescription) {
	switch {
	case sse == nil || sse.SSEType != types.SSETypeKms:
		e.found("encryption", Warning, "the table has AWS's own key, not the stack's", deployItAgain)
	case e.AWS.Stack != nil && e.AWS.Stack.KeyARN() != aws.ToString(sse.KMSMasterKeyArn):
		e.found("encryption", Warning, "the table has another key than the stack", deployItAgain)
	case sse.InaccessibleEncryptionDateTime != nil:
		e.found("encryption", Failed, "the table's key cannot be used", "docs/operations.md, The key is disabled")
	default:
		e.found("encryption", OK, "the table has a customer-managed key", "")
	}
}

func (e *examination) ttl(ctx context.Context) {
	out, err := e.AWS.Database.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(e.AWS.Table)})
	switch {
	case unknownOperation(err):
		e.found("ttl", Skipped, "this DynamoDB does not say", "")
	case err != nil:
		e.refused("ttl", "DynamoDB DescribeTimeToLive", err)
	case out.TimeToLiveDescription == nil || out.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled,
		aws.ToString(out.TimeToLiveDescription.AttributeName) != ttlName:
		e.found("ttl", Warning, "old items are never deleted", deployItAgain)
	default:
		e.found("ttl", OK, "old items are deleted", "")
	}
}

func (e *examination) backups(ctx context.Context) {
	out, err := e.AWS.Database.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String(e.AWS.Table)})
	switch {
	case unknownOperation(err):
		e.found("backups", Skipped, "this DynamoDB does not say", "")
	case err != nil:
		e.refused("backups", "DynamoDB DescribeContinuousBackups", err)
	case !recoverable(out.ContinuousBackupsDescription):
		e.found("backups", Warning, "point-in-time recovery is off", deployItAgain)
	default:
		e.found("backups", OK, "point-in-time recovery is on", "")
	}
}

func recoverable(d *types.ContinuousBackupsDescription) bool {
	return d != nil && d.PointInTimeRecoveryDescription != nil &&
		d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled
}

// unknownOperation reports whether the error is the response of a DynamoDB
// substitute to an operation that it does not have.
func unknownOperation(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "UnknownOperationException"
}
