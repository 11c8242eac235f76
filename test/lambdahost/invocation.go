package lambdahost

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// What callers ask for, and what came of it.
type (
	// Invocation is what a caller asks for.
	Invocation = invokeapi.Invocation
	// Result is what came of an invocation that took place.
	Result = invokeapi.Result
	// Error is an invocation that did not take place.
	Error = invokeapi.Error
)

// errClosing is what callers get while the host is being closed.
var errClosing = &Error{Status: http.StatusServiceUnavailable, Code: "ServiceException", Message: "the host is closing"}

func throttled(reason string) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: "TooManyRequestsException",
		Reason: reason, Message: "Rate Exceeded.",
	}
}

// How an invocation ended.
const (
	statusSuccess = "success"
	statusError   = "error"   // the function said so
	statusFailure = "failure" // the environment is lost
	statusTimeout = "timeout"
)

// Report is Lambda's REPORT line.
type Report struct {
	Function, RequestID string
	// Status is success, error (the function said so), failure (its
	// environment is lost) or timeout.
	Status string
	// Init is how long the environment took to start; zero if it was there.
	Init time.Duration
	// Answered is the time from the event's delivery to the function's answer,
	// Duration the time to the moment when runtime and extensions asked for
	// the next event.
	Answered, Duration time.Duration
	// Billed is init and duration, in whole milliseconds.
	Billed time.Duration
	// MaxMemory is the most that the processes ever held, in bytes.
	MaxMemory int64
}

// line is the report as a line of the log.
func (r Report) line(memoryMB int) string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	text := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		r.RequestID, ms(r.Duration), r.Billed.Milliseconds(), memoryMB, int64(math.Ceil(float64(r.MaxMemory)/(1<<20))))
	if r.Init > 0 {
		text += fmt.Sprintf("Init Duration: %.2f ms\t", ms(r.Init))
	}
	if r.Status == statusTimeout || r.Status == statusFailure {
		text += "Status: " + r.Status + "\t"
	}
	return text + "\n"
}

// billed rounds up to whole milliseconds.
func billed(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// invocation is one that has been let in. Its environment writes what follows
// done, and the caller reads it when done is closed.
type invocation struct {
	id, arn, trace, clientContext string
	payload                       []byte
	// delivered is when it may begin; deadline is when it must have ended.
	delivered, deadline time.Time
	// answered is when the function answered; zero: not yet. Guarded by the
	// environment's mutex, like the two below, until done is closed.
	answered time.Time
	answer   []byte
	status   string
	// log is nil if the caller did not ask for it; the function's logLock guards it.
	log *tail

	done    chan struct{}
	logTail []byte
}

func newInvocation(id, arn string, i *Invocation) *invocation {
	inv := &invocation{
		id: id, arn: arn, trace: i.TraceID, clientContext: i.ClientContext, payload: i.Payload,
		done: make(chan struct{}),
	}
	if len(inv.payload) == 0 {
		inv.payload = []byte("{}")
	}
	if inv.trace == "" {
		inv.trace = newTraceID()
	}
	if i.LogTail {
		inv.log = &tail{}
	}
	return inv
}

// settle is the answer, unless there is one already.
func (i *invocation) settle(now time.Time, status string, answer []byte) {
	if i.answered.IsZero() {
		i.answered, i.status, i.answer = now, status, answer
	}
}

// failure is an error that Lambda itself reports.
type failure struct {
	kind, message string
	// answer, if there is one, is what the function said of it.
	answer []byte
}

// payload is the failure as the caller reads it.
func (f *failure) payload(requestID string) []byte {
	if f.answer != nil {
		return f.answer
	}
	text, _ := json.Marshal(map[string]string{ // two strings always encode
		"errorType":    f.kind,
		"errorMessage": "RequestId: " + requestID + " Error: " + f.message,
	})
	return text
}

// kindTimedOut is the failure of a function that took too long.
const kindTimedOut = "Sandbox.Timedout"

func timedOut(after time.Duration) *failure {
	return &failure{kind: kindTimedOut, message: fmt.Sprintf("Task timed out after %.2f seconds", after.Seconds())}
}

// newTraceID is X-Ray's, of a trace that is not sampled.
func newTraceID() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // it never fails
	h := hex.EncodeToString(b[:])
	return "Root=1-" + h[:8] + "-" + h[8:32] + ";Parent=" + h[32:] + ";Sampled=0"
}
