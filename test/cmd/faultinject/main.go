// Command faultinject breaks each operation of the functions' real binaries in every
// way that its service can break, and with every code that AWS documents, and
// writes what came of it as a document; or breaks what chance chooses, for as
// long as it is told to.
//
//	make faults
//	make soak-processes SOAK_FOR=10m
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/faultinject"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	bench faultinject.Bench
	// summary and table are the files for the short document and for every result.
	summary, table string

	with   string
	only   *regexp.Regexp
	log    bool
	soak   time.Duration
	random int64
}

func flags(args []string, log io.Writer) (_ *settings, err error) {
	s := &settings{bench: faultinject.Bench{Now: time.Now}}
	set := flag.NewFlagSet("faults", flag.ContinueOnError)
	set.SetOutput(log)
	set.IntVar(&s.bench.AtOnce, "at-once", 40*runtime.NumCPU(), "`how many` cases run side by side; they mostly wait")
	set.StringVar(&s.bench.Binaries, "binaries", "", "`folder` with <function>/bootstrap; they are built otherwise")
	set.StringVar(&s.summary, "summary", "", "`file` to write the document to: the method and the totals")
	set.StringVar(&s.table, "table", "", "`file` to write every result to; the results are printed too")
	set.StringVar(&s.with, "with", "", "the engines' `versions`, for the document")
	only := set.String("only", "", "`pattern` of the cases: 'password, login . UpdateItem lease# . killed'")
	set.BoolVar(&s.log, "v", false, "show what the functions wrote where an invariant broke")
	set.DurationVar(&s.soak, "soak", 0, "instead of all cases, cases by chance for so `long`, or until an invariant breaks")
	set.Int64Var(&s.random, "seed", 0, "`number` that the choice by chance begins with; 0 chooses one")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if s.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("%w: %q is no flag", errUsage, set.Arg(0))
	case s.bench.AtOnce < 1:
		return nil, fmt.Errorf("%w: -at-once must be 1 at least", errUsage)
	case s.soak < 0:
		return nil, fmt.Errorf("%w: -soak must not be negative", errUsage)
	case s.files() && *only != "":
		return nil, fmt.Errorf("%w: -summary and -table are for all cases, -only for some", errUsage)
	case s.files() && s.soak > 0:
		return nil, fmt.Errorf("%w: -summary and -table are for all cases, -soak for some", errUsage)
	}
	return s, nil
}

// files reports whether a file is written.
func (s *settings) files() bool { return s.summary != "" || s.table != "" }

var (
	// errUsage is flags that do not go together.
	errUsage = errors.New("wrong flags")
	// errNoCase is a pattern of no case.
	errNoCase = errors.New("there is no case like")
)

func run(args []string, out, log io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := flags(args, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.bench.Close()) }()
	if err := s.bench.Start(ctx); err != nil {
		return err
	}
	clean, err := s.bench.All(ctx, faultinject.Flows())
	if err != nil {
		return err
	}
	if s.soak > 0 {
		cases, err := choose(clean, s.only)
		if err != nil {
			return err
		}
		return soak(ctx, s, clean, cases, out)
	}
	courses, err := s.bench.Courses(ctx, faultinject.Walks())
	if err != nil {
		return err
	}
	cases, err := choose(clean, s.only)
	outages := chooseOutages(courses, s.only)
	if err != nil && len(outages) == 0 {
		return err
	}
	_, _ = fmt.Fprintf(log, "%d cases, %d outages\n", len(cases), len(outages))
	return document(ctx, s, log, out, &suite{clean: clean, cases: cases, courses: courses, outages: outages})
}

// suite is what a run runs.
type suite struct {
	clean   []faultinject.Clean
	cases   []faultinject.Case
	courses []faultinject.Course
	outages []faultinject.Outage
}

// chooseOutages returns the outages that are like the pattern.
func chooseOutages(courses []faultinject.Course, only *regexp.Regexp) []faultinject.Outage {
	var outages []faultinject.Outage
	for _, c := range courses {
		for _, each := range c.Outages() {
			if only.MatchString(each.Title()) {
				outages = append(outages, each)
			}
		}
	}
	return outages
}

// choose returns the cases that are like the pattern; none is an error.
func choose(clean []faultinject.Clean, only *regexp.Regexp) ([]faultinject.Case, error) {
	var cases []faultinject.Case
	for _, c := range clean {
		for _, each := range c.Cases() {
			if only.MatchString(each.Title()) {
				cases = append(cases, each)
			}
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%w %q", errNoCase, only)
	}
	return cases, nil
}

// errBroken is the end of a run that found something.
var errBroken = errors.New("an invariant is broken")

// progress counts what has ended, and says so.
type progress struct {
	mu           *sync.Mutex // guards log, which two share
	log          io.Writer
	verbose      bool
	what         string
	of           int
	done, missed int
	broken       int
}

func (p *progress) heard(line, log string, missed bool, problems int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if missed {
		p.missed++
	}
	if problems > 0 {
		p.broken++
		_, _ = fmt.Fprintln(p.log, line)
	}
	if p.verbose {
		_, _ = io.WriteString(p.log, log)
	}
	if p.done%100 == 0 {
		_, _ = fmt.Fprintf(p.log, "%d of %d %s\n", p.done, p.of, p.what)
	}
}

// split parts the outages that mostly wait, beside which there is time for
// everything else, from the others.
func split(outages []faultinject.Outage) (waiting, others []faultinject.Outage) {
	for _, o := range outages {
		if o.Waits() {
			waiting = append(waiting, o)
		} else {
			others = append(others, o)
		}
	}
	return waiting, others
}

// document runs everything and writes the tables.
func document(ctx context.Context, s *settings, log, out io.Writer, all *suite) error {
	began, one := time.Now(), new(sync.Mutex)
	outages := progress{mu: one, log: log, verbose: s.log, what: "outages", of: len(all.outages)}
	cases := progress{mu: one, log: log, verbose: s.log, what: "cases", of: len(all.cases)}
	heard := func(r faultinject.OutageResult) { outages.heard(r.Line(), r.Log, r.Missed, len(r.Problems)) }
	waiting, others := split(all.outages)
	var ended, more []faultinject.OutageResult
	var failed error
	var beside sync.WaitGroup
	beside.Go(func() {
		few := s.bench.Fewer(2)
		ended, failed = few.RunOutages(ctx, waiting, heard)
	})
	results, err := s.bench.Run(ctx, all.clean, all.cases, func(r faultinject.Result) {
		cases.heard(r.Line(), r.Log, r.Missed, len(r.Problems))
	})
	if err == nil {
		more, err = s.bench.RunOutages(ctx, others, heard)
	}
	beside.Wait()
	ended = append(ended, more...)
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	var short, rows bytes.Buffer
	about := faultinject.About{Engines: s.with, Took: time.Since(began), AtOnce: s.bench.AtOnce}
	err = errors.Join(
		about.Write(&short, cases.done-cases.missed, cases.broken),
		faultinject.Summarize(&short, all.clean, results), faultinject.SummarizeOutages(&short, all.courses, ended),
		faultinject.Write(&rows, all.clean, results), faultinject.WriteOutages(&rows, all.courses, ended),
	)
	if err != nil {
		return err
	}
	whole := slices.Concat(short.Bytes(), rows.Bytes())
	if _, err := out.Write(whole); err != nil {
		return err
	}
	if err := errors.Join(save(s.summary, short.Bytes()), save(s.table, whole)); err != nil {
		return err
	}
	if n := cases.broken + outages.broken; n > 0 {
		return fmt.Errorf("%w in %d of %d cases", errBroken, n, len(all.cases)+len(all.outages))
	}
	return nil
}

// save writes a file, if it has a name.
func save(file string, text []byte) error {
	if file == "" {
		return nil
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // a document that every user may read
}

// soak runs cases by chance.
func soak(ctx context.Context, s *settings, clean []faultinject.Clean, cases []faultinject.Case, out io.Writer) error {
	if s.random == 0 {
		s.random = time.Now().UnixNano()
	}
	chance := rand.New(rand.NewPCG(uint64(s.random), 0)) //nolint:gosec // a choice, no secret
	_, _ = fmt.Fprintf(out, "seed %d, %d cases to choose from\n", s.random, len(cases))
	for until := time.Now().Add(s.soak); time.Now().Before(until) && ctx.Err() == nil; {
		chosen := make([]faultinject.Case, 2*s.bench.AtOnce)
		for i := range chosen {
			chosen[i] = cases[chance.IntN(len(cases))]
		}
		broken := 0
		_, err := s.bench.Run(ctx, clean, chosen, func(r faultinject.Result) {
			_, _ = fmt.Fprintln(out, r.Line())
			if len(r.Problems) > 0 {
				broken++
			}
		})
		switch {
		case ctx.Err() != nil:
			return nil // told to stop
		case err != nil:
			return err
		case broken > 0:
			return fmt.Errorf("%w in %d cases", errBroken, broken)
		}
	}
	return nil
}
