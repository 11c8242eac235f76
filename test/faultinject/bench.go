package faultinject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Bench is what cases share: the binaries, and the engines. Start makes it
// ready, and fills in what was left out; afterwards it is safe for concurrent use.
type Bench struct {
	// Now is time.Now. Required.
	Now func() time.Time
	// AtOnce is how many cases run side by side, of which most wait; 0 means 8.
	AtOnce int
	// Binaries is a folder with the functions, as stack.Build makes it; empty
	// means that Start builds them.
	Binaries string

	folder   string // to remove
	dynamoDB *engines.Engine
	moto     []*engines.Engine
	opened   *atomic.Int64
}

// motos is how many engines share the secrets: one answers one request at a
// time, and is slow.
const motos = 6

// Case is one fault of one operation of a flow.
type Case struct {
	Flow *Flow
	Operation
	Fault
}

// Start builds the functions and starts the engines. Whatever comes of it, Close
// ends what it has started.
func (b *Bench) Start(ctx context.Context) (err error) {
	const usual = 8
	if b.AtOnce < 0 {
		return fmt.Errorf("%w: %d", errAtOnce, b.AtOnce)
	}
	b.AtOnce, b.opened = cmp.Or(b.AtOnce, usual), new(atomic.Int64)
	if b.Binaries == "" {
		if b.folder, err = os.MkdirTemp("", "faults-"); err != nil {
			return err
		}
		if err := stack.Build(ctx, b.folder); err != nil {
			return err
		}
		b.Binaries = b.folder
	}
	if b.dynamoDB, err = engines.StartDynamoDB(ctx); err != nil {
		return err
	}
	for range motos {
		m, err := engines.StartMoto(ctx)
		if err != nil {
			return err
		}
		b.moto = append(b.moto, m)
	}
	return nil
}

// Close ends what Start started.
func (b *Bench) Close() error {
	var err error
	if b.dynamoDB != nil {
		err = b.dynamoDB.Close()
	}
	for _, m := range b.moto {
		err = errors.Join(err, m.Close())
	}
	if b.folder != "" {
		err = errors.Join(err, os.RemoveAll(b.folder))
	}
	return err
}

// Fewer is the same bench with so many times fewer at once: for what runs beside
// something else. It ends with b.
func (b *Bench) Fewer(times int) *Bench {
	few := *b
	few.AtOnce = max(1, b.AtOnce/times)
	return &few
}

// Clean is a flow that nothing disturbs.
type Clean struct {
	Flow *Flow
	// Operations are the function's, in their order.
	Operations []Operation
	// Seen is what the caller saw, Requests how many token requests it took.
	Seen     string
	Requests int
}

// Clean runs a flow undisturbed.
func (b *Bench) Clean(ctx context.Context, f *Flow) (Clean, error) {
	s, err := b.open(ctx, f)
	if err != nil {
		return Clean{}, err
	}
	defer s.close()
	asked := s.asked()
	s.wire.count(f.Function, nil)
	c := Clean{Flow: f, Seen: f.act(ctx, s)}
	s.rest(ctx)
	c.Operations, c.Requests = s.wire.calm(), s.asked()-asked
	if len(c.Operations) == 0 {
		return c, fmt.Errorf("%s: no operation in %q", f.Name, c.Seen)
	}
	return c, nil
}

// errAtOnce is a Bench that would run nothing.
var errAtOnce = errors.New("faults: so many cases cannot run at once")

// All are the clean runs of the flows, with the operations that come each time;
// each gives its cases.
func (b *Bench) All(ctx context.Context, flows []*Flow) ([]Clean, error) {
	const times, calmly = 3, 4
	runs := make([]Clean, times*len(flows))
	err := b.each(ctx, min(b.AtOnce, calmly), len(runs), func(i int) (err error) {
		runs[i], err = b.Clean(ctx, flows[i/times])
		return err
	})
	if err != nil {
		return nil, err
	}
	clean := make([]Clean, len(flows))
	for i := range flows {
		clean[i] = runs[times*i]
		for _, other := range runs[times*i+1 : times*(i+1)] {
			clean[i].Operations = slices.DeleteFunc(clean[i].Operations, func(o Operation) bool {
				return !slices.Contains(other.Operations, o)
			})
		}
	}
	return clean, nil
}

// Cases are each fault of each operation.
func (c Clean) Cases() []Case {
	var cases []Case
	for _, o := range c.Operations {
		for _, f := range Faults(o) {
			cases = append(cases, Case{Flow: c.Flow, Operation: o, Fault: f})
		}
	}
	return cases
}

// long is 1 for what may take minutes, and begins first.
func (c Case) long() int {
	if c.Name == "revoke" {
		return 1
	}
	return 0
}

// Run runs the cases side by side, in any order, and returns their results in
// the order of the cases. heard, if not nil, hears of each as it ends. clean are
// All's.
func (b *Bench) Run(ctx context.Context, clean []Clean, cases []Case, heard func(Result)) ([]Result, error) {
	expected := map[*Flow]Clean{}
	for _, c := range clean {
		expected[c.Flow] = c
	}
	results := make([]Result, len(cases))
	order := rand.Perm(len(cases)) //nolint:gosec // what waits long is mixed with what does not
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(cases[j].long(), cases[i].long()) })
	var mu sync.Mutex
	err := b.each(ctx, b.AtOnce, len(cases), func(i int) (err error) {
		i = order[i]
		results[i], err = b.one(ctx, expected[cases[i].Flow], cases[i])
		if err == nil && heard != nil {
			mu.Lock()
			defer mu.Unlock()
			heard(results[i])
		}
		return err
	})
	return results, err
}

// each does n things, some at a time.
func (*Bench) each(ctx context.Context, atOnce, n int, do func(int) error) error {
	turns := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	var mu sync.Mutex
	var first error
	for i := range n {
		turns <- struct{}{}
		mu.Lock()
		stop := first != nil || ctx.Err() != nil
		mu.Unlock()
		if stop {
			break
		}
		running.Go(func() {
			defer func() { <-turns }()
			if err := do(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = errors.Join(first, err)
			}
		})
	}
	running.Wait()
	return errors.Join(first, ctx.Err())
}
