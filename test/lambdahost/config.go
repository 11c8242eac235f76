package lambdahost

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// Config is what a Host is made of. Its zero value lacks only Now.
type Config struct {
	// Now is the clock of deadlines, event ages and log lines: time.Now, as
	// timers are real. Required.
	Now func() time.Time
	// Address of the Invoke API, on loopback; empty means a free port.
	Address string
	// Region and Account stand in ARNs and variables; empty means us-east-1
	// and 123456789012.
	Region, Account string
	// Concurrency is how many invocations of all functions together run at
	// once, as an Account counts them; 0 means 1000.
	Concurrency int
}

// Function is what is deployed.
type Function struct {
	// Name of the function. Required.
	Name string
	// Command is the program, with arguments. One without a slash is looked
	// for in PATH. Required.
	Command []string
	// Dir is where the program runs, and LAMBDA_TASK_ROOT; empty means the
	// program's folder.
	Dir string
	// Handler is _HANDLER; empty means bootstrap.
	Handler string
	// Runtime, if not empty, is in AWS_EXECUTION_ENV, "python3.13" for
	// instance; a custom runtime has none.
	Runtime string
	// Env are the function's variables. They win over Lambda's. Of this
	// process's variables only PATH is passed on.
	Env map[string]string
	// Timeout of an invocation; 0 means 3 s.
	Timeout time.Duration
	// InitTimeout is how long an environment may take until it asks for its
	// first event; 0 means 10 s.
	InitTimeout time.Duration
	// MemoryMB is told to the function, and limits nothing; 0 means 128.
	MemoryMB int
	// CPU is the share of one processor that an environment is given once its
	// init is over, as on Lambda, where init has a whole one: 256 MB are
	// 256.0/1769. 0 means no limit. Deploy fails with ErrNoCPUControl where
	// that cannot be had.
	CPU float64
	// Concurrency reserved for this function is all that it gets, and no other
	// function has a part of it; 0 means nothing is reserved, and negative that it
	// may not run at all (reserved 0).
	Concurrency int
	// Version is what is executed; empty means $LATEST.
	Version string
	// Aliases of that version.
	Aliases []string
	// LogFormat is AWS_LAMBDA_LOG_FORMAT; empty means Text. The lines START,
	// END and REPORT are text all the same.
	LogFormat string
	// Extensions are started before the function, each as a process.
	Extensions []Extension
	// MaxIdle is how long an environment may be idle before it is recycled; 0
	// means that it is kept.
	MaxIdle time.Duration
	// Async is how events are treated.
	Async Async
	// Log takes what the processes write, and Lambda's lines, line by line;
	// nil drops them. It is written to by one goroutine at a time.
	Log io.Writer
	// Report, if not nil, hears of every invocation, before its caller does,
	// or when the extensions are done, if that is later. It must not block.
	Report func(Report)
}

// Extension is an external extension: a program that registers itself with the
// Extensions API.
type Extension struct {
	// Name is that of its file, under which it registers. Required.
	Name string
	// Command is the program, with arguments. Required.
	Command []string
}

// Async is how events, that is asynchronous invocations, are treated.
type Async struct {
	// MaximumRetryAttempts after an event's failure; 0 means 2, as on Lambda,
	// and negative none.
	MaximumRetryAttempts int
	// MaximumEventAge is when an event is given up; 0 means 6 h.
	MaximumEventAge time.Duration
	// RetryWait is how long to wait before the next attempt: the n-th retry
	// after a failure, or after the n-th refusal in a row for want of
	// concurrency. Nil means as on Lambda: 1 min, then 2 min; 1 s doubling to
	// 5 min when throttled.
	RetryWait func(n int, throttled bool) time.Duration
	// OnFailure is told of an event that was given up. Nil means that it is dropped.
	OnFailure func(DestinationRecord)
	// Duplicate says whether an event is delivered twice, as happens
	// sometimes. Nil means never.
	Duplicate func(requestID string) bool
}

// What Lambda does if it is told nothing else.
const (
	defaultTimeout     = 3 * time.Second
	defaultInitTimeout = 10 * time.Second
	defaultMemoryMB    = 128
	defaultConcurrency = 1000
	defaultRetries     = 2
	defaultEventAge    = 6 * time.Hour
)

var functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// withDefaults fills in what was left out.
func (f Function) withDefaults() Function {
	f.Handler = cmp.Or(f.Handler, "bootstrap")
	f.Timeout = cmp.Or(f.Timeout, defaultTimeout)
	f.InitTimeout = cmp.Or(f.InitTimeout, defaultInitTimeout)
	f.MemoryMB = cmp.Or(f.MemoryMB, defaultMemoryMB)
	f.Version = cmp.Or(f.Version, invokeapi.Latest)
	f.LogFormat = cmp.Or(f.LogFormat, "Text")
	f.Async.MaximumEventAge = cmp.Or(f.Async.MaximumEventAge, defaultEventAge)
	f.Async.MaximumRetryAttempts = max(0, cmp.Or(f.Async.MaximumRetryAttempts, defaultRetries))
	if f.Async.RetryWait == nil {
		f.Async.RetryWait = lambdaWait
	}
	return f
}

// check says what is wrong.
func (f Function) check() error {
	switch {
	case !functionName.MatchString(f.Name):
		return fmt.Errorf("lambdahost: %q names no function", f.Name)
	case len(f.Command) == 0:
		return fmt.Errorf("lambdahost: function %s has no command", f.Name)
	case f.CPU < 0:
		return fmt.Errorf("lambdahost: function %s: a negative share of a processor", f.Name)
	}
	for _, e := range f.Extensions {
		if e.Name == "" || len(e.Command) == 0 {
			return fmt.Errorf("lambdahost: function %s: an extension without name or command", f.Name)
		}
	}
	return nil
}

// dir is where the function's program runs, given its path.
func (f Function) dir(program string) (string, error) {
	if f.Dir != "" {
		return filepath.Abs(f.Dir)
	}
	return filepath.Dir(program), nil
}

// knows reports whether the qualifier is this function's.
func (f Function) knows(qualifier string) bool {
	return qualifier == "" || qualifier == f.Version || slices.Contains(f.Aliases, qualifier)
}

// lambdaWait is how long Lambda waits.
func lambdaWait(n int, throttled bool) time.Duration {
	if !throttled {
		return time.Duration(n) * time.Minute
	}
	const most = 5 * time.Minute
	return min(most, time.Second<<min(n-1, 10))
}

// errNoClock is a Config without a clock.
var errNoClock = errors.New("lambdahost: Config.Now is required")
