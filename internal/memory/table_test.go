package memory_test

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/memory"
	"github.com/reltio-tokens/reltio-tokens/internal/storetest"
)

func TestTable(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return &memory.Table{} })
}
