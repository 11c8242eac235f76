package telemetry_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// gate is an output that takes nothing while it is shut.
type gate struct {
	mu   sync.Mutex // guards both
	open chan struct{}
	got  strings.Builder
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) Write(text []byte) (int, error) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open != nil {
		<-open
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.Write(text)
}

// An output that takes nothing costs a second once; what comes meanwhile is
// dropped at once, and what comes after it is written again.
func TestAnOutputThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		w := &telemetry.Bounded{To: g}
		say := func(text string, wantError bool, want time.Duration) {
			t.Helper()
			start := time.Now()
			n, err := io.WriteString(w, text)
			if (err != nil) != wantError || time.Since(start) != want || err == nil && n != len(text) {
				t.Errorf("%s: %d bytes, %v after %v; want an error: %v, after %v", text, n, err, time.Since(start), wantError, want)
			}
		}
		say("1 ", false, 0)
		g.shut()
		say("2 ", true, time.Second)
		for range 3 {
			say("dropped ", true, 0)
			time.Sleep(time.Minute)
		}
		close(g.open)
		synctest.Wait()
		g.mu.Lock()
		g.open = nil
		g.mu.Unlock()
		say("3 ", false, 0)
		if got := g.got.String(); got != "1 2 3 " {
			t.Errorf("written %q, want each whole, in order, and none that was dropped", got)
		}
	})
}

func TestAnOutputThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		w := &telemetry.Bounded{To: g}
		g.shut()
		time.AfterFunc(999*time.Millisecond, func() { close(g.open) })
		if _, err := io.WriteString(w, "late"); err != nil || g.got.String() != "late" {
			t.Errorf("%v, written %q", err, g.got.String())
		}
	})
}

// Any number of callers wait for one second together, and not each for its own.
func TestManyCallersOfAnOutputThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		g.shut()
		w := &telemetry.Bounded{To: g}
		start := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = io.WriteString(w, "m") })
		}
		all.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v, want a second", took)
		}
		close(g.open)
	})
}

// No caller waits for longer than a second, in any queue: a slow output drops the
// lines that do not get a place, and writes the rest whole.
func TestManyCallersOfAnOutputThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 400 * time.Millisecond}
		w := &telemetry.Bounded{To: s}
		var all sync.WaitGroup
		var taken atomic.Int32
		for range 20 {
			all.Go(func() {
				start := time.Now()
				_, err := io.WriteString(w, "line ")
				if took := time.Since(start); took > time.Second {
					t.Errorf("a caller waited %v, want a second at most", took)
				}
				if err == nil {
					taken.Add(1)
				}
			})
		}
		all.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if taken.Load() != 2 || s.got.String() != "line line line " {
			t.Errorf("%d said to be written, written %q; want two, and the third that came late", taken.Load(), s.got.String())
		}
	})
}

// One caller loses nothing, though each line takes nearly a second.
func TestOneCallerOfAnOutputThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 900 * time.Millisecond}
		w := &telemetry.Bounded{To: s}
		for range 10 {
			if _, err := io.WriteString(w, "line "); err != nil {
				t.Error(err)
			}
		}
		if want := strings.Repeat("line ", 10); s.got.String() != want {
			t.Errorf("written %q, want %q", s.got.String(), want)
		}
	})
}

// slow is an output that takes its time.
type slow struct {
	takes time.Duration
	got   strings.Builder
}

func (s *slow) Write(text []byte) (int, error) {
	time.Sleep(s.takes)
	return s.got.Write(text)
}

// At normal speed nothing is lost, nothing is mixed, and nothing is left to do when a
// line was written: the execution environment may freeze.
func TestAPipeThatIsRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(r)
		read <- string(text)
	}()
	counting := &counting{to: w}
	log := telemetry.New(&telemetry.Bounded{To: counting}, slog.LevelInfo, time.Now)
	const callers, lines = 8, 100
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range lines {
				log.Write(t.Context(), slog.LevelInfo, strings.Repeat("x", 500))
			}
		})
	}
	all.Wait()
	if got := counting.done.Load(); got != callers*lines {
		t.Errorf("%d lines are written when the last caller goes on, want %d", got, callers*lines)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(parse(t, <-read)); got != callers*lines {
		t.Errorf("%d lines arrived, want %d", got, callers*lines)
	}
}

// counting counts the writes that are done.
type counting struct {
	to   io.Writer
	done atomic.Int32
}

func (c *counting) Write(text []byte) (int, error) {
	n, err := c.to.Write(text)
	c.done.Add(1)
	return n, err
}

func TestTheErrorOfAnOutputIsItsOwn(t *testing.T) {
	broken := errors.New("broken pipe")
	w := &telemetry.Bounded{To: failing{broken}}
	for range 2 {
		if n, err := io.WriteString(w, "text"); n != 3 || !errors.Is(err, broken) {
			t.Errorf("Write = %d, %v; want 3, %v", n, err, broken)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 3, f.err }

// fill fills a pipe.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	if err := w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := w.Write(make([]byte, 4096)); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func TestAPipeThatIsFull(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	fill(t, w)
	out := &telemetry.Bounded{To: w}
	log := telemetry.New(out, slog.LevelInfo, time.Now)
	start := time.Now()
	for i := range 100 {
		log.Write(t.Context(), slog.LevelInfo, fmt.Sprint("line ", i))
	}
	if took := time.Since(start); took < time.Second || took > 50*time.Second {
		t.Errorf("a hundred lines took %v, want a second, not one each", took)
	}
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(r)
		read <- strings.Trim(string(text), "\x00")
	}()
	// The one that was under way is written as soon as there is room; then others.
	for {
		if _, err := io.WriteString(out, "again\n"); err == nil {
			break
		}
		if time.Since(start) > 30*time.Second {
			t.Fatal("nothing is written again")
		}
		runtime.Gosched()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := <-read
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, `"line 0"`) || !strings.HasSuffix(text, "\nagain\n") {
		t.Errorf("%.200q; want the first, none that was dropped, and the last", text)
	}
}

// child is the variable that makes this test the process whose standard output is
// not read.
const child = "TELEMETRY_TEST_CHILD"

// A process whose standard output is a full pipe goes on.
func TestAProcessWhoseOutputIsNotRead(t *testing.T) {
	if os.Getenv(child) != "" {
		log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, slog.LevelInfo, time.Now)
		for range 10 {
			log.Write(t.Context(), slog.LevelInfo, strings.Repeat("x", 100<<10)) // more than a pipe holds
		}
		_, _ = fmt.Fprintln(os.Stderr, "answered")
		os.Exit(0) //nolint:revive // returning would have package testing write into the full pipe
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.Stdout = w
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); line != "answered\n" {
		t.Errorf("it said %q, %v; want that it went on", line, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
