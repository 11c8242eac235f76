package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

// countTries bounds how often CountLogin tries. The first try assumes the
// credentials that are stored, which is wrong for new ones; the second is made
// for the record that refused the first. It is refused only if another writer
// came between, and each that counts brings the record nearer to its limit, at
// which account.Count ends the matter.
const countTries = 2 + 2*account.MaxAttempts

// CountLogin implements account.Store. What may have been counted is not sent
// again: one lost answer would use up both logins of an account. It stays
// counted, and the login is not sent: the error is on the side of fewer.
func (t *Table) CountLogin(ctx context.Context, try account.Try) (int, error) {
	attempt := countMore
	for range countTries {
		stored, taken, err := t.update(ctx, attempt(try), ifNotDone)
		if err != nil {
			return 0, err
		}
		r, err := readAccount(stored)
		if err != nil {
			return 0, err
		}
		if taken {
			return r.Attempts, nil
		}
		if _, err := account.Count(r, try); err != nil {
			return 0, err
		}
		attempt = countMore
		if r.Credentials != try.Credentials {
			attempt = countFirst
		}
	}
	return 0, contended()
}

// countMore counts a login with the credentials that are stored.
func countMore(try account.Try) *write {
	w := newCount(try)
	w.countFrom(attrAttempts, 0, 1)
	below := []string{w.absent(attrAttempts), w.is(attrAttempts, "<", number(int64(try.Limit)))}
	if try.Hourly {
		hourAgo := millis(try.Now.Add(-account.TryAgain))
		below = append(below, w.absent(attrTriedAt), w.is(attrTriedAt, "<=", hourAgo))
	}
	w.condition = all(w.ours(try), w.is(attrCredentials, "=", text(try.Credentials)), either(below...))
	return w
}

// countFirst counts the first login with new credentials.
func countFirst(try account.Try) *write {
	w := newCount(try)
	w.set(attrCredentials, text(try.Credentials))
	w.set(attrAttempts, number(1))
	isNew := either(w.absent(attrCredentials), w.is(attrCredentials, "<>", text(try.Credentials)))
	w.condition = all(w.ours(try), isNew)
	return w
}

// newCount is what both counts have in common.
func newCount(try account.Try) *write {
	var triedAt types.AttributeValue
	if try.Hourly {
		triedAt = millis(try.Now)
	}
	w := newWrite(accountKey(try.Account))
	w.set(attrConnection, text(try.Connection))
	w.set(attrTriedAt, triedAt)
	w.returns = types.ReturnValueAllNew
	w.showRefusing = true
	return w
}

// ours holds for an account that nobody claims or that is claimed by the
// try's connection.
func (w *write) ours(try account.Try) string {
	return either(w.absent(attrConnection), w.is(attrConnection, "=", text(try.Connection)))
}

// same holds while nobody else claims the account and the credentials are the
// try's.
func (w *write) same(try account.Try) string {
	return all(w.ours(try), w.is(attrCredentials, "=", text(try.Credentials)))
}

// UncountLogin implements account.Store. A second writing after a lost answer
// would take off a login that was refused, and one refused login too many locks
// the user: so only what DynamoDB says it has not done is sent again.
func (t *Table) UncountLogin(ctx context.Context, try account.Try) error {
	w := newWrite(accountKey(try.Account))
	w.count(attrAttempts, -1)
	w.condition = all(w.same(try), w.is(attrAttempts, ">=", number(1)))
	_, _, err := t.update(ctx, w, ifNotDone)
	return err
}

// ifNotDone repeats only throttled requests.
func ifNotDone(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{
			retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes},
		}
	})
}

// ClearLogins implements account.Store.
func (t *Table) ClearLogins(ctx context.Context, try account.Try) error {
	w := newWrite(accountKey(try.Account))
	w.set(attrAttempts, number(0))
	w.condition = w.same(try)
	_, _, err := t.update(ctx, w)
	return err
}

// MoveClaim implements account.Store.
func (t *Table) MoveClaim(ctx context.Context, hash, from, to string) error {
	w := newWrite(accountKey(hash))
	w.set(attrConnection, text(to))
	w.condition = w.is(attrConnection, "=", text(from))
	_, _, err := t.update(ctx, w)
	return err
}

// DropClaim implements account.Store.
func (t *Table) DropClaim(ctx context.Context, hash, connection string) error {
	w := newWrite(accountKey(hash))
	w.set(attrConnection, nil)
	w.condition = w.is(attrConnection, "=", text(connection))
	_, _, err := t.update(ctx, w)
	return err
}

func readAccount(i item) (account.Record, error) {
	var r account.Record
	err := load(i, []field{
		{attrConnection, asText(&r.Connection)},
		{attrCredentials, asText(&r.Credentials)},
		{attrAttempts, asNumber(&r.Attempts)},
		{attrTriedAt, asTime(&r.TriedAt)},
	})
	return r, err
}
