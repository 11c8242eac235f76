package faultinject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Outage is a code of AWS's, or a trouble of the network, that one kind of
// operation meets while a walk is walked.
type Outage struct {
	Walk *Walk
	// Operation is met each time; its Nth does not count.
	Operation
	Fault
	// Class is the code's; that of the network is Network.
	Class Class
	// After: the other side has acted, and its answer is lost.
	After  bool
	Length Length
}

// Network is the class of what is no code.
const Network Class = "network"

// Length is how long an outage lasts.
type Length string

// The lengths.
const (
	Once    Length = "once"
	Seconds Length = "for 3 s"
	Minute  Length = "for a minute"
	// ForGood is past the end of the token that was there, until an operator has
	// found out.
	ForGood Length = "for good"
	// Frozen and LongFrozen: the environment was frozen so long before its next
	// invocation, and its kept connections broke meanwhile.
	Frozen     Length = "frozen for 10 s"
	LongFrozen Length = "frozen for 2 min"
)

// lasts is how long that is.
func (l Length) lasts() time.Duration {
	switch l {
	case Seconds:
		return 3 * time.Second
	case Minute:
		return time.Minute
	case ForGood:
		return 80 * time.Second
	}
	return 0
}

// frozen is how long the environment is frozen before; 0: it is not.
func (l Length) frozen() time.Duration {
	switch l {
	case Frozen:
		return 10 * time.Second
	case LongFrozen:
		return 2 * time.Minute
	}
	return 0
}

// long reports whether calls are made all the while.
func (l Length) long() bool { return l == Minute || l == ForGood }

// Waits reports whether the outage takes minutes, in which next to nothing is done.
func (o Outage) Waits() bool {
	return o.Length.long() || o.Length.frozen() > 0 || o.Kind == Silent || o.Kind == KeptSilent
}

// When says when and how long: "once, after the effect".
func (o Outage) When() string {
	if o.After {
		return string(o.Length) + ", after the effect"
	}
	return string(o.Length)
}

// Title names an outage: "issue, … | GetItem grant# | 400 ThrottlingException | once".
func (o Outage) Title() string {
	return strings.Join([]string{o.Walk.Name, o.Name, o.Fault.String(), o.When()}, " | ")
}

// Course is a walk that nothing disturbs.
type Course struct {
	Walk *Walk
	// Operations are the kinds that no walk before has, each once.
	Operations []Operation
	// services are those whose kept connections no walk before has broken.
	services []stack.Service
	// frozen are those whose connections no walk before has kept while it was frozen.
	frozen []stack.Service
	Seen   string
}

// Courses walks each walk undisturbed.
func (b *Bench) Courses(ctx context.Context, walks []*Walk) ([]Course, error) {
	courses := make([]Course, len(walks))
	err := b.each(ctx, b.AtOnce, len(walks), func(i int) (err error) {
		courses[i], err = b.course(ctx, walks[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	known, services := map[string]bool{}, map[owner]bool{}
	for i := range courses {
		c := &courses[i]
		c.Operations = slices.DeleteFunc(c.Operations, func(o Operation) bool {
			key := c.Walk.Function + " " + o.Name
			defer func() { known[key] = true }()
			return known[key] || o.action() == ""
		})
		for _, o := range c.Operations {
			key := owner{c.Walk.Function, o.Service}
			if !services[key] && o.Service != stack.Lambda { // its connections are never kept
				c.services = append(c.services, o.Service)
			}
			if !services[key] && o.Service != stack.EventBridge {
				c.frozen = append(c.frozen, o.Service)
			}
			services[key] = true
		}
		c.frozen = append(c.frozen, c.Walk.keeps...)
	}
	return courses, nil
}

func (b *Bench) course(ctx context.Context, w *Walk) (Course, error) {
	if len(w.keeps) > 0 {
		return Course{Walk: w, Seen: "token"}, nil
	}
	s, err := b.open(ctx, w.Flow)
	if err != nil {
		return Course{}, err
	}
	defer s.close()
	if err := s.begin(ctx, w); err != nil {
		return Course{}, err
	}
	s.wire.count(w.Function, nil)
	if w.beside != nil {
		s.wire.trouble(w.beside())
	}
	c := Course{Walk: w, Seen: w.act(ctx, s)}
	s.rest(ctx)
	c.Operations = slices.DeleteFunc(s.wire.calm(), func(o Operation) bool { return o.Nth > 1 })
	return c, nil
}

// begin prepares one time.
func (s *scene) begin(ctx context.Context, w *Walk) error {
	s.rounds++
	if w.begin == nil {
		return nil
	}
	return w.begin(ctx, s)
}

// Outages are those that are tried. Every code once, before the effect and
// after it, and for 3 s; of each class one after the effect for 3 s, for a
// minute, and for good.
func (c Course) Outages() []Outage {
	var all []Outage
	for _, o := range c.Operations {
		all = append(all, c.outages(o)...)
	}
	for _, service := range c.services {
		whole := Operation{Service: service, Name: anything, Nth: 1}
		for _, kind := range []Kind{KeptReset, KeptSilent} {
			all = append(all, Outage{Walk: c.Walk, Operation: whole, Fault: Fault{Kind: kind}, Class: Network, Length: Seconds})
		}
	}
	for _, service := range c.frozen {
		whole := Operation{Service: service, Name: string(service), Nth: 1}
		for _, kind := range []Kind{KeptReset, KeptForgotten, KeptSilent} {
			for _, length := range []Length{Frozen, LongFrozen} {
				all = append(all, Outage{Walk: c.Walk, Operation: whole, Fault: Fault{Kind: kind}, Class: Network, Length: length})
			}
		}
	}
	return all
}

// anything is what the operations on a kept connection are.
const anything = "any"

func (c Course) outages(o Operation) []Outage {
	var all []Outage
	add := func(f Fault, class Class, after bool, lengths ...Length) {
		for _, l := range lengths {
			all = append(all, Outage{Walk: c.Walk, Operation: o, Fault: f, Class: class, After: after, Length: l})
		}
	}
	short, long := []Length{Once, Seconds}, c.long()
	if c.Walk.beside != nil {
		short, long = short[:1], nil // nothing survives two stores that refuse for long
	}
	codes := Codes(o.action())
	for _, code := range codes {
		f := Fault{Kind: Answer, Status: code.Status, Code: code.Name}
		add(f, code.Class, false, short...)
		one, _ := firstOf(codes, code.Class)
		if code == one && code.Class != Conflict {
			add(f, code.Class, false, long...)
		}
		switch {
		case o.reads():
		case code == one:
			add(f, code.Class, true, short...)
		default:
			add(f, code.Class, true, Once)
		}
	}
	add(Fault{Kind: Reset}, Network, false, short...)
	add(Fault{Kind: Silent}, Network, false, append(long, Once)...)
	if !o.reads() {
		add(Fault{Kind: Reset}, Network, true, short...)
		add(Fault{Kind: Silent}, Network, true, Once)
	}
	return all
}

// long are the lengths that are worth a stack: a person who logs in starts again
// whether it was a minute or more.
func (c Course) long() []Length {
	if c.Walk.Function == callback {
		return []Length{Minute}
	}
	return []Length{Minute, ForGood}
}

// OutageResult is what came of an outage.
type OutageResult struct {
	Outage
	// Seen is what the callers saw while it lasted, Next what the first call
	// afterwards did.
	Seen, Next string
	// Missed: the operation did not come.
	Missed bool
	// Problems are what should not have been; none is as it should be.
	Problems []string
	// Log is what the functions wrote, if there are problems.
	Log string
}

// Line is a result in one line.
func (r OutageResult) Line() string {
	return strings.Join([]string{r.Title(), r.Seen, r.Next, cmp.Or(strings.Join(r.Problems, "; "), "kept")}, " | ")
}

// RunOutages runs them, several of the short ones one after the other on one
// stack, and returns their results in the order of the outages. heard, if not
// nil, hears of each as it ends.
func (b *Bench) RunOutages(ctx context.Context, outages []Outage, heard func(OutageResult)) ([]OutageResult, error) {
	results := make([]OutageResult, len(outages))
	jobs := jobs(outages)
	var mu sync.Mutex
	err := b.each(ctx, b.AtOnce, len(jobs), func(i int) error {
		return b.job(ctx, outages, jobs[i], func(k int, r OutageResult) {
			mu.Lock()
			defer mu.Unlock()
			results[k] = r
			if heard != nil {
				heard(r)
			}
		})
	})
	return results, err
}

// jobs are the outages that share a stack, by their places: alone, and
// first, those that may take minutes.
func jobs(outages []Outage) [][]int {
	const most = 10
	var alone, shared [][]int
	open := map[*Walk]int{}
	for i, o := range outages {
		if o.Waits() {
			alone = append(alone, []int{i})
			continue
		}
		k, is := open[o.Walk]
		if !is || len(shared[k]) == most {
			k = len(shared)
			open[o.Walk] = k
			shared = append(shared, nil)
		}
		shared[k] = append(shared[k], i)
	}
	return append(alone, shared...)
}

// job runs outages on one stack. One after which all is not well is the last on
// its stack; so is each on a machine that is too slow to open one.
func (b *Bench) job(ctx context.Context, outages []Outage, places []int, done func(int, OutageResult)) error {
	for len(places) > 0 && ctx.Err() == nil {
		s, err := b.open(ctx, outages[places[0]].Walk.Flow)
		if err != nil {
			for _, k := range places {
				done(k, OutageResult{Outage: outages[k], Problems: []string{"it could not be tried: " + err.Error()}})
			}
			return errors.Join(ctx.Err())
		}
		for well := true; well && len(places) > 0 && ctx.Err() == nil; places = places[1:] {
			r := s.outage(ctx, outages[places[0]])
			well = len(r.Problems) == 0
			done(places[0], r)
		}
		s.close()
	}
	return ctx.Err()
}

// trouble is what the wire does.
func (o Outage) trouble() *trouble {
	t := &trouble{function: o.Walk.Function, service: o.Service, name: o.Name, Fault: o.Fault, after: o.After, once: o.Length == Once}
	if o.Length == Seconds {
		t.lasts = o.Length.lasts()
	}
	if o.Name == anything || o.Length.frozen() > 0 {
		t.name = ""
	}
	return t
}

// String implements fmt.Stringer.
func (c Code) String() string { return fmt.Sprintf("%d %s", c.Status, c.Name) }
