package renewal

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// The times of a sweep.
const (
	// sweepStarts is how long a sweep begins renewals, sweepEnds when the last
	// one has to end.
	sweepStarts = 60 * time.Second
	sweepEnds   = 100 * time.Second
	// sweepNeeds is what must be left of the invocation to begin a renewal.
	sweepNeeds = 40 * time.Second
	// sweepPage is how many index entries are read at a time; sweepBatch how
	// many of a shard are renewed before the index is read again, far more than
	// the rate limit of a minute.
	sweepPage  = 500
	sweepBatch = 4000
	// defaultConcurrency is how many renewals run at a time.
	defaultConcurrency = 16
	// perSlot bounds the concurrency by the rate: more renewals would only
	// wait for their slots.
	perSlot = 4
)

// Swept is the result of a sweep.
type Swept struct {
	Result rotateapi.Result
	// Reports of all candidates, of each batch the most urgent first.
	Reports []Report
	// Waiting counts the grants that wait for a person or new credentials; -1
	// if they could not be counted.
	Waiting int
	// OldestOverdue is how long the most urgent candidate had been due.
	OldestOverdue time.Duration
}

// Sweep renews all grants that are due, the most urgent first. It stops in
// time: the next sweep finds what is left over. Sweeps may overlap; each
// grant's lease keeps them apart. An error means that the index could not be
// read.
func (r *Renewer) Sweep(ctx context.Context) (Swept, error) {
	began := r.Now()
	ctx, cancel := context.WithTimeout(ctx, sweepEnds)
	defer cancel()
	s := &sweep{r: r, began: began, up: map[string]bool{}}
	after := map[grant.Shard]*grant.Due{}
	for more := true; more; more = more && s.mayBegin(ctx) {
		var batch []grant.Due
		var err error
		if batch, more, err = r.batch(ctx, began, after); err != nil && s.queue == nil {
			return Swept{}, err
		}
		s.renewAll(ctx, batch)
	}
	waiting, misdated := r.waiting(ctx, began)
	s.renewAll(ctx, misdated)
	s.rest(ctx)
	s.probe(ctx)
	swept := Swept{Reports: s.reports, Waiting: waiting}
	for _, report := range s.reports {
		swept.Result.Count(report.Outcome)
	}
	if len(s.queue) > 0 {
		swept.OldestOverdue = began.Sub(s.queue[0].DueAt)
	}
	return swept, nil
}

// waiting counts the waiting shard, and returns its entries that a wrong clock
// has put too far ahead: they are due now.
func (r *Renewer) waiting(ctx context.Context, now time.Time) (n int, misdated []grant.Due) {
	const farAhead = 365 * 24 * time.Hour
	var after *grant.Due
	for {
		page, err := r.Grants.DueGrants(ctx, grant.ShardWaiting, now.Add(farAhead), after, sweepPage)
		if err != nil {
			return -1, nil
		}
		n += len(page)
		for _, d := range page {
			if d.Misdated(now) {
				misdated = append(misdated, grant.Due{Connection: d.Connection, DueAt: now})
			}
		}
		if len(page) < sweepPage {
			return n, misdated
		}
		after = &page[len(page)-1]
	}
}

func (r *Renewer) concurrency() int {
	n := cmp.Or(max(r.Concurrency, 0), defaultConcurrency)
	perSecond := int(time.Second / ratelimit.Interval(r.PerSecond))
	return max(1, min(n, perSlot*perSecond))
}

// batch reads the index from where the last batch ended. An entry is a hint:
// each grant is read again under its lease. Another batch follows only if this
// one was full and leaves time, as it does when the sweep has stopped asking
// the host of most of its grants.
func (r *Renewer) batch(ctx context.Context, now time.Time, after map[grant.Shard]*grant.Due) (all []grant.Due, more bool, err error) {
	for _, shard := range []grant.Shard{grant.ShardDue, grant.ShardWaiting} {
		for taken := 0; taken < sweepBatch; taken += sweepPage {
			page, err := r.Grants.DueGrants(ctx, shard, now, after[shard], sweepPage)
			if err != nil {
				return all, false, err
			}
			all = append(all, page...)
			if len(page) > 0 {
				after[shard] = &page[len(page)-1]
			}
			if len(page) < sweepPage {
				break
			}
			more = more || taken+sweepPage >= sweepBatch
		}
	}
	slices.SortStableFunc(all, func(a, b grant.Due) int { return a.DueAt.Compare(b.DueAt) })
	return all, more, nil
}

// sweep is one sweep in progress.
type sweep struct {
	r     *Renewer
	began time.Time
	bus   holder.Bus

	// mu guards the fields below; it is never held across a renewal.
	mu    sync.Mutex
	queue []grant.Due
	// reports are in the order of the candidates.
	reports []Report
	// todo are the candidates that are still to be renewed.
	todo []int
	// up are the hosts that have responded in this sweep.
	up map[string]bool
}

// renewAll renews a batch of candidates, up to the concurrency at a time.
func (s *sweep) renewAll(ctx context.Context, batch []grant.Due) {
	for range batch {
		s.todo = append(s.todo, len(s.reports))
		s.reports = append(s.reports, Report{})
	}
	s.queue = append(s.queue, batch...)
	s.workOff(ctx)
}

// rest renews the candidates that were left over because their host was down, if it
// has responded since. A host that was not asked in this sweep, because a caller had
// just asked it, is asked once when it may be.
func (s *sweep) rest(ctx context.Context) {
	s.again(ctx, s.responding())
	first, at := s.unasked()
	if len(first) == 0 || ratelimit.Sleep(ctx, at.Sub(s.r.Now())) != nil {
		return
	}
	s.again(ctx, first)
	s.again(ctx, s.responding())
}

// responding are the candidates left over whose host has responded since.
func (s *sweep) responding() (which []int) {
	for i, report := range s.reports {
		if !report.heldUntil.IsZero() && s.up[report.host] {
			which = append(which, i)
		}
	}
	return which
}

// unasked is one candidate of each host that was not asked, the first that may, and
// when all of them may.
func (s *sweep) unasked() (which []int, at time.Time) {
	first := map[string]int{}
	for i, report := range s.reports {
		if _, asked := s.up[report.host]; asked || report.heldUntil.IsZero() {
			continue
		}
		other, ok := first[report.host]
		if !ok || report.heldUntil.Before(s.reports[other].heldUntil) {
			first[report.host] = i
		}
	}
	for _, i := range first {
		which = append(which, i)
		if until := s.reports[i].heldUntil; until.After(at) {
			at = until
		}
	}
	return which, at
}

func (s *sweep) again(ctx context.Context, which []int) {
	s.todo = append(s.todo, which...)
	s.workOff(ctx)
}

func (s *sweep) workOff(ctx context.Context) {
	var workers sync.WaitGroup
	for range min(s.r.concurrency(), len(s.todo)) {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Wait()
}

// work renews one candidate after another.
func (s *sweep) work(ctx context.Context) {
	for {
		i, ok := s.next()
		if !ok {
			return
		}
		s.renew(ctx, i, s.r.newRun(rotateapi.Request{Connection: s.queue[i].Connection}, bySweep))
	}
}

// renew renews one candidate if there is time.
func (s *sweep) renew(ctx context.Context, i int, one *run) {
	report := Report{Connection: one.name, Outcome: rotateapi.LeftOver}
	if s.mayBegin(ctx) {
		one.bus = &s.bus
		report = one.runSafely(ctx)
	}
	s.took(i, report)
}

// runSafely is run for a goroutine of its own: a panic ends this renewal and no
// other. The panic's value is not printed, because it may hold a secret.
func (r *run) runSafely(ctx context.Context) (report Report) {
	defer func() {
		if recover() != nil {
			report = Report{
				Connection: r.name, Outcome: rotateapi.Failed,
				Err: apierr.New(apierr.Internal, ""), Unstored: true,
			}
		}
	}()
	return r.run(ctx)
}

// probe sends one request to each host whose circuit is open, by the
// best-ranked candidate; if that one is at its login limit, by the next.
func (s *sweep) probe(ctx context.Context) {
	probed := map[string]bool{}
	for _, i := range fittest(s.reports) {
		host := s.reports[i].host
		if probed[host] {
			continue
		}
		request := rotateapi.Request{Connection: s.queue[i].Connection, Force: true}
		s.renew(ctx, i, s.r.newRun(request, asProbe))
		probed[host] = !s.reports[i].atLimit
	}
}

func (s *sweep) next() (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.todo) == 0 {
		return 0, false
	}
	i := s.todo[0]
	s.todo = s.todo[1:]
	return i, true
}

// mayBegin reports whether there is time for one more renewal.
func (s *sweep) mayBegin(ctx context.Context) bool {
	now := s.r.Now()
	return now.Sub(s.began) < sweepStarts && left(ctx, now) >= sweepNeeds
}

func (s *sweep) took(i int, report Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports[i] = report
	if report.asked {
		s.up[report.host] = !report.down
	}
}
