package renewal

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
)

// The times of a sweep.
const (
	// sweepStarts is how long a sweep begins renewals, sweepEnds when the last
	// has to be over.
	sweepStarts = 60 * time.Second
	sweepEnds   = 80 * time.Second
	// sweepNeeds is what must be left of the invocation to begin a renewal.
	sweepNeeds = 20 * time.Second
	// sweepPage is how many index entries are read at a time; sweepMost how
	// many one sweep takes up, far more than a minute's budget.
	sweepPage = 500
	sweepMost = 4000
	// defaultConcurrency is how many renewals run at a time.
	defaultConcurrency = 16
	// perInstant bounds the concurrency by the rate: more would only wait.
	perInstant = 4
	// unreachableAfter is how many transport failures in a row make a sweep
	// leave a host alone.
	unreachableAfter = 3
)

// Sweep renews all that is due, the most urgent first. It stops in time: what
// is left over is found by the next one. Sweeps may overlap; each grant's lease
// keeps them apart. An error means that the index could not be read.
func (r *Renewer) Sweep(ctx context.Context) (rotation.Result, []Report, error) {
	began := r.Now()
	ctx, cancel := context.WithTimeout(ctx, sweepEnds)
	defer cancel()
	candidates, err := r.candidates(ctx, began)
	if err != nil {
		return rotation.Result{}, nil, err
	}
	s := &sweep{r: r, began: began, queue: candidates, failures: map[string]int{}}
	var workers sync.WaitGroup
	for range min(r.concurrency(), len(candidates)) {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Wait()
	var result rotation.Result
	for _, report := range s.reports {
		result.Count(report.Outcome)
	}
	return result, s.reports, nil
}

func (r *Renewer) concurrency() int {
	n := cmp.Or(max(r.Concurrency, 0), defaultConcurrency)
	perSecond := int(time.Second / r.interval())
	return max(1, min(n, perInstant*perSecond))
}

// candidates reads the index: a hint, since each grant is read again under its
// lease.
func (r *Renewer) candidates(ctx context.Context, now time.Time) ([]grant.Due, error) {
	var all []grant.Due
	for _, shard := range []grant.Shard{grant.ShardDue, grant.ShardWaiting} {
		var after *grant.Due
		for taken := 0; taken < sweepMost; taken += sweepPage {
			page, err := r.Grants.DueGrants(ctx, shard, now, after, sweepPage)
			if err != nil {
				return nil, err
			}
			all = append(all, page...)
			if len(page) < sweepPage {
				break
			}
			after = &page[len(page)-1]
		}
	}
	slices.SortStableFunc(all, func(a, b grant.Due) int { return a.DueAt.Compare(b.DueAt) })
	return all, nil
}

// sweep is one sweep under way.
type sweep struct {
	r     *Renewer
	began time.Time

	// mu guards what follows; it is never held across a renewal.
	mu      sync.Mutex
	queue   []grant.Due
	reports []Report
	// failures counts transport failures in a row, by host.
	failures map[string]int
}

// work renews one candidate after the other.
func (s *sweep) work(ctx context.Context) {
	for {
		name, ok := s.next()
		if !ok {
			return
		}
		report := Report{Connection: name, Outcome: rotation.LeftOver}
		if s.mayBegin(ctx) {
			p := &path{Renewer: s.r, request: rotation.Request{Connection: name}, avoid: s.unreachable}
			report = p.run(ctx)
		}
		s.took(report)
	}
}

func (s *sweep) next() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return "", false
	}
	name := s.queue[0].Connection
	s.queue = s.queue[1:]
	return name, true
}

// mayBegin reports whether there is time for one more renewal.
func (s *sweep) mayBegin(ctx context.Context) bool {
	now := s.r.Now()
	return now.Sub(s.began) < sweepStarts && left(ctx, now) >= sweepNeeds
}

func (s *sweep) took(report Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, report)
	switch {
	case report.unreachable:
		s.failures[report.host]++
	case report.TokenRequests > 0:
		s.failures[report.host] = 0
	}
}

// unreachable reports whether the sweep has given a host up.
func (s *sweep) unreachable(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures[host] >= unreachableAfter
}
