package main

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// manyConnections is how many are worth a line that counts them.
const manyConnections = 200

// progressOn counts the connections that were read, on one line of a terminal that
// disappears at the end; nil if the file is no terminal. A terminal that fails is no
// reason for the command to.
func progressOn(f *os.File) func(done, of int) {
	if !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(done, of int) {
		switch {
		case of < manyConnections:
		case done == of:
			_, _ = fmt.Fprint(f, "\r\x1b[K")
		case done%(of/100) == 0:
			_, _ = fmt.Fprintf(f, "\r%d of %d connections read", done, of)
		}
	}
}
