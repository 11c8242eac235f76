package lambdahost

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// process is a program in a process group of its own.
type process struct {
	pid int
	// exited is closed when it has ended; status is how, and may be read then.
	exited chan struct{}
	status *os.ProcessState
}

// program is the absolute path of a command's program.
func program(command []string) (string, error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return "", fmt.Errorf("lambdahost: %w", err)
	}
	return filepath.Abs(path)
}

// signal sends to the whole group. A group that is gone hears nothing.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.pid, s) }

// reason is how it ended, in Lambda's words; empty: with exit status 0.
func (p *process) reason() string {
	switch status, ok := p.status.Sys().(syscall.WaitStatus); {
	case ok && status.Signaled():
		return "signal: " + status.Signal().String()
	case p.status.Success():
		return ""
	default:
		return "exit status " + strconv.Itoa(p.status.ExitCode())
	}
}

// stopped reports whether none of its threads runs: all are stopped, or gone.
func (p *process) stopped() bool {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(p.pid) + "/task/*/stat") // the pattern is good
	for _, thread := range threads {
		stat, err := os.ReadFile(thread) //nolint:gosec // the system's
		if err != nil {
			continue // gone
		}
		state := stat[bytes.LastIndexByte(stat, ')')+1:] // " T ..."
		if len(state) < 2 || !bytes.ContainsRune([]byte("TtZX"), rune(state[1])) {
			return false
		}
	}
	return true
}

// Memory is what a process holds and the most it ever held, in bytes; zeros when
// it is gone.
func Memory(pid int) (now, peak int64) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kb, _ := strconv.ParseInt(fields[1], 10, 64) // other lines are no numbers
		switch fields[0] {
		case "VmRSS:":
			now = kb << 10
		case "VmHWM:":
			peak = kb << 10
		}
	}
	return now, peak
}

// starter starts processes, all from one thread: the system kills a process
// when the thread that started it ends, so that none outlives this program,
// however that ends.
type starter struct{ jobs chan func() }

func newStarter() *starter {
	s := &starter{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the starter
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// stop ends the thread. Nothing may be running any more.
func (s *starter) stop() { close(s.jobs) }

// start runs a command, which writes to out.
func (s *starter) start(cmd *exec.Cmd, out *os.File) (*process, error) {
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownGroup()
	started := make(chan error)
	s.jobs <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("lambdahost: %w", err)
	}
	p := &process{pid: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the status says it
		p.status = cmd.ProcessState
		close(p.exited)
	}()
	return p, nil
}
