package extension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The Extensions API's headers.
const (
	nameHeader       = "Lambda-Extension-Name"
	identifierHeader = "Lambda-Extension-Identifier"
	errorTypeHeader  = "Lambda-Extension-Function-Error-Type"
)

// reportFor bounds a request to the Extensions API that has an immediate
// response.
const reportFor = 2 * time.Second

// maxEvent bounds how much of a response of the Extensions API is read.
const maxEvent = 64 << 10

// lifecycle is Lambda's Extensions API, version 2020-01-01, for one extension. It
// registers only for SHUTDOWN. INVOKE would cost each invocation a round trip,
// because Lambda reports its start and then waits until the extension has asked
// for the next event. It would also be useless: the extension works only while
// the function waits for its response.
//
// A lifecycle is made by register and is not safe for concurrent use.
type lifecycle struct {
	base   string
	client *http.Client
	id     string
}

// register registers the extension with Lambda, which waits for that before it
// starts the function. name must be the file name of the extension's binary.
func register(ctx context.Context, host, name string) (*lifecycle, error) {
	l := &lifecycle{
		base: "http://" + host + "/2020-01-01/extension",
		// It has its own transport, because the environment's proxies must not be
		// used here. It has no time limit, because Lambda responds to Next when
		// there is an event.
		client: &http.Client{Transport: &http.Transport{}},
	}
	ctx, cancel := context.WithTimeout(ctx, reportFor)
	defer cancel()
	header := http.Header{nameHeader: {name}}
	response, _, err := l.do(ctx, http.MethodPost, "/register", header, []byte(`{"events":["SHUTDOWN"]}`))
	if err != nil {
		return nil, err
	}
	l.id = response.Get(identifierHeader)
	if l.id == "" {
		return nil, errors.New("extensions api: register: no identifier")
	}
	return l, nil
}

// awaitShutdown tells Lambda that the extension is ready, and returns Lambda's
// reason when it ends the environment.
func (l *lifecycle) awaitShutdown(ctx context.Context) (reason string, err error) {
	for {
		_, body, err := l.do(ctx, http.MethodGet, "/event/next", http.Header{}, nil)
		if err != nil {
			return "", err
		}
		var event struct {
			Type   string `json:"eventType"`
			Reason string `json:"shutdownReason"`
		}
		if err := json.Unmarshal(body, &event); err != nil {
			return "", fmt.Errorf("extensions api: event: %w", err)
		}
		if event.Type == "SHUTDOWN" {
			return event.Reason, nil
		}
	}
}

// initError tells Lambda that the extension cannot start; message must be safe
// to show. The process has to exit then.
func (l *lifecycle) initError(ctx context.Context, kind, message string) error {
	return l.report(ctx, "/init/error", kind, message)
}

// exitError tells Lambda that the extension cannot continue; message must be safe
// to show. The process has to exit then.
func (l *lifecycle) exitError(ctx context.Context, kind, message string) error {
	return l.report(ctx, "/exit/error", kind, message)
}

func (l *lifecycle) report(ctx context.Context, path, kind, message string) error {
	ctx, cancel := context.WithTimeout(ctx, reportFor)
	defer cancel()
	body, err := json.Marshal(map[string]any{"errorType": kind, "errorMessage": message, "stackTrace": []string{}})
	if err != nil {
		return fmt.Errorf("extensions api: %w", err)
	}
	_, _, err = l.do(ctx, http.MethodPost, path, http.Header{errorTypeHeader: {kind}}, body)
	return err
}

// do sends one request; a response that is no success is an error.
func (l *lifecycle) do(ctx context.Context, method, path string, header http.Header, body []byte) (http.Header, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, l.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("extensions api: %w", err)
	}
	request.Header = header
	if l.id != "" {
		header.Set(identifierHeader, l.id)
	}
	response, err := l.client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("extensions api: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxEvent))
	if err != nil {
		return nil, nil, fmt.Errorf("extensions api: %s: %w", path, err)
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return nil, nil, fmt.Errorf("extensions api: %s: status %d", path, response.StatusCode)
	}
	return response.Header, data, nil
}
