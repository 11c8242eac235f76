package rig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Feed starts issue and gives it as many events as there are, one after the
// other, by a Runtime API that does nothing else: several times as fast as a
// whole Lambda service, for what takes a million events. After every so many
// events seen is called with their number and the process's id. An event that is
// not answered with a token ends it with an error.
func (r *Rig) Feed(ctx context.Context, events, every int, payload func(i int) []byte, seen func(events, pid int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	process := exec.CommandContext(ctx, r.Binary("issue")) //nolint:gosec // Build made it
	process.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=issue",
		"AWS_REGION=" + stack.Region, "AWS_ACCESS_KEY_ID=feed", "AWS_SECRET_ACCESS_KEY=feed",
		"ROTATE_FUNCTION=rotate:live", "TZ=:UTC", "PATH=" + os.Getenv("PATH"),
	}
	for name, value := range r.Variables(nil, stack.DynamoDB, stack.Lambda) {
		process.Env = append(process.Env, name+"="+value)
	}
	f := &feed{now: r.config.Now, events: events, every: every, payload: payload, end: cancel}
	f.seen = func(n int) error { return seen(n, process.Process.Pid) }
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	if err := process.Start(); err != nil {
		return errors.Join(err, listener.Close())
	}
	go func() { _ = server.Serve(listener) }() // it ends with Close, and began once seen knows the process
	err = process.Wait()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errFed):
		err = nil
	case cause != nil:
		err = cause // it was ended for that
	default:
		err = fmt.Errorf("issue ended by itself after %d events: %w", f.answered.Load(), cmp.Or(err, errors.New("exit status 0")))
	}
	return errors.Join(err, server.Close())
}

// errFed ends the process: all events have been answered.
var errFed = errors.New("all events have been answered")

// feed is a Runtime API. Its one client asks, answers, and asks again.
type feed struct {
	now           func() time.Time
	events, every int
	payload       func(int) []byte
	seen          func(int) error
	end           context.CancelCauseFunc
	// answered counts the events that brought a token.
	answered atomic.Int64
}

// ServeHTTP implements http.Handler.
func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		f.take(r)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	n := int(f.answered.Load())
	if n > 0 && n%f.every == 0 {
		if err := f.seen(n); err != nil {
			f.end(err)
		}
	}
	if n == f.events {
		f.end(errFed)
		return
	}
	h := w.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(n))
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(f.now().Add(25*time.Second).UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:issue")
	_, _ = w.Write(f.payload(n)) // a process that is gone hears nothing
}

// take takes what was posted: an answer with a token, or the end of everything.
// An error goes to a path of its own; one that cuts an answer short is a trailer.
func (f *feed) take(r *http.Request) {
	const shown = 200
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		f.end(fmt.Errorf("event %d: reading its answer: %w", f.answered.Load(), err))
	case strings.HasSuffix(r.URL.Path, "/error") || r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		f.end(fmt.Errorf("event %d failed: %s", f.answered.Load(), body[:min(len(body), shown)]))
	case !bytes.Contains(body, []byte(`"access_token":"`)):
		f.end(fmt.Errorf("event %d was answered without a token", f.answered.Load()))
	default:
		f.answered.Add(1)
	}
}
