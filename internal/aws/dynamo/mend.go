package dynamo

import (
	"context"
	"errors"
	"maps"
	"math"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// mending says what an item may hold: each attribute with the type that it is
// stored as. The records of budget# and lease# can be lost without damage. So
// an attribute of a wrong type in them, written by hand or by another program,
// is removed when it is read, and does not stop a host or a connection.
type mending map[string]attributeType

// attributeType is a type of DynamoDB, as attribute_type names it.
type attributeType string

const (
	typeText   attributeType = "S"
	typeNumber attributeType = "N"
	typeTexts  attributeType = "SS"
	// typeEpoch is a number that can rise.
	typeEpoch attributeType = "epoch"
)

var (
	budgetMending = mending{ //nolint:gochecknoglobals // a constant table
		attrNext: typeNumber, attrPausedUntil: typeNumber, attrPause: typeNumber, attrProbedAt: typeNumber,
		attrRefusedSince: typeNumber, attrDownSince: typeNumber, attrThrottled: typeTexts, attrServed: typeTexts, attrRefused: typeTexts,
	}
	leaseMending = mending{ //nolint:gochecknoglobals // a constant table
		attrUntil: typeNumber, attrEpoch: typeEpoch, attrFailedAt: typeNumber,
		attrOwner: typeText, attrLastError: typeText, attrLastErrorMessage: typeText,
	}
)

// has reports whether the value is of the type.
func (a attributeType) has(v types.AttributeValue) bool {
	switch v.(type) {
	case *types.AttributeValueMemberS:
		return a == typeText
	case *types.AttributeValueMemberSS:
		return a == typeTexts
	case *types.AttributeValueMemberN:
		n, ok := whole(v, math.Floor)
		return a == typeNumber || a == typeEpoch && ok && n < lease.MaxEpoch
	}
	return false
}

// hasNot is the condition that an attribute is not of the type.
func (w *write) hasNot(attr string, a attributeType) string {
	if a == typeEpoch {
		return either(w.hasNot(attr, typeNumber), w.is(attr, ">=", number(lease.MaxEpoch)))
	}
	return "NOT attribute_type(" + w.name(attr) + ", " + w.value(text(string(a))) + ")"
}

// updateMended is update for an item whose wrong attributes are removed. A
// write that was taken may have left a wrong attribute in the item; the
// returned item is without it.
func (t *Table) updateMended(ctx context.Context, w *write, m mending) (got item, taken bool, err error) {
	got, taken, err = t.update(ctx, w)
	if isValidation(err) {
		stored, readErr := t.get(ctx, w.key, true)
		if readErr != nil || len(m.wrong(stored)) == 0 {
			return got, taken, err
		}
		got, taken, err = stored, false, nil
	}
	wrong := m.wrong(got)
	if err != nil || len(wrong) == 0 {
		return got, taken, err
	}
	if err := t.remove(ctx, w.key, m, wrong); err != nil {
		return nil, false, err
	}
	if taken {
		return without(got, wrong), true, nil
	}
	return t.update(ctx, w)
}

// getMended is get for an item whose wrong attributes are removed.
func (t *Table) getMended(ctx context.Context, key string, m mending) (item, error) {
	got, err := t.get(ctx, key, true)
	wrong := m.wrong(got)
	if err != nil || len(wrong) == 0 {
		return got, err
	}
	return without(got, wrong), t.remove(ctx, key, m, wrong)
}

// wrong lists the attributes that have another type.
func (m mending) wrong(i item) (attrs []string) {
	for attr, want := range m {
		if v, ok := i[attr]; ok && !want.has(v) {
			attrs = append(attrs, attr)
		}
	}
	return attrs
}

func without(i item, attrs []string) item {
	left := maps.Clone(i)
	for _, attr := range attrs {
		delete(left, attr)
	}
	return left
}

// remove removes attributes from an item, if they still are of a wrong type.
func (t *Table) remove(ctx context.Context, key string, m mending, attrs []string) error {
	for _, attr := range attrs {
		w := newWrite(key)
		w.set(attr, nil)
		w.condition = w.hasNot(attr, m[attr])
		if _, _, err := t.update(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// isValidation reports whether DynamoDB refused a request as invalid, as it
// does when an expression uses an attribute of another type.
func isValidation(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException"
}
