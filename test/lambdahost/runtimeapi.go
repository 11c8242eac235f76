package lambdahost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

const contentJSON = "application/json"

// newRuntimeAPI serves an environment's processes.
func (e *Environment) newRuntimeAPI() http.Handler {
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"invocation/next", e.serveNext)
	mux.HandleFunc("POST "+base+"invocation/{id}/response", e.serveResponse)
	mux.HandleFunc("POST "+base+"invocation/{id}/error", e.serveError)
	mux.HandleFunc("POST "+base+"init/error", e.serveInitError)
	e.extensionsAPI(mux)
	return mux
}

// serveNext waits for an event, as long as it takes, and delivers it.
func (e *Environment) serveNext(w http.ResponseWriter, r *http.Request) {
	inv, ok := e.fetch(r.Context())
	if !ok {
		sayError(w, http.StatusForbidden, "InvalidStateTransition", "the last invocation has not been answered")
		return
	}
	if inv == nil {
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentJSON)
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", inv.arn)
	h.Set("Lambda-Runtime-Trace-Id", inv.trace)
	if inv.clientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", inv.clientContext)
	}
	h.Set("Content-Length", strconv.Itoa(len(inv.payload)))
	_, _ = w.Write(inv.payload) // a process that is gone hears nothing
}

// fetch waits for an event; nil: the process is gone. It is not ok to ask while
// one is unanswered.
func (e *Environment) fetch(ctx context.Context) (inv *invocation, ok bool) {
	e.change(func() {
		ok = e.current == nil || !e.current.answered.IsZero()
		if ok {
			e.waiting, e.asked = true, true
		}
	})
	for ok {
		e.mu.Lock()
		changed := e.changed
		if inv = e.offered; inv != nil {
			e.offered, e.current, e.waiting = nil, inv, false
		}
		e.mu.Unlock()
		if inv != nil {
			return inv, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			e.change(func() { e.waiting = false })
			return nil, true
		}
	}
	return nil, false
}

// serveResponse takes a function's answer.
func (e *Environment) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, invokeapi.MaxResponse))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		message := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", invokeapi.MaxResponse)
		answer, _ := json.Marshal(map[string]string{ // strings always encode
			"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message,
		})
		e.answer(r.PathValue("id"), statusError, answer)
		sayError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", message)
		return
	}
	e.accept(w, r, statusSuccess, body, err)
}

// serveError takes a function's error.
func (e *Environment) serveError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, invokeapi.MaxResponse))
	e.accept(w, r, statusError, body, err)
}

func (e *Environment) accept(w http.ResponseWriter, r *http.Request, status string, body []byte, err error) {
	if err != nil {
		sayError(w, http.StatusBadRequest, "InvalidRequestFormat", "the body cannot be read")
		return
	}
	if !e.answer(r.PathValue("id"), status, body) {
		sayError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	say(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// answer answers the invocation under way. Another one's answer, or a second
// one, is dropped.
func (e *Environment) answer(id, status string, body []byte) (taken bool) {
	e.change(func() {
		inv := e.current
		taken = inv != nil && inv.id == id && inv.answered.IsZero() && e.f.host.now().Before(inv.deadline)
		if taken {
			inv.settle(e.f.host.now(), status, body)
		}
	})
	return taken
}

// serveInitError takes a runtime's last words before its first event.
func (e *Environment) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, invokeapi.MaxResponse))
	if err != nil {
		sayError(w, http.StatusBadRequest, "InvalidRequestFormat", "the body cannot be read")
		return
	}
	e.mu.Lock()
	asked := e.asked
	e.mu.Unlock()
	if asked {
		sayError(w, http.StatusForbidden, "InvalidStateTransition", "init is over")
		return
	}
	e.fail(&failure{kind: "Runtime.InitError", message: "init failed", answer: body})
	say(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func say(w http.ResponseWriter, status int, answer map[string]string) {
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a process that is gone hears nothing
}

func sayError(w http.ResponseWriter, status int, kind, message string) {
	say(w, status, map[string]string{"errorType": kind, "errorMessage": message})
}
