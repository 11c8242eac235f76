// Package dynamo keeps grants, leases, lockout records, rate limits and
// authorization requests in one DynamoDB table.
//
// Each change is one conditional write that DynamoDB checks and applies in one
// step, so any number of processes may work on the same items. A refused write
// returns the item that refused it, and the rules of the other packages
// (lockout.Count, ratelimit.Reserve, ratelimit.RecordThrottle) say what that
// means: this package has no rules of its own.
//
//	config, err := config.LoadDefaultConfig(ctx)
//	table := &dynamo.Table{Client: dynamodb.NewFromConfig(config), Name: "tokens"}
//	g, err := table.Grant(ctx, "acme", grant.Eventual)
//
// The calls block as long as the client does: it repeats a failed request a few
// times, until the context ends. Each failure is an apierr.Error of type
// StoreUnavailable that names DynamoDB's error code and no content of an item.
//
// Other programs may write items too: a missing attribute is zero, an unknown
// one stays as it is, a number may have decimals, and an attribute of a wrong
// type is StoreUnavailable with the attribute's name.
package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Table is the store. It holds no state of its own and is safe for concurrent
// use. Neither field has a usable zero value: without a Client calls fail by a
// nil pointer, without a Name DynamoDB's client refuses them.
type Table struct {
	Client *dynamodb.Client
	Name   string
}

var (
	_ grant.Store     = (*Table)(nil)
	_ lease.Store     = (*Table)(nil)
	_ lockout.Store   = (*Table)(nil)
	_ ratelimit.Store = (*Table)(nil)
)

// item is one item of the table; nil is none.
type item = map[string]types.AttributeValue

// get reads an item; nil if there is none.
func (t *Table) get(ctx context.Context, key string, strong bool) (item, error) {
	out, err := t.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(t.Name),
		Key:            item{attrKey: text(key)},
		ConsistentRead: aws.Bool(strong),
	})
	if err != nil {
		return nil, failure(ctx, err)
	}
	return out.Item, nil
}

// update sends the write. If it was taken the item is what the write asked to
// have returned. If its condition refused it, taken is false, and the item is
// the one that refused it, if the write asked for that (nil: there is none).
func (t *Table) update(ctx context.Context, w *write, options ...func(*dynamodb.Options)) (got item, taken bool, err error) {
	in := &dynamodb.UpdateItemInput{
		TableName:                 aws.String(t.Name),
		Key:                       item{attrKey: text(w.key)},
		UpdateExpression:          aws.String(w.expression()),
		ExpressionAttributeNames:  w.names,
		ExpressionAttributeValues: w.values,
		ReturnValues:              w.returns,
	}
	if w.condition != "" {
		in.ConditionExpression = aws.String(w.condition)
	}
	if w.showRefusing {
		in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	out, err := t.Client.UpdateItem(ctx, in, options...)
	if err == nil {
		return out.Attributes, true, nil
	}
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return nil, false, failure(ctx, err)
	}
	if w.showRefusing && len(refused.Item) == 0 {
		// There is no item, or this is an engine that does not return it, as some that
		// follow DynamoDB do not: without the read each of them would lose leases.
		got, err = t.get(ctx, w.key, true)
		return got, false, err
	}
	return refused.Item, false, nil
}
