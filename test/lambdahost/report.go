package lambdahost

import (
	"fmt"
	"slices"
	"time"
)

// heard takes lines that an environment's processes have written.
func (f *function) heard(e *Environment, lines []byte) {
	f.logLock.Lock()
	defer f.logLock.Unlock()
	f.pass(lines, e.tail)
}

// write takes lines of Lambda's own: of an invocation, whose tail may be nil, or
// of none.
func (f *function) write(lines []byte, t *tail) {
	f.logLock.Lock()
	defer f.logLock.Unlock()
	f.pass(lines, t)
}

// pass passes lines on. It is called under logLock.
func (f *function) pass(lines []byte, t *tail) {
	if f.Log != nil {
		_, _ = f.Log.Write(lines) // the caller that asked for them has the error
	}
	if t != nil {
		_, _ = t.Write(lines) // it never fails
	}
}

// begin makes an environment's log the invocation's, and writes START. What
// processes have written before is not the invocation's.
func (f *function) begin(e *Environment, inv *invocation) {
	if inv.log != nil {
		e.logs.sync()
	}
	f.logLock.Lock()
	e.tail = inv.log
	f.logLock.Unlock()
	f.writeStart(inv)
}

func (f *function) writeStart(inv *invocation) {
	if f.Log != nil || inv.log != nil {
		f.write(fmt.Appendf(nil, "START RequestId: %s Version: %s\n", inv.id, f.Version), inv.log)
	}
}

// finish writes END and REPORT. Without an environment none was ever ready.
func (f *function) finish(e *Environment, inv *invocation, init time.Duration) {
	if f.Log == nil && inv.log == nil && f.Report == nil {
		return
	}
	ended := f.host.now()
	r := Report{
		Function: f.Name, RequestID: inv.id, Status: inv.status, Init: init,
		Answered: inv.answered.Sub(inv.delivered), Duration: ended.Sub(inv.delivered),
	}
	r.Billed = billed(r.Init + r.Duration)
	if e != nil {
		_, r.MaxMemory = e.memory()
	}
	var text []byte
	if inv.status == statusTimeout {
		text = fmt.Appendf(text, "%s %s Task timed out after %.2f seconds\n\n", ended.UTC().Format("2006-01-02T15:04:05.000Z"), inv.id, f.Timeout.Seconds())
	}
	f.write(fmt.Appendf(text, "END RequestId: %s\n%s", inv.id, r.line(f.MemoryMB)), inv.log)
	if e != nil {
		f.logLock.Lock()
		e.tail = nil
		f.logLock.Unlock()
	}
	if f.Report != nil {
		f.Report(r)
	}
}

// logTail is what the caller is shown.
func (f *function) logTail(inv *invocation) []byte {
	f.logLock.Lock()
	defer f.logLock.Unlock()
	if inv.log == nil {
		return nil
	}
	return slices.Clone(inv.log.last())
}
