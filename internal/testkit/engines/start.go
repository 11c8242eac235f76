package engines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// How long an engine may take until it responds, how often it is asked, and how
// many ports are tried.
const (
	timeout    = 60 * time.Second
	askEvery   = 20 * time.Millisecond
	portsTried = 3
)

// watch runs an engine and ends it when the script's input is closed. Only this
// process has the other end of that pipe, and the system closes it when the
// process ends, so no engine outlives its tests, even if they were killed.
const watch = `
exec 3<&0
"$@" </dev/null 3<&- &
engine=$!
{ cat <&3 >/dev/null; kill "$engine" 2>/dev/null; } &
exec 3<&-
wait "$engine"
`

// find returns the first engine of the names that is there.
func find(names []string) (string, error) {
	var looked []string
	for _, name := range names {
		path := os.Getenv("RELTIO_TOKENS_" + strings.ToUpper(name))
		if path == "" {
			root, err := Repository()
			if err != nil {
				return "", err
			}
			path = filepath.Join(root, ".cache", "engines", "bin", name)
		}
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		looked = append(looked, path)
	}
	return "", &MissingError{Looked: strings.Join(looked, " or ")}
}

// Repository is the folder that holds template.yaml; programs that need an engine
// run somewhere below it.
func Repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "template.yaml")); err == nil {
			return folder, nil
		}
		up := filepath.Dir(folder)
		if up == folder {
			return "", errors.New("no template.yaml here or above")
		}
		folder = up
	}
}

// start runs the first engine of the names that is there, and returns its
// endpoint when it responds at the path. A port that is free now may be taken a
// moment later, and then the engine ends at once: so more than one is tried.
func start(ctx context.Context, path string, names ...string) (e *Engine, err error) {
	binary, err := find(names)
	if err != nil {
		return nil, err
	}
	for range portsTried {
		if e, err = startOnce(ctx, binary, path); err == nil || ctx.Err() != nil {
			return e, err
		}
	}
	return nil, err
}

func startOnce(ctx context.Context, binary, path string) (*Engine, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	output, err := os.CreateTemp("", "engine-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }()
	defer func() { _ = os.Remove(output.Name()) }() // the engine writes on, to a file without a name
	// It outlives the context: Close ends it.
	engine := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", watch, "sh", binary, "--host", "127.0.0.1", "--port", port)
	engine.Stdout, engine.Stderr = output, output
	stdin, err := engine.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := engine.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- engine.Wait()
	}()
	e := &Engine{Endpoint: "http://" + net.JoinHostPort("127.0.0.1", port), stdin: stdin, ended: ended}
	if err := responds(ctx, e.Endpoint+path, ended); err != nil {
		_ = stdin.Close() // it ends
		return nil, fmt.Errorf("%s: %w\n%s", binary, err, tail(output))
	}
	return e, nil
}

// responds waits until the address responds 200.
func responds(ctx context.Context, address string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for {
		if get(ctx, address) {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended before it answered: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", timeout, ctx.Err())
		case <-ask.C:
		}
	}
}

func get(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return false
	}
	var client http.Client
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// freePort returns a port on which no process listens.
func freePort(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// tail is the end of what the engine has written.
func tail(output *os.File) string {
	const most = 4096
	info, err := output.Stat()
	if err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(io.NewSectionReader(output, max(0, info.Size()-most), most))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
