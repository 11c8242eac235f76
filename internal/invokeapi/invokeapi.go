// Package invokeapi is the part of Lambda's API that invokes functions, for
// programs that play Lambda on one machine: the local stack, whose functions are
// handlers in the same process, and the laboratory, whose functions are processes.
//
//	handler := invokeapi.Handler(functions, "only the Invoke API is here", nil)
//
// The handler reads POST /2015-03-31/functions/NAME/invocations with its headers,
// calls Functions, and responds in the shape that SDKs read. How a function runs,
// and which functions there are, Functions decides. What did not take place is an
// *Error; a function that fails has a Result.
package invokeapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Latest is the version that is not published.
const Latest = "$LATEST"

// Invocation is what a caller asks for.
type Invocation struct {
	// Function is a name, a partial ARN or an ARN, with a qualifier or
	// without. Required.
	Function string
	// Qualifier is a version or an alias; empty means none.
	Qualifier string
	// Payload is JSON; empty means {}.
	Payload []byte
	// ClientContext is JSON that is passed on.
	ClientContext string
	// TraceID is passed on; empty means a new one.
	TraceID string
	// LogTail asks for the end of the log.
	LogTail bool
}

// Result is what came of an invocation that took place.
type Result struct {
	RequestID string
	// Payload is the function's response, or its error.
	Payload []byte
	// FunctionError is empty, or Unhandled if the function failed.
	FunctionError string
	// ExecutedVersion is the version that ran.
	ExecutedVersion string
	// LogTail is the end of the log, if it was asked for.
	LogTail []byte
}

// Unhandled is the FunctionError of a function that failed.
const Unhandled = "Unhandled"

// Functions are those that can be invoked. They resolve names with Split and check
// payloads with CheckPayload. Functions are safe for concurrent use.
type Functions interface {
	// Invoke invokes a function and waits for its response. An *Error says that the
	// invocation did not take place; another error, that the context has ended.
	Invoke(ctx context.Context, i Invocation) (Result, error)
	// InvokeAsync takes an event, and returns its request id. An *Error says that it
	// was not taken.
	InvokeAsync(i Invocation) (requestID string, err error)
	// Find returns an *Error if there is no such function.
	Find(function, qualifier string) error
}

// Handler serves the API, and other handlers by pattern. Requests for anything else
// get help.
func Handler(functions Functions, help string, others map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /2015-03-31/functions/{name}/invocations", server{functions})
	for pattern, handler := range others {
		mux.Handle(pattern, handler)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { Refuse(w, NotFound("%s", help)) })
	return mux
}

type server struct{ functions Functions }

// ServeHTTP implements http.Handler.
func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, most := r.Header.Get("X-Amz-Invocation-Type"), MaxRequest
	if kind == "Event" {
		most = MaxAsyncRequest
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err != nil {
		Refuse(w, tooLarge(most))
		return
	}
	i := Invocation{
		Function:  r.PathValue("name"),
		Qualifier: r.URL.Query().Get("Qualifier"),
		Payload:   payload,
		TraceID:   r.Header.Get("X-Amzn-Trace-Id"),
		LogTail:   r.Header.Get("X-Amz-Log-Type") == "Tail",
	}
	if text := r.Header.Get("X-Amz-Client-Context"); text != "" {
		clientContext, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !json.Valid(clientContext) {
			Refuse(w, badRequest(invalidContent, "Client context must be a valid Base64-encoded JSON object."))
			return
		}
		i.ClientContext = string(clientContext)
	}
	switch kind {
	case "Event":
		s.serveEvent(w, i)
	case "DryRun":
		s.serveDryRun(w, i)
	case "", "RequestResponse":
		s.serveRequest(w, r, i)
	default:
		Refuse(w, badRequest(invalidParameter, "InvocationType must be Event, RequestResponse or DryRun"))
	}
}

// serveRequest waits for the function.
func (s server) serveRequest(w http.ResponseWriter, r *http.Request, i Invocation) {
	result, err := s.functions.Invoke(r.Context(), i)
	header := w.Header()
	if result.RequestID != "" {
		header.Set("X-Amzn-Requestid", result.RequestID)
	}
	if err != nil {
		Refuse(w, err)
		return
	}
	header.Set("Content-Type", contentJSON)
	header.Set("X-Amz-Executed-Version", result.ExecutedVersion)
	header.Set("X-Amzn-Remapped-Content-Length", "0")
	if result.FunctionError != "" {
		header.Set("X-Amz-Function-Error", result.FunctionError)
	}
	if i.LogTail {
		header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(result.LogTail))
	}
	_, _ = w.Write(result.Payload) // a caller that is gone gets nothing
}

func (s server) serveEvent(w http.ResponseWriter, i Invocation) {
	id, err := s.functions.InvokeAsync(i)
	if err != nil {
		Refuse(w, err)
		return
	}
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(http.StatusAccepted)
}

// serveDryRun says whether the function is there.
func (s server) serveDryRun(w http.ResponseWriter, i Invocation) {
	if err := s.functions.Find(i.Function, i.Qualifier); err != nil {
		Refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

const contentJSON = "application/json"

// Refuse responds with an error of Functions in the shape that SDKs read: the type
// in a header, the rest in the body.
func Refuse(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) { // the caller has left
		e = &Error{Status: http.StatusInternalServerError, Code: "ServiceException", Message: "the caller has left"}
	}
	body := map[string]string{"Type": "User", "Message": e.Message}
	if e.Status == http.StatusTooManyRequests {
		body = map[string]string{"Type": "User", "message": e.Message, "Reason": e.Reason}
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	if w.Header().Get("X-Amzn-Requestid") == "" {
		w.Header().Set("X-Amzn-Requestid", NewRequestID())
	}
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone gets nothing
}

// NewRequestID is a UUID of version 4.
func NewRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
