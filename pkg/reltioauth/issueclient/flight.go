package issueclient

import (
	"context"
	"time"
)

// flight is an invocation under way, and those who wait for it.
type call struct {
	cancel context.CancelFunc
	// began by the wall clock.
	began time.Time
	// waiting is guarded by the Source's mu.
	waiting int
	// landed is closed when token or err is set: one of them always is.
	landed chan struct{}
	token  *Token
	err    *Error
}

// pass is what a caller got at the desk: a token, or a flight to wait for, or a
// failure that stands until a moment.
type pass struct {
	token   *Token
	key     key
	verdict verdict
	flight  *call
	trouble *Error
	until   time.Time
}

// board decides what a caller does, and takes it aboard the flight of its key.
func (s *Source) join(ctx context.Context, k key) pass {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	p := pass{key: s.memory.narrow(k, now), verdict: s.memory.judge(k, now)}
	f := s.flights[p.key]
	switch p.verdict {
	case use:
		p.token = s.memory.kept.answering(k.minLife, now)
		return p
	case refused:
		p.trouble, p.until = s.memory.trouble, s.memory.until
		return p
	case glance:
		s.memory.calm = now.Add(askEvery) // whatever becomes of it: the others use what is kept
	}
	if f == nil || f.lost(now) {
		f = s.start(ctx, p.key, now)
	}
	f.waiting++
	p.flight = f
	return p
}

// lost reports whether a flight has outlived its time: the environment was frozen
// with it, and its connection is dead. Nobody boards it any more.
func (f *call) lost(now time.Time) bool { return now.Sub(f.began) > invokeTime }

// depart begins an invocation. It does not end with the context of the caller
// that happened to be the first: others may wait. The caller holds mu.
func (s *Source) start(ctx context.Context, k key, now time.Time) *call {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), invokeTime)
	f := &call{cancel: cancel, began: now, landed: make(chan struct{})}
	if s.flights == nil {
		s.flights = map[key]*call{}
	}
	s.flights[k] = f
	go func() {
		defer cancel()
		asked := s.now()
		token, err := s.invoke(ctx, k)
		s.finish(k, f, asked, token, err)
	}()
	return f
}

// land takes the result over, and tells those who wait.
func (s *Source) finish(k key, f *call, asked time.Time, token *Token, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(f.landed)
	now := s.now()
	if s.flights[k] == f {
		delete(s.flights, k)
	}
	if err == nil {
		s.memory.learn(k, token, asked, now, s.margin())
		f.token = s.memory.kept
		return
	}
	err.Connection = s.Connection
	f.err = err
	if f.waiting > 0 { // else it failed because everybody had left
		s.memory.fail(err, now, random())
	}
}

// ride waits for a flight. Neither a token nor an error means: look again.
func (s *Source) ride(ctx context.Context, p pass) (*Token, error) {
	waiting := ctx
	if p.verdict == glance {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, glanceTime)
		defer cancel()
	}
	select {
	case <-p.flight.landed:
	case <-waiting.Done():
		s.leave(p)
	}
	return s.settle(p)
}

// arrive is what a caller has after its flight. One that could have used the
// kept token from the start still can, whatever happened.
func (s *Source) settle(p pass) (*Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	select {
	case <-p.flight.landed:
		if p.flight.err == nil && now.Before(p.flight.token.ExpiresAt) {
			return p.flight.token.answering(p.key.minLife, now), nil
		}
	default:
	}
	if p.verdict != must && s.memory.living(now) {
		return s.memory.kept.answering(p.key.minLife, now), nil
	}
	if err := p.flight.err; err != nil && !err.awaited() {
		return nil, err
	}
	return nil, nil //nolint:nilnil // the documented third case
}

// leave takes a caller off its flight. Without anybody aboard it is cancelled,
// and nobody boards it any more.
func (s *Source) leave(p pass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.flight.waiting--
	if p.flight.waiting > 0 {
		return
	}
	p.flight.cancel()
	if s.flights[p.key] == p.flight {
		delete(s.flights, p.key)
	}
}

// lastTrouble is the last failure if no token has come since; nil if there is
// none.
func (s *Source) lastTrouble() *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory.trouble
}
