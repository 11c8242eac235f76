package lambdahost

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// An event that comes while the one before is being delivered is delivered too.
func TestAnExtensionHearsOfTheEndWhateverItIsToldMeanwhile(t *testing.T) {
	const often = 300
	for range often {
		x := &extension{name: "watcher", id: "id", registered: true, invoke: true, shutdown: true}
		e := &Environment{f: &function{host: &Host{}}, changed: make(chan struct{}), extensions: []*extension{x}}
		e.offerExtensions(&invocation{id: "1"})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/2020-01-01/extension/event/next", http.NoBody)
		r.Header.Set(headerExtensionID, "id")
		w := httptest.NewRecorder()
		var both sync.WaitGroup
		both.Go(func() { e.serveEvent(w, r) })
		both.Go(func() {
			for asked := false; !asked; {
				e.mu.Lock()
				if asked = x.waiting || x.event == nil; asked {
					e.offerShutdown(spindown, time.Time{})
				}
				e.mu.Unlock()
			}
		})
		both.Wait()
		if told := w.Body.String() + string(x.event); !strings.Contains(told, eventShutdown) {
			t.Fatalf("the extension was told %s, and nothing waits for it", told)
		}
	}
}

func TestWhatWasReplacedIsForgotten(t *testing.T) {
	h, err := Start(t.Context(), Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	f := Function{Name: "f", Command: []string{"true"}}
	for range 5 {
		if err := h.Deploy(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.former) > 1 {
		t.Errorf("%d former functions are kept, of which none runs", len(h.former))
	}
	// Found before its successor came, and invoked after: Close must know of it.
	old := h.former[0]
	h.former = nil
	if refused := h.run(old, newInvocation("1", "arn", &Invocation{})); refused != nil {
		t.Fatal(refused)
	}
	h.mu.Lock()
	known := len(h.former)
	h.mu.Unlock()
	if known != 1 {
		t.Errorf("%d former functions are known, want the one that runs", known)
	}
}

func TestHowLongLambdaWaits(t *testing.T) {
	for _, test := range []struct {
		n         int
		throttled bool
		want      time.Duration
	}{
		{1, false, time.Minute},
		{2, false, 2 * time.Minute},
		{1, true, time.Second},
		{2, true, 2 * time.Second},
		{9, true, 256 * time.Second},
		{10, true, 5 * time.Minute},
		{1000, true, 5 * time.Minute},
	} {
		if got := lambdaWait(test.n, test.throttled); got != test.want {
			t.Errorf("retry %d, throttled %t: after %v, want %v", test.n, test.throttled, got, test.want)
		}
	}
}
