package simulation

import "time"

// Op names an operation of a process on the world outside it.
type Op string

// The operations.
const (
	OpGrant      Op = "grant.read"
	OpBatch      Op = "grant.batch"
	OpPut        Op = "grant.put"
	OpDue        Op = "grant.due"
	OpTake       Op = "lease.take"
	OpSeize      Op = "lease.seize"
	OpAdopt      Op = "lease.adopt"
	OpExtend     Op = "lease.extend"
	OpRelease    Op = "lease.release"
	OpAccount    Op = "account.read"
	OpCount      Op = "account.count"
	OpSettle     Op = "account.settle"
	OpMoveClaim  Op = "account.move"
	OpBudget     Op = "budget.read"
	OpReserve    Op = "budget.reserve"
	OpThrottled  Op = "budget.throttled"
	OpRefused    Op = "budget.refused"
	OpSucceeded  Op = "budget.succeeded"
	OpProbe      Op = "budget.probe"
	OpUnanswered Op = "budget.unanswered"
	OpAnswered   Op = "budget.answered"
	OpConnection Op = "secret.read"
	OpDescribe   Op = "secret.describe"
	OpCurrent    Op = "vault.current"
	OpVersion    Op = "vault.version"
	OpPutToken   Op = "vault.put"
	OpParked     Op = "parked.read"
	OpPark       Op = "parked.put"
	OpUnpark     Op = "parked.remove"
	OpPublish    Op = "event.publish"
	OpDial       Op = "net.dial"
	OpToken      Op = "net.token"
	OpCheck      Op = "net.check"
	OpRevoke     Op = "net.revoke"
	OpInvoke     Op = "invoke.sync"
	OpLater      Op = "invoke.async"
)

// system is the part of the world that an operation needs.
type system int

const (
	table system = iota
	secretStore
	network
	lambda
	bus
)

func (o Op) system() system {
	switch o {
	case OpConnection, OpDescribe, OpCurrent, OpVersion, OpPutToken:
		return secretStore
	case OpDial, OpToken, OpCheck, OpRevoke:
		return network
	case OpInvoke, OpLater:
		return lambda
	case OpPublish:
		return bus
	default:
		return table
	}
}

// Operation is one operation about to happen.
type Operation struct {
	Op Op
	// About is the connection, or the host.
	About string
	// By is the process, Number counts its operations from 1.
	By     *Instance
	Number int
}

// FaultKind says what goes wrong with an operation.
type FaultKind int

// The kinds.
const (
	// None: nothing.
	None FaultKind = iota
	// Before: it fails and did not happen.
	Before
	// After: it happened, and the answer is lost.
	After
	// Stall: it takes For, if the caller waits so long, else did not happen.
	Stall
	// KillBefore and KillAfter end the process before or after it happened.
	KillBefore
	KillAfter
	// Freeze stops the process for For before it happens.
	Freeze
	// Hold: a request was acted upon, and its answer takes For.
	Hold
	// Truncate: half of the answer arrives.
	Truncate
	// Status: a 503 instead of the server's acting.
	Status
	// StatusAfter: the same after it acted.
	StatusAfter
	// Page: an HTML page with status 200.
	Page
	// Throttle: 429.
	Throttle
	// Unusable: the answer to a token request names no usable expires_in.
	Unusable
	// Absent: Secrets Manager does not find a connection's secret.
	Absent
)

// Fault is what goes wrong with one operation.
type Fault struct {
	Kind FaultKind
	For  time.Duration
}

// String names the kind for a story.
func (k FaultKind) String() string {
	return [...]string{
		"", "FAILS BEFORE", "ANSWER LOST", "STALLS", "KILLED BEFORE", "KILLED AFTER", "FREEZES", "ANSWER HELD",
		"TRUNCATED", "503", "503 AFTER ACTING", "HTML", "429", "UNUSABLE ANSWER", "NOT FOUND",
	}[k]
}

// drizzle is the share of operations that go wrong at any time.
const drizzle = 3e-4

// fault decides what goes wrong with an operation.
func (w *World) fault(o Operation, c *generator) Fault {
	if w.cfg.Script != nil {
		return w.cfg.Script(o)
	}
	if !w.stormy() {
		return Fault{}
	}
	w.mu.Lock()
	now, storms := w.now(), w.storms
	w.mu.Unlock()
	for _, s := range storms {
		if now.Before(s.from) || !now.Before(s.until) || !c.is(s.rate) {
			continue
		}
		switch sys := o.Op.system(); {
		case s.kind == stormTable && sys == table, s.kind == stormSecrets && sys == secretStore,
			s.kind == stormBus && sys == bus, s.kind == stormLambda && sys == lambda:
			return ofStore(c)
		case s.kind == stormWrites && o.Op == OpPutToken, s.kind == stormAway && sys == bus, s.kind == stormGone && sys == table:
			return Fault{Kind: Before}
		case s.kind == stormAbsent && (o.Op == OpConnection || o.Op == OpDescribe):
			return Fault{Kind: Absent}
		case s.kind == stormProcesses:
			return w.ofProcess(o, c)
		case s.kind == stormNetwork && sys == network:
			return ofNetwork(o.Op, c)
		}
	}
	if w.cfg.Calm || !c.is(drizzle) {
		return Fault{}
	}
	switch network := o.Op.system() == network; {
	case w.cfg.Stores && network:
		return Fault{}
	case !w.cfg.Stores && c.is(0.3):
		return w.ofProcess(o, c)
	case network:
		return ofNetwork(o.Op, c)
	default:
		return ofStore(c)
	}
}

func ofStore(c *generator) Fault {
	switch c.below(4) {
	case 0:
		return Fault{Kind: Stall, For: c.between(50*time.Millisecond, 8*time.Second)}
	case 1:
		return Fault{Kind: After}
	default:
		return Fault{Kind: Before}
	}
}

// ofProcess: a process that freezes between its slot and the first byte
// breaks the rate, which no client can prevent; so where the rate is judged it
// freezes elsewhere. An operator whose command is killed calls it again: that is one more failure.
func (w *World) ofProcess(o Operation, c *generator) Fault {
	if o.By.kind == operatorKind {
		return Fault{Kind: Before}
	}
	switch c.below(3) {
	case 0:
		return Fault{Kind: KillBefore}
	case 1:
		return Fault{Kind: KillAfter}
	}
	if o.Op == OpToken && !w.cfg.Loose {
		return Fault{Kind: KillBefore}
	}
	return Fault{Kind: Freeze, For: c.between(time.Second, 5*time.Minute)}
}

func ofNetwork(o Op, c *generator) Fault {
	if o == OpDial {
		if c.is(0.3) {
			return Fault{Kind: Stall, For: c.between(time.Second, 5*time.Second)}
		}
		return Fault{Kind: Before}
	}
	switch k := c.below(10); k {
	case 0, 1:
		return Fault{Kind: Before}
	case 2, 3:
		return Fault{Kind: After}
	case 4:
		d := c.between(time.Second, tooLong-time.Second)
		if c.is(0.5) {
			d = c.between(tooLong+time.Second, 2*tooLong)
		}
		return Fault{Kind: Hold, For: d}
	case 5:
		return Fault{Kind: Truncate}
	case 6:
		return Fault{Kind: Status}
	case 7:
		return Fault{Kind: StatusAfter}
	case 8:
		return Fault{Kind: Page}
	default:
		if o == OpToken {
			return Fault{Kind: []FaultKind{Throttle, Unusable}[c.below(2)]}
		}
		return Fault{Kind: Status}
	}
}
