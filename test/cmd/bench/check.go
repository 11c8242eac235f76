package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
)

// errWorse is what the gate says.
var errWorse = errors.New("worse than what is committed; if that is meant, `make bench` writes new figures")

// check is the gate. What looks worse is measured again: a busy machine may
// spoil a figure once, a regression is there each time. The best of a figure's
// values counts.
func (b *bench) check(ctx context.Context, committed string, out io.Writer) error {
	const attempts = 3
	text, err := os.ReadFile(filepath.Clean(committed))
	if err != nil {
		return err
	}
	before, err := figures.ReadCommitted(text)
	if err != nil {
		return err
	}
	var verdicts []figures.Verdict
	for range attempts {
		s, err := b.gate(ctx)
		if err != nil {
			return err
		}
		beside, err := b.gatePeers(ctx)
		if err != nil {
			return err
		}
		verdicts = figures.Best(verdicts, figures.Compare(before, append(s.Figures, beside...)))
		if figures.Pass(verdicts) {
			break
		}
		b.say("something looks worse")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		_, _ = fmt.Fprintln(w, v)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !figures.Pass(verdicts) {
		return errWorse
	}
	return nil
}
