package lambdahost

import (
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// newEnvironment makes an environment in which nothing runs yet.
func (f *function) newEnvironment() (*Environment, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	e := &Environment{
		id: invokeapi.NewRequestID(), f: f, addr: listener.Addr().String(),
		changed: make(chan struct{}), ended: make(chan struct{}),
	}
	if e.logs, err = newLogPipe(func(lines []byte) { f.heard(e, lines) }); err != nil {
		return nil, firstOf(err, listener.Close())
	}
	if f.CPU > 0 {
		if e.cpu, err = newCPUGroup(e.id); err != nil {
			e.logs.close()
			return nil, firstOf(err, listener.Close())
		}
	}
	// No limit of time: a frozen process may be in the middle of a request.
	e.api = &http.Server{Handler: e.newRuntimeAPI(), ReadHeaderTimeout: 24 * time.Hour}
	go func() { _ = e.api.Serve(listener) }() // it ends with the environment
	return e, nil
}

func firstOf(err, _ error) error { return err }

// start starts one of the environment's processes, with variables.
func (e *Environment) start(program string, command, variables []string) (*process, error) {
	cmd := &exec.Cmd{Path: program, Args: command, Dir: e.f.root, Env: variables}
	p, err := e.f.host.starter.start(cmd, e.logs.out)
	if err != nil {
		return nil, err
	}
	if err := e.cpu.add(p.pid); err != nil {
		p.signal(syscall.SIGKILL)
		<-p.exited
		return nil, err
	}
	return p, nil
}

// shared are the variables that Lambda sets for all processes.
func (e *Environment) shared() map[string]string {
	f, c := e.f, e.f.host.config
	return map[string]string{
		"AWS_ACCESS_KEY_ID":               "lambdahost",
		"AWS_SECRET_ACCESS_KEY":           "lambdahost",
		"AWS_SESSION_TOKEN":               "lambdahost-" + f.Name,
		"AWS_REGION":                      c.Region,
		"AWS_DEFAULT_REGION":              c.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     f.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_FORMAT":           f.LogFormat,
		"AWS_LAMBDA_RUNTIME_API":          e.addr,
		"LANG":                            "en_US.UTF-8",
		"PATH":                            os.Getenv("PATH"),
		"TZ":                              ":UTC",
	}
}

// runtimeOnly are those that it sets for the runtime, and withholds from
// extensions.
func (e *Environment) runtimeOnly() map[string]string {
	f := e.f
	set := map[string]string{
		"_HANDLER":                   f.Handler,
		"AWS_LAMBDA_LOG_GROUP_NAME":  "/aws/lambda/" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME": f.host.now().UTC().Format("2006/01/02") + "/[" + f.Version + "]" + e.id,
		"AWS_XRAY_CONTEXT_MISSING":   "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":    "169.254.79.129:2000",
		"LAMBDA_RUNTIME_DIR":         "/var/runtime",
		"LAMBDA_TASK_ROOT":           f.root,
	}
	if f.Runtime != "" {
		set["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + f.Runtime
	}
	return set
}

// variables are a process's: several of Lambda's sets, under the function's own.
func (f *function) variables(sets ...map[string]string) []string {
	all := map[string]string{}
	for _, set := range append(sets, f.Env) {
		maps.Copy(all, set)
	}
	variables := make([]string, 0, len(all))
	for name, value := range all {
		variables = append(variables, name+"="+value)
	}
	slices.Sort(variables)
	return variables
}

// prepare finds the programs and folders of a function.
func (f *function) prepare() (err error) {
	if f.program, err = program(f.Command); err != nil {
		return err
	}
	if f.root, err = f.dir(f.program); err != nil {
		return err
	}
	for _, x := range f.Extensions {
		path, err := program(x.Command)
		if err != nil {
			return err
		}
		f.extensionPrograms = append(f.extensionPrograms, filepath.Clean(path))
	}
	if f.CPU > 0 {
		group, err := newCPUGroup(invokeapi.NewRequestID())
		if err != nil {
			return err
		}
		group.remove()
	}
	return nil
}
