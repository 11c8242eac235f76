package dynamo_test

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
)

func TestTable(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return newTable(t) })
}

// newTable is an empty table, there until the test ends.
func newTable(t *testing.T) *dynamo.Table {
	t.Helper()
	client, name := engines.Table(t)
	return &dynamo.Table{Client: client, Name: name}
}
