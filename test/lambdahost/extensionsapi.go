package lambdahost

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// Headers of the Extensions API.
const (
	headerExtensionName    = "Lambda-Extension-Name"
	headerExtensionID      = "Lambda-Extension-Identifier"
	headerExtensionEvent   = "Lambda-Extension-Event-Identifier"
	headerExtensionFault   = "Lambda-Extension-Function-Error-Type"
	headerExtensionFeature = "Lambda-Extension-Accept-Feature"
)

// maxBody bounds what an extension sends.
const maxBody = 64 << 10

// extensionsAPI adds the Extensions API to a mux.
func (e *Environment) extensionsAPI(mux *http.ServeMux) {
	const base = "/2020-01-01/extension/"
	mux.HandleFunc("POST "+base+"register", e.serveRegister)
	mux.HandleFunc("GET "+base+"event/next", e.serveEvent)
	mux.HandleFunc("POST "+base+"init/error", e.serveExtensionError)
	mux.HandleFunc("POST "+base+"exit/error", e.serveExtensionError)
}

func (e *Environment) serveRegister(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Events []string `json:"events"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body) != nil {
		sayError(w, http.StatusBadRequest, "InvalidRequestFormat", "the body is not the JSON of a registration")
		return
	}
	id, kind := e.register(r.Header.Get(headerExtensionName), body.Events)
	if kind != "" {
		sayError(w, http.StatusForbidden, kind, "the extension cannot register")
		return
	}
	answer := map[string]string{
		"functionName": e.f.Name, "functionVersion": e.f.Version, "handler": e.f.Handler,
	}
	if r.Header.Get(headerExtensionFeature) == "accountId" {
		answer["accountId"] = e.f.host.config.Account
	}
	w.Header().Set(headerExtensionID, id)
	say(w, http.StatusOK, answer)
}

// register enters an extension. kind is why not.
func (e *Environment) register(name string, events []string) (id, kind string) {
	for _, event := range events {
		if event != eventInvoke && event != eventShutdown {
			return "", "Extension.InvalidEventType"
		}
	}
	id = invokeapi.NewRequestID()
	e.change(func() {
		i := slices.IndexFunc(e.extensions, func(x *extension) bool { return x.name == name })
		switch {
		case name == "":
			kind = "Extension.MissingExtensionName"
		case e.asked || e.closing:
			kind = "Extension.RegistrationClosed"
		case i < 0 && slices.Contains(events, eventShutdown):
			kind = "ShutdownEventNotSupportedForInternalExtension"
		case i < 0:
			e.extensions = append(e.extensions, &extension{name: name})
			i = len(e.extensions) - 1
		case e.extensions[i].registered:
			kind = "Extension.AlreadyRegistered"
		}
		if kind == "" {
			x := e.extensions[i]
			x.id, x.registered = id, true
			x.invoke, x.shutdown = slices.Contains(events, eventInvoke), slices.Contains(events, eventShutdown)
		}
	})
	return id, kind
}

// extension is the one that a request comes from; if it is unknown, that is
// said.
func (e *Environment) extension(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get(headerExtensionID)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.extensions {
		if x.registered && x.id == id {
			return x
		}
	}
	sayError(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "unknown extension "+id)
	return nil
}

// serveEvent waits, as long as it takes.
func (e *Environment) serveEvent(w http.ResponseWriter, r *http.Request) {
	x := e.extension(w, r)
	if x == nil {
		return
	}
	e.change(func() { x.waiting = true })
	gone := r.Context().Done()
	for {
		e.mu.Lock()
		event, changed := x.event, e.changed
		if event != nil { // taken under the lock that it was read under: the next one may come at once
			x.waiting, x.event = false, nil
		}
		e.mu.Unlock()
		if event != nil {
			w.Header().Set(headerExtensionEvent, invokeapi.NewRequestID())
			w.Header().Set("Content-Type", contentJSON)
			_, _ = w.Write(event) // an extension that is gone hears nothing
			return
		}
		select {
		case <-changed:
		case <-gone:
			e.change(func() { x.waiting = false })
			return
		}
	}
}

// serveExtensionError takes an extension's last words.
func (e *Environment) serveExtensionError(w http.ResponseWriter, r *http.Request) {
	x := e.extension(w, r)
	if x == nil {
		return
	}
	kind := r.Header.Get(headerExtensionFault)
	if kind == "" {
		sayError(w, http.StatusBadRequest, "InvalidRequestFormat", headerExtensionFault+" is missing")
		return
	}
	var body struct {
		ErrorMessage string `json:"errorMessage"`
	}
	_ = json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body) // a body is not needed
	e.fail(&failure{kind: kind, message: body.ErrorMessage})
	say(w, http.StatusAccepted, map[string]string{"status": "OK"})
}
