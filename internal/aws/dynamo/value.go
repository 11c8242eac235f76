package dynamo

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The values of attributes.

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func millis(t time.Time) types.AttributeValue { return number(t.UnixMilli()) }

func seconds(t time.Time) types.AttributeValue { return number(t.Unix()) }

func texts(s []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: s} }

// field binds an attribute to the variable that it is stored from and read
// into.
type field struct {
	attr  string
	value value
}

// value stores and loads one variable.
type value interface {
	// save returns what is stored; nil: the attribute is not there.
	save() types.AttributeValue
	// load takes what was stored; false if it has the wrong type.
	load(a types.AttributeValue) bool
}

// load reads the fields out of an item. What is not in the item keeps its
// value, and what is in it beyond the fields is ignored.
func load(i item, fields []field) error {
	for _, f := range fields {
		if a, ok := i[f.attr]; ok && !f.value.load(a) {
			return malformed(f.attr)
		}
	}
	return nil
}

// stringValue is a text; the empty one is not stored.
type stringValue[T ~string] struct{ at *T }

func asText[T ~string](at *T) value { return stringValue[T]{at} }

func (v stringValue[T]) save() types.AttributeValue {
	if *v.at == "" {
		return nil
	}
	return text(string(*v.at))
}

func (v stringValue[T]) load(a types.AttributeValue) bool {
	s, ok := a.(*types.AttributeValueMemberS)
	if ok {
		*v.at = T(s.Value)
	}
	return ok
}

// secretValue is a text that only this type takes out of its wrapping.
type secretValue struct{ at *reltioauth.Secret }

func (v secretValue) save() types.AttributeValue {
	if v.at.IsZero() {
		return nil
	}
	return text(v.at.Reveal())
}

func (v secretValue) load(a types.AttributeValue) bool {
	s, ok := a.(*types.AttributeValueMemberS)
	if ok {
		*v.at = reltioauth.NewSecret(s.Value)
	}
	return ok
}

// setValue is a set of texts; the empty one is not stored. It has no order:
// what is read is sorted.
type setValue struct{ at *[]string }

func (v setValue) save() types.AttributeValue {
	if len(*v.at) == 0 {
		return nil
	}
	return texts(slices.Compact(slices.Sorted(slices.Values(*v.at))))
}

func (v setValue) load(a types.AttributeValue) bool {
	s, ok := a.(*types.AttributeValueMemberSS)
	if ok {
		*v.at = slices.Sorted(slices.Values(s.Value))
	}
	return ok
}

// flagValue is a truth value; false is not stored.
type flagValue struct{ at *bool }

func (v flagValue) save() types.AttributeValue {
	if !*v.at {
		return nil
	}
	return &types.AttributeValueMemberBOOL{Value: true}
}

func (v flagValue) load(a types.AttributeValue) bool {
	b, ok := a.(*types.AttributeValueMemberBOOL)
	if ok {
		*v.at = b.Value
	}
	return ok
}

// numberValue is a whole number; 0 is stored only if kept.
type numberValue[T ~int | ~int64] struct {
	at   *T
	kept bool
	// most is the highest number that is believed.
	most int64
}

// asNumber and asKeptNumber are counts: one that is out of reach is the last
// within.
func asNumber[T ~int | ~int64](at *T) value { return numberValue[T]{at: at, most: math.MaxInt32} }

func asKeptNumber[T ~int | ~int64](at *T) value {
	return numberValue[T]{at: at, kept: true, most: math.MaxInt32}
}

func (v numberValue[T]) save() types.AttributeValue {
	if *v.at == 0 && !v.kept {
		return nil
	}
	return number(int64(*v.at))
}

func (v numberValue[T]) load(a types.AttributeValue) bool {
	n, ok := whole(a, math.Floor)
	if ok {
		*v.at = T(min(max(n, -v.most), v.most))
	}
	return ok
}

// risingValue is a number that only rises, and is stored though it is 0. One
// that could not rise any more is as wrong as a text.
type risingValue struct{ at *int64 }

func asRising(at *int64) value { return risingValue{at} }

func (v risingValue) save() types.AttributeValue { return number(*v.at) }

func (v risingValue) load(a types.AttributeValue) bool {
	n, ok := whole(a, math.Floor)
	if ok = ok && n < lease.MaxEpoch; ok {
		*v.at = n
	}
	return ok
}

// timeValue is a moment in whole units; the zero time is not stored, and a
// stored 0 is the zero time.
type timeValue struct {
	at   *time.Time
	unit time.Duration
}

func asTime(at *time.Time) value       { return timeValue{at, time.Millisecond} }
func asTimeToLive(at *time.Time) value { return timeValue{at, time.Second} }
func asMillis(at *time.Duration) value { return durationValue{at} }

func (v timeValue) save() types.AttributeValue {
	switch {
	case v.at.IsZero():
		return nil
	case v.unit == time.Second:
		return seconds(*v.at)
	default:
		return millis(*v.at)
	}
}

func (v timeValue) load(a types.AttributeValue) bool {
	n, ok := whole(a, math.Floor)
	switch {
	case !ok:
		return false
	case n == 0:
		*v.at = time.Time{}
	case v.unit == time.Second:
		*v.at = moment(min(max(n, -farthest/1000), farthest/1000) * 1000)
	default:
		*v.at = moment(n)
	}
	return true
}

// moment is a time in epoch milliseconds. One that is out of reach is the last
// that every program can print.
func moment(ms int64) time.Time {
	return time.UnixMilli(min(max(ms, -farthest), farthest)).UTC()
}

// farthest is the end of the year 9999, in epoch milliseconds.
const farthest = 253402300799999

// durationValue is a length of time in milliseconds; 0 is not stored.
type durationValue struct{ at *time.Duration }

func (v durationValue) save() types.AttributeValue {
	if *v.at == 0 {
		return nil
	}
	return number(v.at.Milliseconds())
}

func (v durationValue) load(a types.AttributeValue) bool {
	n, ok := whole(a, math.Floor)
	if ok {
		*v.at = time.Duration(min(max(n, 0), farthest/1000)) * time.Millisecond
	}
	return ok
}

// whole reads a number; decimals are rounded as told, and one out of reach is
// the last within.
func whole(a types.AttributeValue, round func(float64) float64) (int64, bool) {
	n, ok := a.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
		return i, true
	}
	const most = 1 << 62
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(f) {
		return 0, false
	}
	return int64(min(max(round(f), -most), most)), true
}
