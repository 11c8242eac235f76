// Command bench measures the service: the binaries that are deployed, run as
// Lambda runs them, against what they could cost at least.
//
//	make bench         measures everything, and writes docs/performance.md and docs/performance.json
//	make bench-check   measures what is robust on any machine, and compares it with docs/performance.json
//
// It needs Go, scripts/engines and, for the share of a processor that a small
// function has, root. Everything is on this machine and ends with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/peers"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	// binaries is where rig.Build left them.
	binaries string
	// log hears of progress.
	log io.Writer
	// compared is the comparison with other ways, once it was made.
	compared *peers.Report
}

// part measures one section.
type part struct {
	name    string
	measure func(*bench, context.Context) (figures.Section, error)
}

// parts are those of the document, in its order.
func parts() []part {
	return []part{
		{"cold", (*bench).cold},
		{"warm", (*bench).warm},
		{"code", (*bench).code},
		{"sweep", (*bench).sweep},
		{"memory", (*bench).memory},
		{"peers", (*bench).peers},
		{"callers", (*bench).callers},
		{"simulated", (*bench).simulated},
		{"elsewhere", (*bench).elsewhere},
		{"gate", (*bench).gate},
	}
}

func run(args []string, out, log io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(log)
	docs := set.String("docs", "docs", "`folder` of performance.md and performance.json")
	check := set.Bool("check", false, "compare with performance.json, and write nothing")
	only := set.String("only", "", "comma-separated `parts` to measure, and to print alone: "+names())
	if err := set.Parse(args); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "reltio-tokens-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	b := &bench{binaries: folder, log: log}
	b.say("building")
	if err := rig.Build(ctx, folder); err != nil {
		return err
	}
	committed := filepath.Join(*docs, "performance.json")
	if *check {
		return b.check(ctx, committed, out)
	}
	report, err := b.report(ctx, *only)
	if err != nil {
		return err
	}
	if *only != "" {
		_, err = out.Write(report.Document())
		return err
	}
	return write(report, filepath.Join(*docs, "performance.md"), committed)
}

// report measures the parts named, or all.
func (b *bench) report(ctx context.Context, only string) (*figures.Report, error) {
	report := &figures.Report{Machine: machine()}
	for _, p := range parts() {
		if only != "" && !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		began := time.Now()
		section, err := p.measure(b, ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		b.say("%s measured in %.0f s", p.name, time.Since(began).Seconds())
		report.Sections = append(report.Sections, section)
	}
	return report, nil
}

func names() string {
	var all []string
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return strings.Join(all, ",")
}

// write writes both files.
func write(r *figures.Report, document, committed string) error {
	text, err := r.Committed()
	if err != nil {
		return err
	}
	const everybody = 0o644
	return errors.Join(
		os.WriteFile(filepath.Clean(document), r.Document(), everybody),
		os.WriteFile(filepath.Clean(committed), text, everybody),
	)
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}
