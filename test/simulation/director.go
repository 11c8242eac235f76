package simulation

import (
	"container/heap"
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// item is something that will happen.
type item struct {
	at  time.Time
	seq int
	run func()
}

// agenda is a heap of items, the next one first.
type agenda struct {
	items []item
	seq   int
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (a *agenda) Len() int { return len(a.items) }

// Less orders by time, then by the order of planning.
func (a *agenda) Less(i, j int) bool {
	if a.items[i].at.Equal(a.items[j].at) {
		return a.items[i].seq < a.items[j].seq
	}
	return a.items[i].at.Before(a.items[j].at)
}

// Swap swaps.
func (a *agenda) Swap(i, j int) { a.items[i], a.items[j] = a.items[j], a.items[i] }

// Push adds.
func (a *agenda) Push(x any) {
	if i, ok := x.(item); ok {
		a.items = append(a.items, i)
	}
}

// Pop takes the last.
func (a *agenda) Pop() any {
	last := a.items[len(a.items)-1]
	a.items[len(a.items)-1] = item{}
	a.items = a.items[:len(a.items)-1]
	return last
}

// at plans something; only the director does.
func (w *World) at(t time.Time, run func()) {
	w.agenda.seq++
	heap.Push(&w.agenda, item{at: t, seq: w.agenda.seq, run: run})
}

// after plans something.
func (w *World) after(d time.Duration, run func()) { w.at(w.now().Add(d), run) }

// every plans something again and again, each time a little off the beat.
func (w *World) every(d time.Duration, run func()) {
	next := w.now()
	var step func()
	step = func() {
		run()
		next = next.Add(d)
		w.at(next.Add(time.Duration(w.random.Int64N(int64(2*time.Second)))), step)
	}
	w.at(next.Add(d), step)
}

// randomly plans something again and again, on average so often a day.
func (w *World) randomly(perDay float64, run func()) {
	if perDay <= 0 {
		return
	}
	var step func()
	wait := func() time.Duration { return time.Duration(w.random.ExpFloat64() / perDay * float64(Day)) }
	step = func() {
		run()
		w.after(wait(), step)
	}
	w.after(wait(), step)
}

// until runs the world until a moment, or until an invariant breaks.
func (w *World) until(end time.Time) {
	for w.agenda.Len() > 0 && !w.stopped.Load() {
		next := w.agenda.items[0]
		if next.at.After(end) {
			break
		}
		heap.Pop(&w.agenda)
		if wait := next.at.Sub(w.now()); wait > 0 {
			w.sleep(wait)
		}
		next.run()
	}
	if wait := end.Sub(w.now()); wait > 0 && !w.stopped.Load() {
		w.sleep(wait)
	}
}

// peace is the time without weather and accidents at the end.
const peace = 8 * time.Hour

// Live runs the world for as long as it was made for: with weather,
// accidents and callers, and with some hours of peace at the end, after which
// everything must be well. It returns when the last process has ended.
func (w *World) Live() {
	ctx, cancel := context.WithCancel(w.ctx)
	w.calling = ctx
	w.start()
	w.until(w.began.Add(w.cfg.For - peace))
	w.settleDown()
	cancel()
	w.until(w.began.Add(w.cfg.For))
	if !w.stopped.Load() {
		w.judgeEnd()
	}
	w.running.Wait()
}

// start plans a life.
func (w *World) start() {
	n := float64(len(w.connList))
	w.Tick()
	for i, c := range w.connList {
		w.after(time.Duration(i)*5*time.Minute/time.Duration(len(w.connList)), func() { w.firstCall(c) })
	}
	w.randomly(n*w.cfg.Calls, w.callAtRandom)
	w.randomly(1, w.crowd)
	if w.cfg.Calm {
		return
	}
	times := 1.0
	if w.cfg.Stormy {
		times = 3
	}
	w.randomly(times*5, w.storm)
	w.randomly(times, w.mishap)
	if w.cfg.Stores {
		return
	}
	w.randomly(times*n/10, w.accident)
	w.randomly(times*float64(len(w.hostList)), w.outage)
}

// Tick plans the schedule's ticks, and the judge's inspection between them.
func (w *World) Tick() {
	w.every(tickEvery, func() {
		if w.missesTick() {
			w.disturb("tick", w.now())
			return
		}
		w.running.Go(w.Sweep)
	})
	w.every(tickEvery, w.inspect)
}

func (w *World) missesTick() bool {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.storms {
		if s.kind == stormTicks && !now.Before(s.from) && now.Before(s.until) && w.stormy() {
			return w.random.Float64() < s.rate
		}
	}
	return false
}

// outage begins one of an authorization server.
func (w *World) outage() {
	if !w.stormy() {
		return
	}
	r, now := w.random, w.now()
	h := w.hostList[r.IntN(len(w.hostList))]
	kinds := []reltioauthtest.FaultKind{
		reltioauthtest.FaultUnreachable, reltioauthtest.FaultCut, reltioauthtest.FaultStatus, reltioauthtest.FaultHTML,
		reltioauthtest.FaultEmpty, reltioauthtest.FaultInvalidGrant, reltioauthtest.FaultInvalidClient, reltioauthtest.FaultRateLimit,
		reltioauthtest.FaultUserStore, reltioauthtest.FaultUserStore, reltioauthtest.FaultClientStore, reltioauthtest.FaultFirewall,
	}
	kind := kinds[r.IntN(len(kinds))]
	lasts := []int{1, 10, 60, 90}[r.IntN(4)]
	o := reltioauthtest.Outage{
		Fault: reltioauthtest.Fault{Kind: kind}, Until: now.Add(time.Duration(1+r.IntN(lasts)) * time.Minute),
	}
	if kind == reltioauthtest.FaultFirewall && r.IntN(3) == 0 { // it lets token requests through, and no checks
		o.Ops = []reltioauthtest.Op{reltioauthtest.OpCheckToken}
	}
	if kind == reltioauthtest.FaultStatus && r.IntN(2) == 0 { // it has lost its tokens, says so, and gives none yet
		o.Ops = []reltioauthtest.Op{reltioauthtest.OpToken}
		w.loseTokens(h)
	}
	w.Outage(h, o)
}

// loseTokens ends the access tokens that a server has given.
func (w *World) loseTokens(h *host) {
	w.mu.Lock()
	var lost []string
	for _, c := range w.connList {
		if c.host == h && c.stored.HasToken() {
			lost = append(lost, c.stored.Fingerprint)
		}
	}
	w.mu.Unlock()
	for _, fingerprint := range lost {
		h.server.Kill(fingerprint)
	}
}

// Outage lets one begin; the judge knows.
func (w *World) Outage(h *host, o reltioauthtest.Outage) {
	h.server.Outage(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(nil, step{op: "outage", about: h.name, n: int64(o.Fault.Kind), text: "until " + o.Until.Format(time.DateTime)})
	const recovery = 3 * tickEvery
	w.disturbLocked(h.name, o.Until.Add(recovery))
	if passes(o.Fault.Kind) {
		h.trouble = h.trouble.add(w.now(), o.Until)
	} else {
		h.trouble = h.trouble.add(w.now(), o.Until.Add(Day)) // nothing is promised then
	}
	if o.Fault.Kind == reltioauthtest.FaultInvalidGrant || o.Fault.Kind == reltioauthtest.FaultInvalidClient {
		h.troubled = later(h.troubled, o.Until.Add(recovery))
	}
}

// settleDown ends weather, outages and accidents: operators put everything
// right.
func (w *World) settleDown() {
	w.fair.Store(true)
	w.mu.Lock()
	w.storms = nil
	w.mu.Unlock()
	for _, h := range w.hostList {
		h.server.Outage(reltioauthtest.Outage{})
	}
	for i, c := range w.connList {
		w.after(time.Duration(i)*time.Second, func() { w.running.Go(func() { w.putRight(c) }) })
	}
}
