// Command costs writes the tables of costs in docs/operations.md. It is run in the
// folder test, as `go run -C test ./cmd/costs` does.
package main

import (
	"fmt"
	"os"

	"github.com/reltio-tokens/reltio-tokens/test/costs"
)

func main() {
	if err := costs.Write(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
