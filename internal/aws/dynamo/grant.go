package dynamo

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// Grant implements grant.Store.
func (t *Table) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	i, err := t.get(ctx, grantKey(name), c == grant.Strong)
	if err != nil {
		return grant.Grant{}, err
	}
	return readGrant(name, i)
}

func readGrant(name string, i item) (grant.Grant, error) {
	if i == nil {
		return grant.Grant{}, grant.ErrNotFound
	}
	g := grant.Grant{Connection: name}
	if err := load(i, grantFields(&g)); err != nil {
		return grant.Grant{}, ofItem(grantKey(name), err)
	}
	if lacks(i, attrRefusals, attrThrottles, attrCheckVerdict) {
		g = g.Upgraded()
	}
	return g, nil
}

// lacks reports whether none of the attributes is there.
func lacks(i item, attrs ...string) bool {
	return !slices.ContainsFunc(attrs, func(attr string) bool { _, ok := i[attr]; return ok })
}

// PutGrant implements grant.Store. A lost response does no harm: the same write
// is taken again. The write does not ask for the item that refuses it, so that
// no error holds another holder's token.
func (t *Table) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	if g.Connection != held.Connection {
		return grant.ErrFenced // a lease is a right to its own connection's grant
	}
	g.Epoch, g.Owner = held.Epoch, held.Owner
	w := newWrite(grantKey(held.Connection))
	for _, f := range grantFields(&g) {
		w.set(f.attr, f.value.save())
	}
	epoch := number(held.Epoch)
	w.condition = either(
		w.absent(attrEpoch),
		w.is(attrEpoch, "<", epoch),
		"("+all(w.is(attrEpoch, "=", epoch), w.is(attrOwner, "=", text(held.Owner)))+")",
	)
	_, taken, err := t.update(ctx, w)
	if err == nil && !taken {
		return grant.ErrFenced
	}
	return err
}

// grantFields is the grant's item, attribute by attribute.
func grantFields(g *grant.Grant) []field {
	return []field{
		{attrAccessToken, secretValue{&g.AccessToken}},
		{attrFingerprint, asText(&g.Fingerprint)},
		{attrTokenType, asText(&g.TokenType)},
		{attrScope, asText(&g.Scope)},
		{attrIssuedAt, asTime(&g.IssuedAt)},
		{attrExpiresAt, asTime(&g.ExpiresAt)},
		{attrExpiresInMissing, flagValue{&g.ExpiresInMissing}},
		{attrVersion, asRising(&g.Version)},
		{attrEpoch, asRising(&g.Epoch)},
		{attrOwner, asText(&g.Owner)},
		{attrIdentity, asText(&g.Identity)},
		{attrAliases, setValue{&g.Aliases}},
		{attrRefreshMode, asText(&g.RefreshMode)},
		{attrLoginMode, asText(&g.LoginMode)},
		{attrSecretVersion, asText(&g.SecretVersion)},
		{attrConnectionVersion, asText(&g.ConnectionVersion)},
		{attrSecondFactor, asText(&g.SecondFactorVersion)},
		{attrRefreshFingerprint, asText(&g.RefreshFingerprint)},
		{attrLoggedInAt, asTime(&g.LoggedInAt)},
		{attrRefreshExpiresAt, asTime(&g.RefreshExpiresAt)},
		{attrUser, asText(&g.User)},
		{attrStatus, asText(&g.Status)},
		{attrRotates, flagValue{&g.Rotates}},
		{attrAPIURL, asText(&g.APIURL)},
		{attrTenantID, asText(&g.TenantID)},
		{attrFailures, asNumber(&g.Failures)},
		{attrRefusals, asKeptNumber(&g.Refusals)},
		{attrThrottles, asNumber(&g.Throttles)},
		{attrRefusalCode, asText(&g.Refusal.Code)},
		{attrRefusalStatus, asNumber(&g.Refusal.Status)},
		{attrRefusalText, asText(&g.Refusal.Description)},
		{attrRetryAt, asTime(&g.RetryAt)},
		{attrLastError, asText(&g.LastError)},
		{attrLastErrorMessage, asText(&g.LastErrorMessage)},
		{attrCheckedAt, asTime(&g.CheckedAt)},
		{attrCheckVerdict, asText(&g.CheckVerdict)},
		{attrReissuedAt, asTime(&g.ReissuedAt)},
		{attrRelogin, asText(&g.Relogin)},
		{attrRepeatedUntil, asTime(&g.RepeatedUntil)},
		{attrEarlyAskedAt, asTime(&g.EarlyAskedAt)},
		{attrTriedAt, asTime(&g.TriedAt)},
		{attrWarnedAt, asTime(&g.WarnedAt)},
		{attrUnpublished, setValue{&g.Unpublished}},
		{attrPublishTries, asNumber(&g.PublishTries)},
		{attrPublishAt, asTime(&g.PublishAt)},
		{attrSecretMissingAt, asTime(&g.SecretMissingAt)},
		{attrTokenMissingAt, asTime(&g.TokenMissingAt)},
		{attrShard, asText(&g.Shard)},
		{attrDueAt, asTime(&g.DueAt)},
		{attrTTL, asTimeToLive(&g.TTL)},
	}
}

// DueGrants implements grant.Store. The index follows the items after a
// moment. Entries due at the same millisecond come in DynamoDB's order.
func (t *Table) DueGrants(ctx context.Context, s grant.Shard, now time.Time, after *grant.Due, limit int) ([]grant.Due, error) {
	if s == "" || limit <= 0 || after != nil && after.DueAt.After(now) {
		return nil, nil
	}
	w := &write{}
	condition := all(w.is(attrShard, "=", text(string(s))), w.is(attrDueAt, "<=", millis(now)))
	in := &dynamodb.QueryInput{
		TableName:                 aws.String(t.Name),
		IndexName:                 aws.String(indexDue),
		KeyConditionExpression:    aws.String(condition),
		ExpressionAttributeNames:  w.names,
		ExpressionAttributeValues: w.values,
	}
	if after != nil {
		in.ExclusiveStartKey = dueKey(s, *after)
	}
	var found []grant.Due
	for len(found) < limit {
		in.Limit = pageLimit(limit - len(found))
		out, err := t.Client.Query(ctx, in)
		if err != nil {
			return nil, failure(ctx, err)
		}
		for _, entry := range out.Items {
			if d, ok := readDue(entry); ok {
				found = append(found, d)
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return found, nil
}

// pageLimit is how many entries are asked for at once.
func pageLimit(missing int) *int32 {
	const most = 1000
	if missing < 0 || missing > most {
		return aws.Int32(most)
	}
	return aws.Int32(int32(missing))
}

// dueKey is the place of an entry in the index. The entry may be gone.
func dueKey(s grant.Shard, d grant.Due) item {
	return item{
		attrKey:   text(grantKey(d.Connection)),
		attrShard: text(string(s)),
		attrDueAt: millis(d.DueAt),
	}
}

// readDue reads an entry; false if it is no grant's. Decimals, which only other
// programs write, are rounded up, so that the next page begins after the entry.
func readDue(entry item) (grant.Due, bool) {
	var key string
	at, isNumber := whole(entry[attrDueAt], math.Ceil)
	if !isNumber || !asText(&key).load(entry[attrKey]) {
		return grant.Due{}, false
	}
	connection, isGrant := strings.CutPrefix(key, prefixGrant)
	return grant.Due{Connection: connection, DueAt: moment(at)}, isGrant
}
