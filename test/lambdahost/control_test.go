package lambdahost_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

func TestKill(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	t.Run("an idle environment", func(t *testing.T) {
		first := ask(t, h, order{})
		e := only(t, h)
		e.Kill()
		eventually(t, "none", func() bool { return len(h.Environments("f")) == 0 })
		if state(first.PID) != "" {
			t.Error("its process is there")
		}
		if _, err := e.RSS(); err == nil {
			t.Error("it has memory")
		}
		ask(t, h, order{})
	})
	t.Run("a busy one", func(t *testing.T) {
		e := only(t, h)
		before := e.Invocations()
		done := later(t, h, order{Do: "sleep", Ms: 10_000})
		eventually(t, "busy", func() bool { return e.Busy() && e.Invocations() > before })
		e.Kill()
		wantError(t, <-done, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: killed")
	})
}

func TestReports(t *testing.T) {
	h, log := newHost(t), &logtest.Buffer{}
	var reports []lambdahost.Report
	deploy(t, h, func(f *lambdahost.Function) {
		f.Log = log
		f.Report = func(r lambdahost.Report) { reports = append(reports, r) }
	})
	first := invoke(t, h, order{Do: "log", Text: "a line"})
	invoke(t, h, order{Do: "sleep", Ms: 30})
	if len(reports) != 2 {
		t.Fatalf("%d reports, want 2", len(reports))
	}
	if r := reports[0]; r.Init <= 0 || r.Billed < r.Init+r.Duration || r.Billed-r.Init-r.Duration >= time.Millisecond || r.RequestID != first.RequestID {
		t.Errorf("first report %+v", r)
	}
	if r := reports[1]; r.Init != 0 || r.Answered < 30*time.Millisecond || r.Duration < r.Answered || r.MaxMemory < 1<<20 || r.Status != "success" {
		t.Errorf("second report %+v", r)
	}
	if e := only(t, h); e.InitDuration() != reports[0].Init {
		t.Errorf("init took %v, reported %v", e.InitDuration(), reports[0].Init)
	}
	if rss, err := only(t, h).RSS(); err != nil || rss < 1<<20 {
		t.Errorf("RSS %d, %v", rss, err)
	}
	tail := string(first.LogTail)
	for _, want := range []string{
		"START RequestId: " + first.RequestID + " Version: $LATEST\n", "a line\n", "a line again\n", "END RequestId: " + first.RequestID + "\n",
		"REPORT RequestId: " + first.RequestID + "\tDuration: ", " ms\tBilled Duration: ", "\tMemory Size: 128 MB\tMax Memory Used: ", "\tInit Duration: ",
	} {
		if !strings.Contains(tail, want) || !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the tail or the log\n%s", want, tail)
		}
	}
}

func TestTheTailIsTheEnd(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	r := invoke(t, h, order{Do: "log", Text: strings.Repeat("long ", 10_000)})
	if len(r.LogTail) != 4096 || !strings.Contains(string(r.LogTail), "REPORT ") {
		t.Errorf("%d bytes of log, want the last 4096", len(r.LogTail))
	}
	if again := invoke(t, h, order{}); strings.Contains(string(again.LogTail), "long") {
		t.Error("the tail holds another invocation's lines")
	}
}

func TestRecycling(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	t.Run("idle", func(t *testing.T) {
		first := ask(t, h, order{})
		h.Recycle("f")
		if state(first.PID) != "" || len(h.Environments("f")) != 0 {
			t.Error("the environment is there")
		}
	})
	t.Run("busy: after its invocation", func(t *testing.T) {
		ask(t, h, order{})
		e, done := only(t, h), later(t, h, order{Do: "sleep", Ms: 100})
		eventually(t, "busy", func() bool { return e.Invocations() == 2 })
		e.Recycle()
		<-done
		eventually(t, "none", func() bool { return len(h.Environments("f")) == 0 })
	})
	t.Run("when it was idle for too long", func(t *testing.T) {
		deploy(t, h, func(f *lambdahost.Function) { f.MaxIdle = 50 * time.Millisecond })
		ask(t, h, order{})
		eventually(t, "none", func() bool { return len(h.Environments("f")) == 0 })
	})
	t.Run("when it is deployed anew", func(t *testing.T) {
		deploy(t, h, nil)
		first, starts := ask(t, h, order{}), h.Starts("f")
		deploy(t, h, func(f *lambdahost.Function) { f.Version = "2" })
		if state(first.PID) != "" {
			t.Error("the old version runs")
		}
		if r := invoke(t, h, order{}); r.ExecutedVersion != "2" || h.Starts("f") != starts+1 {
			t.Errorf("version %s, %d starts, want 2, %d", r.ExecutedVersion, h.Starts("f"), starts+1)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, h, nil)
	idle := ask(t, h, order{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = together(t, h, 1, order{Do: "sleep", Ms: 1})
		_, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f", Payload: []byte(`{"do":"sleep","ms":20000}`)})
		if err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "a busy one", func() bool { return only(t, h).Invocations() == 3 })
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	<-done
	if state(idle.PID) != "" {
		t.Error("a process is left")
	}
	_, err = h.Invoke(t.Context(), lambdahost.Invocation{Function: "f"})
	wantRefused(t, err, "ServiceException")
	wantRefused(t, h.Deploy(child(nil)), "ServiceException")
}

func TestWhoClosesASecondTimeWaitsForTheFirst(t *testing.T) {
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, h, nil)
	deploy(t, h, nil)
	idle := ask(t, h, order{})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			if state(idle.PID) != "" {
				t.Error("closed, and a process is left")
			}
		})
	}
	both.Go(func() { // beside it
		if err := h.Deploy(child(nil)); err != nil {
			wantRefused(t, err, "ServiceException")
		}
	})
	both.Wait()
}

func TestFreezeReturnsWhenNothingRuns(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	pid := ask(t, h, order{Do: "busily"}).PID
	e := only(t, h)
	for range 50 {
		e.Thaw()
		e.Freeze()
		if got := state(pid); got != "T" {
			t.Fatalf("frozen, and in state %q", got)
		}
	}
	ask(t, h, order{})
}

func TestAShareOfTheProcessor(t *testing.T) {
	h := newHost(t)
	err := h.Deploy(child(func(f *lambdahost.Function) { f.CPU = 0.2 }))
	if errors.Is(err, lambdahost.ErrNoCPUControl) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := ask(t, h, order{})
	began := time.Now()
	after := ask(t, h, order{Do: "spin", Ms: 500})
	used, passed := after.CPU-before.CPU, time.Since(began)
	if share := used.Seconds() / passed.Seconds(); share > 0.35 {
		t.Errorf("it used %.2f of a processor, want 0.2", share)
	}
}

func TestWhatCannotBeStarted(t *testing.T) {
	if _, err := lambdahost.Start(t.Context(), lambdahost.Config{}); err == nil {
		t.Error("a host without a clock")
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "10.0.0.1:0", "example.com:80", "nonsense"} {
		if h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now, Address: address}); err == nil {
			t.Errorf("it listens on %s", h.URL())
			_ = h.Close()
		}
	}
	h := newHost(t)
	for name, f := range map[string]lambdahost.Function{
		"no name":    {Command: []string{"true"}},
		"a bad name": {Name: "a/b", Command: []string{"true"}},
		"no command": {Name: "f"},
		"no program": {Name: "f", Command: []string{"/nowhere/bootstrap"}},
		"CPU":        {Name: "f", Command: []string{"true"}, CPU: -1},
		"extension":  {Name: "f", Command: []string{"true"}, Extensions: []lambdahost.Extension{{Name: "x"}}},
	} {
		if err := h.Deploy(f); err == nil {
			t.Errorf("%s: deployed", name)
		}
	}
}

func TestAnAnswerAfterTheDeadlineIsDropped(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	deploy(t, h, nil)
	ask(t, h, order{})
	e, done := only(t, h), later(t, h, order{Do: "sleep", Ms: 300})
	eventually(t, "busy", func() bool { return e.Invocations() == 2 && state(e.PID()) != "T" })
	ahead.Store(int64(time.Minute)) // the deadline has passed, and the host has not noticed yet
	if r := <-done; r.FunctionError == "" {
		t.Errorf("it was answered: %s", r.Payload)
	}
}

func TestProcessesDieWithTheirHost(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	host := exec.CommandContext(ctx, os.Args[0])
	host.Env = append(os.Environ(), envChild+"=host")
	output, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(output, &pid); err != nil || state(pid) == "" {
		t.Fatalf("process %d is not there: %v", pid, err)
	}
	_ = host.Process.Kill()
	_ = host.Wait()
	eventually(t, "its process is gone", func() bool { return state(pid) == "" || state(pid) == "Z" })
}

// runHost is a host that says which process it has started, and waits to be
// killed.
func runHost() {
	h, err := lambdahost.Start(context.Background(), lambdahost.Config{Now: time.Now})
	if err == nil {
		err = h.Deploy(child(nil))
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { // a process that does not wait for the host
		_, _ = h.Invoke(context.Background(), lambdahost.Invocation{Function: "f", Payload: []byte(`{"do":"sleep","ms":60000}`)})
	}()
	for {
		if all := h.Environments("f"); len(all) == 1 && all[0].Invocations() == 1 {
			fmt.Println(all[0].PID())
			select {}
		}
		time.Sleep(time.Millisecond)
	}
}
