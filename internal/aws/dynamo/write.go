package dynamo

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// write is one change of one item in the making: what it changes and under
// which condition. Names and values are always placeholders in its
// expressions, because many of our names (owner, until, ttl, user, status) are
// words of DynamoDB's own.
//
//	w := newWrite(leaseKey(name))
//	w.set(attrUntil, millis(until))
//	w.condition = all(w.is(attrOwner, "=", text(owner)), w.absent(attrTTL))
type write struct {
	key string
	// condition is empty for a write that is always taken.
	condition string
	// returns says what a taken write returns; empty: nothing.
	returns types.ReturnValue
	// showRefusing asks for the item that refused the write.
	showRefusing bool

	sets, removes, adds []string
	// names and values are what the placeholders stand for; nil if there are
	// none, because DynamoDB takes no empty ones.
	names  map[string]string
	values item
}

func newWrite(key string) *write { return &write{key: key} }

// name returns the placeholder of an attribute.
func (w *write) name(attr string) string {
	if w.names == nil {
		w.names = make(map[string]string)
	}
	w.names["#"+attr] = attr
	return "#" + attr
}

// value returns the placeholder of a value.
func (w *write) value(v types.AttributeValue) string {
	if w.values == nil {
		w.values = make(item)
	}
	placeholder := ":v" + strconv.Itoa(len(w.values))
	w.values[placeholder] = v
	return placeholder
}

// set stores a value; nil removes the attribute.
func (w *write) set(attr string, v types.AttributeValue) {
	if v == nil {
		w.removes = append(w.removes, w.name(attr))
		return
	}
	w.sets = append(w.sets, w.name(attr)+" = "+w.value(v))
}

// setFirst stores a value where there is none.
func (w *write) setFirst(attr string, v types.AttributeValue) {
	w.sets = append(w.sets, w.name(attr)+" = if_not_exists("+w.name(attr)+", "+w.value(v)+")")
}

// count adds n to a number that must be there.
func (w *write) count(attr string, n int64) {
	w.sets = append(w.sets, w.name(attr)+" = "+w.name(attr)+" + "+w.value(number(n)))
}

// countFrom adds n to a number, which is base if it is not there.
func (w *write) countFrom(attr string, base, n int64) {
	from := "if_not_exists(" + w.name(attr) + ", " + w.value(number(base)) + ")"
	w.sets = append(w.sets, w.name(attr)+" = "+from+" + "+w.value(number(n)))
}

// add puts a text into a set.
func (w *write) add(attr, element string) {
	w.adds = append(w.adds, w.name(attr)+" "+w.value(texts([]string{element})))
}

// is compares an attribute; one that is not there, or of another type, is
// neither more nor less nor equal.
func (w *write) is(attr, operator string, v types.AttributeValue) string {
	return w.name(attr) + " " + operator + " " + w.value(v)
}

// unchanged holds while the attribute is as it was read; nil: absent.
func (w *write) unchanged(attr string, read types.AttributeValue) string {
	if read == nil {
		return w.absent(attr)
	}
	return w.is(attr, "=", read)
}

func (w *write) absent(attr string) string { return "attribute_not_exists(" + w.name(attr) + ")" }
func (w *write) exists(attr string) string { return "attribute_exists(" + w.name(attr) + ")" }

// smaller holds for a set of fewer than n texts.
func (w *write) smaller(attr string, n int64) string {
	return "size(" + w.name(attr) + ") < " + w.value(number(n))
}

func all(conditions ...string) string    { return strings.Join(conditions, " AND ") }
func either(conditions ...string) string { return "(" + strings.Join(conditions, " OR ") + ")" }

// expression is the update expression.
func (w *write) expression() string {
	var clauses []string
	for _, clause := range []struct {
		word  string
		parts []string
	}{{"SET ", w.sets}, {"REMOVE ", w.removes}, {"ADD ", w.adds}} {
		if len(clause.parts) > 0 {
			clauses = append(clauses, clause.word+strings.Join(clause.parts, ", "))
		}
	}
	return strings.Join(clauses, " ")
}
