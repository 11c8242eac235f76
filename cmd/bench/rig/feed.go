package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/stack"
)

// Feed starts issue and gives it as many events as there are, one after the
// other, by a Runtime API that does nothing else: several times as fast as a
// whole Lambda service, for what takes a million events. After every so many
// events seen is called with their number and the process's id.
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
		"AWS_ENDPOINT_URL_DYNAMODB=" + r.Endpoints[stack.DynamoDB], "AWS_ENDPOINT_URL_LAMBDA=" + r.LambdaURL,
		"TABLE_NAME=" + r.Table.Name, "ROTATE_FUNCTION=rotate:live", "TZ=:UTC", "PATH=" + os.Getenv("PATH"),
	}
	f := &feed{events: events, every: every, payload: payload, end: cancel}
	f.seen = func(n int) error { return seen(n, process.Process.Pid) }
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	if err := process.Start(); err != nil {
		return errors.Join(err, server.Close())
	}
	err = process.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause // it was ended for that
	}
	if errors.Is(err, errFed) {
		err = nil
	}
	return errors.Join(err, server.Close())
}

// errFed ends the process: all events have been answered.
var errFed = errors.New("all events have been answered")

// feed is a Runtime API. Its one client asks, answers, and asks again.
type feed struct {
	events, every int
	payload       func(int) []byte
	seen          func(int) error
	end           context.CancelCauseFunc
	given         atomic.Int64
}

// ServeHTTP implements http.Handler.
func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		if code := r.Header.Get("Lambda-Runtime-Function-Error-Type"); code != "" {
			f.end(fmt.Errorf("event %d failed: %s", f.given.Load(), code))
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	n := int(f.given.Load())
	if n > 0 && n%f.every == 0 {
		if err := f.seen(n); err != nil {
			f.end(err)
		}
	}
	if n == f.events {
		f.end(errFed)
		return
	}
	f.given.Add(1)
	h := w.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(n))
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(25*time.Second).UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:issue")
	_, _ = w.Write(f.payload(n)) // a process that is gone hears nothing
}
