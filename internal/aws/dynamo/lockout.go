package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

// Account implements lockout.Store.
func (t *Table) Account(ctx context.Context, hash string) (lockout.Record, error) {
	stored, err := t.get(ctx, accountKey(hash), true)
	if err != nil {
		return lockout.Record{}, err
	}
	return readAccount(stored)
}

func readAccount(i item) (lockout.Record, error) {
	var r lockout.Record
	err := load(i, accountFields(&r))
	return r, err
}

// accountFields is the account's item, attribute by attribute.
func accountFields(r *lockout.Record) []field {
	return []field{
		{attrConnection, asText(&r.Connection)},
		{attrCredentials, asText(&r.CredentialsHash)},
		{attrAttempts, asKeptNumber(&r.Attempts)},
		{attrUnclear, asKeptNumber(&r.Unclear)},
		{attrTriedAt, asTime(&r.TriedAt)},
		{attrAccepted, asText(&r.AcceptedHash)},
	}
}

// accountTries bounds how often a change of an account is tried. The first try
// guesses what is stored; the second is made for the record that refused the
// first. It is refused only if another writer came between, and each of those
// that counts brings the record nearer to its limits, where no more is counted.
const accountTries = 3 + 3*lockout.MaxAttempts

// CountLogin implements lockout.Store. A write that may have counted is not
// sent again: one lost response would use up both logins of an account. The
// login stays counted and is not sent, which is safe.
func (t *Table) CountLogin(ctx context.Context, try lockout.Try) (lockout.Record, error) {
	w := countAfterSuccess(try)
	for range accountTries {
		stored, taken, err := t.update(ctx, w, ifNotDone)
		if err != nil {
			return lockout.Record{}, err
		}
		r, err := readAccount(stored)
		if err != nil || taken {
			return r, err
		}
		next, err := lockout.Count(r, try)
		if err != nil {
			return r, err
		}
		w = changeAccount(try.AccountHash, stored, next)
	}
	return lockout.Record{}, contended()
}

// countAfterSuccess counts the first login since its credentials were accepted:
// the usual case, in one request.
func countAfterSuccess(try lockout.Try) *write {
	w := newAccountWrite(try.AccountHash)
	w.set(attrConnection, text(try.Connection))
	w.set(attrAttempts, number(1))
	w.set(attrUnclear, number(1))
	w.set(attrTriedAt, millis(try.Now))
	zero, limit := number(0), number(int64(try.Limit-try.Spare))
	w.condition = all(
		w.same(try), w.is(attrAttempts, "=", zero), w.is(attrUnclear, "=", zero), w.is(attrAttempts, "<", limit),
	)
	return w
}

// SettleLogin implements lockout.Store. After a lost response a count is not
// lowered again: one refused login too many would lock the user. So a write is
// repeated only if DynamoDB says that it was not done.
func (t *Table) SettleLogin(ctx context.Context, try lockout.Try, o lockout.Outcome) error {
	if o == lockout.Accepted {
		w := acceptCounted(try)
		if _, taken, err := t.update(ctx, w); err != nil || taken {
			return err
		}
	}
	for range accountTries {
		stored, err := t.get(ctx, accountKey(try.AccountHash), true)
		if err != nil {
			return err
		}
		before, err := readAccount(stored)
		if err != nil {
			return err
		}
		after := lockout.Settle(before, try, o)
		if after == before || len(stored) == 0 && o != lockout.Accepted {
			return nil
		}
		_, taken, err := t.update(ctx, changeAccount(try.AccountHash, stored, after), ifNotDone)
		if err != nil || taken {
			return err
		}
	}
	return contended()
}

// acceptCounted records the success of a counted login, in one request.
func acceptCounted(try lockout.Try) *write {
	w := newWrite(accountKey(try.AccountHash))
	w.set(attrConnection, text(try.Connection))
	w.set(attrAttempts, number(0))
	w.set(attrUnclear, number(0))
	w.set(attrAccepted, text(try.CredentialsHash))
	w.condition = w.same(try)
	return w
}

// changeAccount writes a record, if the one that it was made from is still
// stored.
func changeAccount(hash string, stored item, next lockout.Record) *write {
	w := newAccountWrite(hash)
	var unchanged []string
	for _, f := range accountFields(&next) {
		unchanged = append(unchanged, w.unchanged(f.attr, stored[f.attr]))
		w.set(f.attr, f.value.save())
	}
	w.condition = all(unchanged...)
	return w
}

func newAccountWrite(hash string) *write {
	w := newWrite(accountKey(hash))
	w.returns = types.ReturnValueAllNew
	w.showRefusing = true
	return w
}

// same holds while no other connection claims the account and the credentials
// are the try's.
func (w *write) same(try lockout.Try) string {
	ours := either(w.absent(attrConnection), w.is(attrConnection, "=", text(try.Connection)))
	return all(ours, w.is(attrCredentials, "=", text(try.CredentialsHash)))
}

// ifNotDone repeats only throttled requests.
func ifNotDone(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{
			retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes},
		}
	})
}

// MoveClaim implements lockout.Store.
func (t *Table) MoveClaim(ctx context.Context, hash, from, to string) error {
	w := newWrite(accountKey(hash))
	w.set(attrConnection, asText(&to).save())
	w.condition = w.is(attrConnection, "=", text(from))
	_, _, err := t.update(ctx, w)
	return err
}
