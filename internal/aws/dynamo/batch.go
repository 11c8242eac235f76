package dynamo

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

var _ grant.BatchReader = (*Table)(nil)

// ReadBatch implements grant.BatchReader. A role that may read items one by one only,
// as that of an older stack, gets an empty Batch; so does the user of an engine that
// does not know the request.
func (t *Table) ReadBatch(ctx context.Context, name string, hosts []string) (grant.Batch, error) {
	keys := []string{grantKey(name), parkedKey(name)}
	for _, host := range hosts {
		keys = append(keys, budgetKey(host))
	}
	read, err := t.getBatch(ctx, keys)
	if refusesBatches(err) {
		return grant.Batch{}, nil
	}
	if err != nil {
		return grant.Batch{}, err
	}
	b := grant.Batch{Hosts: map[string]ratelimit.Record{}}
	if i, ok := read[grantKey(name)]; ok {
		g, err := readGrant(name, i)
		b.Grant = &grant.Read[grant.Grant]{Value: g, Err: err}
	}
	if i, ok := read[parkedKey(name)]; ok {
		r, err := readParked(name, i)
		b.Parked = &grant.Read[grant.RefreshToken]{Value: r, Err: err}
	}
	for _, host := range hosts {
		i, ok := read[budgetKey(host)]
		if !ok || len(budgetMending.wrong(i)) > 0 {
			continue // a read of its own mends the record
		}
		if r, err := readBudget(i); err == nil {
			b.Hosts[host] = r
		}
	}
	return b, nil
}

// refusesBatches reports whether DynamoDB does not allow or know the request itself: that
// need not be so of reads of single items.
func refusesBatches(err error) bool {
	var api smithy.APIError
	codes := []string{"AccessDeniedException", "UnknownOperationException", "ValidationException"}
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// getBatch reads items strongly, with one request. An item that there is none of is
// nil; one that DynamoDB has not read, as it does when its capacity is used up, is
// missing.
func (t *Table) getBatch(ctx context.Context, keys []string) (map[string]item, error) {
	slices.Sort(keys)
	keys = slices.Compact(keys) // DynamoDB refuses a request that names a key twice
	asked := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	read := make(map[string]item, len(keys))
	for _, key := range keys {
		asked.Keys = append(asked.Keys, item{attrKey: text(key)})
		read[key] = nil
	}
	out, err := t.Client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{t.Name: asked},
	})
	if err != nil {
		return nil, failure(ctx, err)
	}
	for _, key := range out.UnprocessedKeys[t.Name].Keys {
		delete(read, keyOf(key))
	}
	for _, i := range out.Responses[t.Name] {
		read[keyOf(i)] = i
	}
	return read, nil
}

// keyOf is an item's key.
func keyOf(i item) (key string) {
	asText(&key).load(i[attrKey])
	return key
}
