package dynamo

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
)

// The methods of invitations and those of requests come in pairs; what a pair has
// in common is written once, in put, find and useUp.
var (
	_ authrequest.Store     = (*Table)(nil)
	_ authrequest.Directory = (*Table)(nil)
)

// PutInvitation implements authrequest.Store.
func (t *Table) PutInvitation(ctx context.Context, i authrequest.Invitation) error {
	return t.put(ctx, invitationKey(i.Hash), invitationFields(&i))
}

// Invitation implements authrequest.Store.
func (t *Table) Invitation(ctx context.Context, hash string) (authrequest.Invitation, error) {
	i := authrequest.Invitation{Hash: hash}
	err := t.find(ctx, invitationKey(hash), invitationFields(&i))
	return i, err
}

// Invitations implements authrequest.Directory. The attributes that it asks for are
// those that IAM lets an operator scan; none of them is secret.
func (t *Table) Invitations(ctx context.Context) ([]authrequest.Invitation, error) {
	names := map[string]string{"#pk": attrKey}
	projection := []string{"#pk"}
	for _, f := range invitationFields(&authrequest.Invitation{}) {
		names["#"+f.attr] = f.attr
		projection = append(projection, "#"+f.attr)
	}
	in := &dynamodb.ScanInput{
		TableName:                 aws.String(t.Name),
		Select:                    types.SelectSpecificAttributes,
		ProjectionExpression:      aws.String(strings.Join(projection, ", ")),
		FilterExpression:          aws.String("begins_with(#pk, :invitation)"),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: item{":invitation": text(prefixInvitation)},
		ConsistentRead:            aws.Bool(true),
	}
	var all []authrequest.Invitation
	pages := dynamodb.NewScanPaginator(t.Client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failure(ctx, err)
		}
		for _, scanned := range page.Items {
			var key string
			var i authrequest.Invitation
			if err := load(scanned, append(invitationFields(&i), field{attrKey, asText(&key)})); err != nil {
				return nil, err
			}
			i.Hash = strings.TrimPrefix(key, prefixInvitation)
			all = append(all, i)
		}
	}
	return all, nil
}

// UseInvitation implements authrequest.Store.
func (t *Table) UseInvitation(ctx context.Context, hash string, now time.Time) error {
	return t.useUp(ctx, invitationKey(hash), attrUsedAt, now)
}

// ReturnInvitation implements authrequest.Store.
func (t *Table) ReturnInvitation(ctx context.Context, hash string, usedAt time.Time) error {
	w := newWrite(invitationKey(hash))
	w.set(attrUsedAt, nil)
	w.condition = w.is(attrUsedAt, "=", millis(usedAt))
	_, _, err := t.update(ctx, w)
	return err
}

// PutRequest implements authrequest.Store.
func (t *Table) PutRequest(ctx context.Context, r authrequest.Request) error {
	return t.put(ctx, requestKey(r.Hash), requestFields(&r))
}

// Request implements authrequest.Store.
func (t *Table) Request(ctx context.Context, hash string) (authrequest.Request, error) {
	r := authrequest.Request{Hash: hash}
	err := t.find(ctx, requestKey(hash), requestFields(&r))
	return r, err
}

// ConsumeRequest implements authrequest.Store.
func (t *Table) ConsumeRequest(ctx context.Context, hash string, now time.Time) error {
	return t.useUp(ctx, requestKey(hash), attrConsumedAt, now)
}

// ReturnRequest implements authrequest.Store.
func (t *Table) ReturnRequest(ctx context.Context, hash string, consumedAt time.Time) error {
	w := newWrite(requestKey(hash))
	w.set(attrConsumedAt, nil)
	w.condition = all(w.is(attrConsumedAt, "=", millis(consumedAt)), w.absent(attrOutcome))
	_, _, err := t.update(ctx, w)
	return err
}

// FinishRequest implements authrequest.Store.
func (t *Table) FinishRequest(ctx context.Context, hash, outcome string) error {
	w := newWrite(requestKey(hash))
	w.set(attrOutcome, text(outcome))
	w.condition = w.exists(attrConsumedAt)
	_, _, err := t.update(ctx, w)
	return err
}

// put stores a new item.
func (t *Table) put(ctx context.Context, key string, fields []field) error {
	w := newWrite(key)
	for _, f := range fields {
		w.set(f.attr, f.value.save())
	}
	_, _, err := t.update(ctx, w)
	return err
}

// find reads an item strongly; authrequest.ErrNotFound if there is none.
func (t *Table) find(ctx context.Context, key string, fields []field) error {
	i, err := t.get(ctx, key, true)
	switch {
	case err != nil:
		return err
	case len(i) == 0:
		return authrequest.ErrNotFound
	}
	return load(i, fields)
}

// useUp sets the time of use of an item that is unused and has not expired. It
// is not repeated if its response was lost: the item would seem to be used by
// another request.
func (t *Table) useUp(ctx context.Context, key, attr string, now time.Time) error {
	w := newWrite(key)
	w.set(attr, millis(now))
	w.condition = all(w.absent(attr), w.is(attrTTL, ">", seconds(now)))
	_, taken, err := t.update(ctx, w, ifNotDone)
	if err == nil && !taken {
		return authrequest.ErrUsed
	}
	return err
}

func invitationFields(i *authrequest.Invitation) []field {
	return []field{
		{attrConnection, asText(&i.Connection)},
		{attrReplaceUser, flagValue{&i.ReplaceUser}},
		{attrUsedAt, asTime(&i.UsedAt)},
		{attrTTL, asTimeToLive(&i.Ends)},
	}
}

func requestFields(r *authrequest.Request) []field {
	return []field{
		{attrConnection, asText(&r.Connection)},
		{attrInvitation, asText(&r.Invitation)},
		{attrBinding, asText(&r.Binding)},
		{attrVerifier, secretValue{&r.Verifier}},
		{attrRedirectURI, asText(&r.RedirectURI)},
		{attrConsumedAt, asTime(&r.ConsumedAt)},
		{attrOutcome, asText(&r.Outcome)},
		{attrSecond, flagValue{&r.Second}},
		{attrTTL, asTimeToLive(&r.Ends)},
	}
}
