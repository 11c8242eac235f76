package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

// watchPause lies between two readings of --watch.
const watchPause = 5 * time.Second

type statusCommand struct {
	Names   []string `arg:"" optional:"" name:"name" help:"Connections, or patterns like 'acme-*'; none: all of them."`
	JSON    bool     `name:"json" help:"Print JSON instead of a table."`
	Wide    bool     `help:"Show why the server refused, and what it said."`
	Trouble bool     `help:"Only connections with which something is wrong."`
	Watch   bool     `help:"Read again every five seconds, until Ctrl-C."`
	Check   bool     `help:"Exit with 3 if a connection needs somebody: a person to log in, or an operator to write another secret; is refused for a reason that stays; or has been failing for 15 minutes."`
}

// Help implements kong.HelpProvider.
func (*statusCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens status --trouble\n  reltio-tokens --stack reltio-tokens status 'acme-*' --wide"
}

// Validate refuses flags that do not go together.
func (c *statusCommand) Validate() error {
	if c.Watch && c.Check {
		return errors.New("--check ends with a code, --watch does not end: give one of them")
	}
	for _, name := range c.Names {
		if _, err := path.Match(name, ""); err != nil {
			return fmt.Errorf("%s is no pattern: quote it like 'acme-*'", name)
		}
	}
	return nil
}

// talks implements talking.
func (*statusCommand) talks() {}

// Run shows the health of connections.
func (c *statusCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	if c.Watch {
		return c.watch(ctx, w, s)
	}
	return c.once(ctx, w, s)
}

// watch shows the health again and again, and ends when it is interrupted.
func (c *statusCommand) watch(ctx context.Context, w *wiring, s *screen) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	w.progress = nil
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		err := c.once(ctx, w, s)
		if ctx.Err() != nil {
			s.out.Reset()
			s.err.Reset()
			return nil
		}
		if !c.JSON && term.IsTerminal(int(os.Stdout.Fd())) {
			_, _ = fmt.Fprint(os.Stdout, "\x1b[H\x1b[2J") // a terminal that fails is told by the next write
		}
		if s.show(exitCode(s, err)) == exitUsage {
			return errSaid
		}
		s.out.Reset()
		s.err.Reset()
		timer.Reset(watchPause)
	}
}

// once shows the health.
func (c *statusCommand) once(ctx context.Context, w *wiring, s *screen) error {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	names, err := matching(ctx, o, c.Names)
	if err != nil {
		return err
	}
	all, err := o.Status(ctx, names...)
	if err != nil {
		return err
	}
	shown := all
	if c.Trouble {
		shown = all.Where(func(s operator.State) bool { return s.Trouble(all.At) != operator.NoTrouble })
	}
	switch {
	case c.JSON:
		err = s.json(shown)
	default:
		s.table(shown.TroubleFirst(), c.Wide)
		s.summary(all)
	}
	switch {
	case err != nil:
		return err
	case c.Check && all.NeedsAttention():
		return errNeedsSomebody
	case all.NotRead():
		return s.notRead(all)
	}
	return nil
}

// matching are the connections that the operator named, patterns replaced by the
// names that match; none for all.
func matching(ctx context.Context, o service, given []string) ([]string, error) {
	isPattern := func(name string) bool { return strings.ContainsAny(name, `*?[`) }
	if !slices.ContainsFunc(given, isPattern) {
		return given, nil
	}
	all, err := o.Names(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, wanted := range given {
		found := false
		for _, name := range all {
			if ok, _ := path.Match(wanted, name); !ok { // Validate has tried the pattern
				continue
			}
			found = true
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		switch {
		case found:
		case isPattern(wanted):
			return nil, apierr.New(apierr.UnknownConnection, "no connection has a name like "+wanted)
		default:
			names = append(names, wanted) // it may be there without being listed
		}
	}
	return names, nil
}

// summary prints how many connections there are, and what is wrong with how many.
func (s *screen) summary(r operator.Report) {
	if len(r.Connections) < 2 {
		return
	}
	counts := map[operator.Trouble]int{}
	for _, state := range r.Connections {
		counts[state.Trouble(r.At)]++
	}
	parts := []string{}
	for _, kind := range []struct {
		of    operator.Trouble
		words string
	}{
		{operator.TroublePerson, "need a person"},
		{operator.TroubleOperator, "need an operator"},
		{operator.TroubleRefused, "refused"},
		{operator.TroubleFailing, "failing for long"},
		{operator.TroubleUnread, "could not be read"},
		{operator.TroublePassing, "in passing trouble"},
		{operator.NoTrouble, "without trouble"},
	} {
		if n := counts[kind.of]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind.words))
		}
	}
	fmt.Fprintf(&s.out, "%d connections: %s\n", len(r.Connections), strings.Join(parts, ", "))
}

type listCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (*listCommand) Help() string {
	return "Example:\n  for name in $(reltio-tokens --stack reltio-tokens list); do reltio-tokens --stack reltio-tokens check $name; done"
}

// Run prints the names of all connections.
func (c *listCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	names, err := o.Names(ctx)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return s.json(names)
	}
	for _, name := range names {
		fmt.Fprintln(&s.out, name)
	}
	return nil
}
