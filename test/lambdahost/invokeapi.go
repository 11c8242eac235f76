package lambdahost

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// invokeAPI is the part of Lambda's API that invokes.
func (h *Host) invokeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", h.serveInvoke)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, notFound("only the Invoke API is here: POST /2015-03-31/functions/NAME/invocations"))
	})
	return mux
}

// serveInvoke answers the Invoke API.
func (h *Host) serveInvoke(w http.ResponseWriter, r *http.Request) {
	kind, most := r.Header.Get("X-Amz-Invocation-Type"), MaxRequest
	if kind == "Event" {
		most = MaxAsyncRequest
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err != nil {
		refuse(w, tooLarge(most))
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
			refuse(w, &Error{
				Status: http.StatusBadRequest, Code: "InvalidRequestContentException",
				Message: "Client context must be a valid Base64-encoded JSON object.",
			})
			return
		}
		i.ClientContext = string(clientContext)
	}
	switch kind {
	case "Event":
		h.serveEvent(w, i)
	case "DryRun":
		h.serveDryRun(w, i)
	case "", "RequestResponse":
		h.serveRequest(w, r, i)
	default:
		refuse(w, &Error{
			Status: http.StatusBadRequest, Code: "InvalidParameterValueException",
			Message: "InvocationType must be Event, RequestResponse or DryRun",
		})
	}
}

// serveRequest waits for the function; one whose caller has left runs to its end.
func (h *Host) serveRequest(w http.ResponseWriter, r *http.Request, i Invocation) {
	result, err := h.Invoke(r.Context(), i)
	header := w.Header()
	if result.RequestID != "" {
		header.Set("X-Amzn-Requestid", result.RequestID)
	}
	if err != nil {
		refuseWith(w, err)
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
	_, _ = w.Write(result.Payload) // a caller that is gone hears nothing
}

func (h *Host) serveEvent(w http.ResponseWriter, i Invocation) {
	id, err := h.InvokeAsync(i)
	if err != nil {
		refuseWith(w, err)
		return
	}
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(http.StatusAccepted)
}

// serveDryRun says whether the function is there.
func (h *Host) serveDryRun(w http.ResponseWriter, i Invocation) {
	if _, _, refused := h.resolve(i.Function, i.Qualifier); refused != nil {
		refuse(w, refused)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// refuseWith answers with an error of Invoke.
func refuseWith(w http.ResponseWriter, err error) {
	var refused *Error
	if !errors.As(err, &refused) { // the caller has left
		refused = &Error{Status: http.StatusInternalServerError, Code: "ServiceException", Message: "the caller has left"}
	}
	refuse(w, refused)
}

// refuse answers in the shape that SDKs read: the type in a header, the rest in
// the body.
func refuse(w http.ResponseWriter, e *Error) {
	body := map[string]string{"Type": "User", "Message": e.Message}
	if e.Status == http.StatusTooManyRequests {
		body = map[string]string{"Type": "User", "message": e.Message, "Reason": e.Reason}
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	if w.Header().Get("X-Amzn-Requestid") == "" {
		w.Header().Set("X-Amzn-Requestid", newID())
	}
	say(w, e.Status, body)
}
