// Package dynamo keeps grants, leases, accounts and budgets in one DynamoDB
// table.
//
// Every change is one conditional write that DynamoDB judges and applies in
// one step, so any number of processes may work on the same items. A refused
// write answers with the item that refused it, and the nouns' own rules
// (lockout.Count, ratelimit.Reserve, ratelimit.Pause) say what that means: nothing
// here is decided twice.
//
//	config, err := config.LoadDefaultConfig(ctx)
//	table := &dynamo.Table{Client: dynamodb.NewFromConfig(config), Name: "tokens"}
//	g, err := table.Grant(ctx, "acme", grant.Eventual)
//
// The calls block as long as the client does: it repeats what failed a few
// times, until the context ends. Each failure is a apierr.Error of type
// StoreUnavailable that names DynamoDB's error code and no content of an item.
//
// Items may be written by other programs: what is missing is zero, what is
// unknown is left alone, a number may have decimals, and an attribute of a
// wrong type is StoreUnavailable with the attribute's name.
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
		// There is no item, or this is an engine in DynamoDB's place that does
		// not show it.
		got, err = t.get(ctx, w.key, true)
		return got, false, err
	}
	return refused.Item, false, nil
}
