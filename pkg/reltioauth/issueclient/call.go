package issueclient

import (
	"context"
	"fmt"
	"time"
)

// call is an invocation in progress, which callers wait for.
type call struct {
	cancel context.CancelFunc
	// began is by the wall clock.
	began time.Time
	// waiting is guarded by the Source's mu.
	waiting int
	// done is closed when token or err is set: one of them always is.
	done  chan struct{}
	token *Token
	err   *Error
}

// pass is what join gives a caller: a token, a call to wait for, or a failure
// that is repeated until a moment.
type pass struct {
	token   *Token
	key     key
	verdict verdict
	call    *call
	trouble *Error
	until   time.Time
}

// join decides what a caller does, and lets it join the call of its key.
func (s *Source) join(ctx context.Context, k key) pass {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	p := pass{key: s.memory.narrow(k, now), verdict: s.memory.judge(k, now)}
	c := s.calls[p.key]
	switch p.verdict {
	case use:
		p.token = s.memory.kept.answering(k.minTTL, now)
		return p
	case refused:
		p.trouble, p.until = s.memory.trouble, s.memory.until
		return p
	case glance:
		s.memory.calm = now.Add(askEvery) // whatever the result: other callers use the kept token
		s.warmUp()
	}
	if c == nil || c.lost(now) {
		c = s.start(ctx, p.key, now)
	}
	c.waiting++
	p.call = c
	return p
}

// lost reports whether a call has taken longer than it can: the environment was
// frozen with it, and its connection is closed. So does a clock that was set back
// to before the call. No caller joins it any more.
func (c *call) lost(now time.Time) bool {
	return now.Before(c.began) || now.Sub(c.began) > invokeTime
}

// start begins an invocation. It does not end with the context of the first
// caller, because others may wait. The caller of start holds mu.
func (s *Source) start(ctx context.Context, k key, now time.Time) *call {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), invokeTime)
	c := &call{cancel: cancel, began: now, done: make(chan struct{})}
	if s.calls == nil {
		s.calls = map[key]*call{}
	}
	s.calls[k] = c
	go func() {
		defer cancel()
		asked := s.now()
		token, err := s.guarded(ctx, k)
		s.finish(k, c, asked, token, err)
	}()
	return c
}

// guarded is invoke, with an Invoker that panics as an error: no caller could
// recover from a panic in this goroutine. The error says only the type of the
// panic's value, which may hold a secret.
func (s *Source) guarded(ctx context.Context, k key) (token *Token, err *Error) {
	defer func() {
		if p := recover(); p != nil {
			token, err = nil, &Error{Type: ErrInternal, Message: fmt.Sprintf("Source.Lambda: panic: %T", p)}
		}
	}()
	return s.invoke(ctx, k)
}

// finish stores the result, and wakes the callers that wait.
func (s *Source) finish(k key, c *call, asked time.Time, token *Token, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(c.done)
	now := s.now()
	if s.calls[k] == c {
		delete(s.calls, k)
	}
	if err == nil && (now.Before(asked) || !now.Before(token.ExpiresAt)) {
		err = &Error{Type: ErrReltioUnavailable, Message: "the token had expired when it came"}
	}
	if err == nil {
		s.memory.learn(k, token, asked, now, s.margin())
		c.token = s.memory.kept
		s.warmUp()
		return
	}
	err.Connection = s.Connection
	c.err = err
	if c.waiting > 0 { // if no caller waits, it failed because it was cancelled
		s.memory.fail(err, now, random())
	}
}

// await waits for a call. If it returns neither a token nor an error, the caller
// joins again.
func (s *Source) await(ctx context.Context, p pass) (*Token, error) {
	waiting := ctx
	if p.verdict != must { // the kept token is valid
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, glanceTime)
		defer cancel()
	}
	select {
	case <-p.call.done:
	case <-waiting.Done():
		s.leave(p)
	}
	return s.settle(p)
}

// settle is the result for a caller after its call. A caller that could use the
// kept token from the start still can, whatever the call's result.
func (s *Source) settle(p pass) (*Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	select {
	case <-p.call.done:
		if p.call.err == nil && now.Before(p.call.token.ExpiresAt) {
			return p.call.token.answering(p.key.minTTL, now), nil
		}
	default:
	}
	if p.verdict != must && s.memory.valid(now) {
		return s.memory.kept.answering(p.key.minTTL, now), nil
	}
	if err := p.call.err; err != nil && !err.awaited() {
		return nil, err
	}
	return nil, nil //nolint:nilnil // the documented third case
}

// leave ends a caller's wait. A call without callers is cancelled, and no caller
// joins it any more.
func (s *Source) leave(p pass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.call.waiting--
	if p.verdict == reach {
		s.memory.calmLife = s.now().Add(askEvery)
	}
	if p.call.waiting > 0 {
		return
	}
	p.call.cancel()
	if s.calls[p.key] == p.call {
		delete(s.calls, p.key)
	}
}

// lastTrouble is the last failure if no token has come since; nil if there is
// none.
func (s *Source) lastTrouble() *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory.trouble
}
