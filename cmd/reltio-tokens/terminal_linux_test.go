package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal is a pseudo-terminal: what is written to it is typed, what is read
// from it is shown.
type terminal struct {
	t       *testing.T
	person  *os.File
	process *exec.Cmd

	mu    sync.Mutex // guards shown
	shown bytes.Buffer
	news  chan struct{}
}

// onTerminal starts the command on a terminal of its own.
func (c command) onTerminal(args ...string) *terminal {
	c.t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		c.t.Skip("this machine has no pseudo-terminals: ", err)
	}
	c.t.Cleanup(func() { _ = person.Close() })
	var number, unlocked int32
	for request, value := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value))); failed != 0 {
			c.t.Fatal(failed)
		}
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = screen.Close() }()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	c.t.Cleanup(cancel)
	p := &terminal{t: c.t, person: person, news: make(chan struct{}, 1)}
	p.process = exec.CommandContext(ctx, binary, append(append([]string{}, c.flags...), args...)...)
	p.process.Env = []string{"PATH=/nowhere", "HOME=/nowhere", "TERM=xterm"}
	p.process.Stdin, p.process.Stdout, p.process.Stderr = screen, screen, screen
	p.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	go p.watch()
	return p
}

// watch collects what is shown until the terminal is closed.
func (p *terminal) watch() {
	defer close(p.news)
	chunk := make([]byte, 4096)
	for {
		n, err := p.person.Read(chunk)
		p.mu.Lock()
		p.shown.Write(chunk[:n])
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// answer waits for a prompt and types a line.
func (p *terminal) answer(prompt, line string) {
	p.t.Helper()
	for !strings.HasSuffix(p.text(), prompt) {
		if _, open := <-p.news; !open {
			p.t.Fatalf("no prompt %q in:\n%s", prompt, p.text())
		}
	}
	if _, err := p.person.WriteString(line); err != nil {
		p.t.Fatal(err)
	}
}

// ended waits for the command and returns its exit code.
func (p *terminal) ended() int {
	p.t.Helper()
	_ = p.process.Wait() // the exit code says it
	for range p.news {   // until all was read
	}
	return p.process.ProcessState.ExitCode()
}

// On a terminal the command shows what it asks for, and no secret that is
// typed.
func TestAddOnATerminal(t *testing.T) {
	c := onLocalStack(t)
	p := c.onTerminal("add", "mine", "--auth-url="+c.reltio())
	p.answer("Grant type (client_credentials, password, authorization_code): ", "password\n")
	p.answer("Client ID: ", "demo-client\n")
	p.answer("Client secret (not shown): ", "demo-secret-of-client\n")
	p.answer("User name: ", "demo-user\n")
	p.answer("Password (not shown): ", "demo-secret-of-user\n")
	if code := p.ended(); code != 0 || !strings.Contains(p.text(), "mine: added") || !strings.Contains(p.text(), "demo-user") {
		t.Errorf("%d:\n%s", code, p.text())
	}
	if strings.Contains(p.text(), "demo-secret") {
		t.Error("a secret was shown")
	}
	c.expect(0, `outcome      renewed\n`, "", "issue", "mine")
}

// Ctrl-C ends the command while it waits, and the terminal shows again what is
// typed.
func TestInterruptedOnATerminal(t *testing.T) {
	c := onLocalStack(t)
	p := c.onTerminal("add", "mine", "--grant-type=password", "--client-id=a")
	p.answer("Client secret (not shown): ", "\x03")
	if code := p.ended(); code != exitFailed || !strings.HasSuffix(p.text(), "reltio-tokens: interrupted\r\n") {
		t.Errorf("%d:\n%s", code, p.text())
	}
	c.expect(1, "", `UnknownConnection`, "check", "mine")
}

// What exists is said before anything is asked.
func TestAddOnATerminalOfWhatExists(t *testing.T) {
	p := onLocalStack(t).onTerminal("add", "demo-password")
	if code := p.ended(); code != exitFailed || !strings.HasPrefix(p.text(), "reltio-tokens: demo-password exists already") {
		t.Errorf("%d:\n%s", code, p.text())
	}
}

func TestDisconnectOnATerminal(t *testing.T) {
	c := onLocalStack(t)
	p := c.onTerminal("disconnect", "demo-password")
	p.answer("Disconnect demo-password, revoke nothing (--revoke does)? [y/N]: ", "no\n")
	const shared = "demo-password shares its client with demo-authorization-code, demo-client-credentials"
	if code := p.ended(); code != exitFailed || !strings.Contains(p.text(), shared) {
		t.Errorf("%d:\n%s", code, p.text())
	}
	p = c.onTerminal("disconnect", "demo-password", "--revoke", "--delete-secret")
	p.answer("Disconnect demo-password, revoke its tokens, delete its secret? [y/N]: ", "yes\n")
	if code := p.ended(); code != 0 || !strings.Contains(p.text(), "demo-password: disconnected") || !strings.Contains(p.text(), shared) {
		t.Errorf("%d:\n%s", code, p.text())
	}
}
