package eventbridge_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/eventbridge"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
)

// canary stands in every link here, so that one that comes out is found.
const canary = "c4n4ry"

func newBus(endpoint, name string) eventbridge.Bus {
	return eventbridge.Bus{Name: name, Client: awsbridge.NewFromConfig(aws.Config{
		Region:       "eu-central-1",
		Credentials:  engines.Credentials(),
		BaseEndpoint: aws.String(endpoint),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	})}
}

// wire is a server in EventBridge's place that keeps the last request.
type wire struct {
	target, body string
}

// serve starts one that answers with the status and the text.
func serve(t *testing.T, status int, answer string) (*wire, eventbridge.Bus) {
	t.Helper()
	w := &wire{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.target, w.body = r.Header.Get("X-Amz-Target"), string(body)
		rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, answer)
	}))
	t.Cleanup(server.Close)
	return w, newBus(server.URL, "operators")
}

const taken = `{"FailedEntryCount":0,"Entries":[{"EventId":"11710aed-b79e-4468-a20b-bb3c0c3b4860"}]}`

func needed() grant.Event {
	return grant.Event{
		Type:             grant.ReauthorizationRequired,
		Connection:       "acme-prod",
		Status:           "reauthorize",
		Error:            apierr.ReauthorizationRequired,
		RefreshExpiresAt: time.Date(2026, 12, 21, 17, 0, 0, 123_000_000, time.FixedZone("CET", 3600)),
		Link:             "https://tokens.example.com/authorize?invitation=" + canary,
	}
}

func TestAnEventOnTheWire(t *testing.T) {
	for name, test := range map[string]struct {
		event  grant.Event
		detail string
	}{
		"all that there is to say": {
			needed(),
			`{"connection":"acme-prod","status":"reauthorize","error":"ReauthorizationRequired",` +
				`"refresh_expires_at":"2026-12-21T16:00:00Z","link":"https://tokens.example.com/authorize?invitation=` + canary + `"}`,
		},
		"a name alone": {
			grant.Event{Type: grant.Recovered, Connection: "acme-prod", Status: "ok"},
			`{"connection":"acme-prod","status":"ok","error":null,"refresh_expires_at":null,"link":null}`,
		},
		"nothing": {
			grant.Event{Type: grant.ServerRefusing},
			`{"connection":null,"status":null,"error":null,"refresh_expires_at":null,"link":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, bus := serve(t, http.StatusOK, taken)
			if err := bus.Publish(t.Context(), test.event); err != nil {
				t.Fatal(err)
			}
			var got struct{ Entries []map[string]string }
			if err := json.Unmarshal([]byte(w.body), &got); err != nil {
				t.Fatal(err)
			}
			want := []map[string]string{{
				"Source": "reltio-tokens", "DetailType": string(test.event.Type),
				"Detail": test.detail, "EventBusName": "operators",
			}}
			if diff := cmp.Diff(want, got.Entries); diff != "" || w.target != "AWSEvents.PutEvents" {
				t.Errorf("%s (-want +got):\n%s", w.target, diff)
			}
		})
	}
}

func TestTheDefaultBusHasNoName(t *testing.T) {
	w, bus := serve(t, http.StatusOK, taken)
	bus.Name = ""
	if err := bus.Publish(t.Context(), needed()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.body, "EventBusName") {
		t.Error("a bus is named")
	}
}

// Whatever EventBridge answers, an event that was not taken is StoreUnavailable
// in fixed words.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"the entry refused":                {200, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"` + canary + `"}]}`, "EventBridge: ThrottlingException"},
		"the entry refused with no code":   {200, `{"FailedEntryCount":1,"Entries":[{"ErrorMessage":"` + canary + `"}]}`, "EventBridge: the event was refused"},
		"the entry refused, a strange one": {200, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"` + canary + `!"}]}`, "EventBridge: the event was refused"},
		"the request refused":              {400, `{"__type":"AccessDeniedException","message":"` + canary + `"}`, "EventBridge: AccessDeniedException"},
		"a broken server":                  {500, canary, "EventBridge: no usable answer"},
		"no JSON":                          {200, canary, "EventBridge: no usable answer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, bus := serve(t, test.status, test.answer)
			err := bus.Publish(t.Context(), needed())
			f := apierr.Of(err)
			if err == nil || f.Type != apierr.StoreUnavailable || f.Message != test.want {
				t.Errorf("error %v, want StoreUnavailable: %s", err, test.want)
			}
			if shown := logtest.Printed(err); strings.Contains(shown, canary) {
				t.Errorf("the error shows what was sent or answered: %s", shown)
			}
		})
	}
}

func TestAnEndedContext(t *testing.T) {
	_, bus := serve(t, http.StatusOK, taken)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if f := apierr.Of(bus.Publish(ctx, needed())); f == nil || f.Type != apierr.StoreUnavailable || f.Message != "EventBridge: no answer in time" {
		t.Errorf("error %v, want StoreUnavailable: no answer in time", f)
	}
}

// moto takes the same request, of a bus that exists and of none.
func TestEventBridge(t *testing.T) {
	bus := newBus(engines.Moto(t), "default")
	if err := bus.Publish(t.Context(), needed()); err != nil {
		t.Error(err)
	}
	made := newBus(*bus.Client.Options().BaseEndpoint, "operators")
	if _, err := made.Client.CreateEventBus(t.Context(), &awsbridge.CreateEventBusInput{Name: aws.String(made.Name)}); err != nil {
		t.Fatal(err)
	}
	if err := made.Publish(t.Context(), grant.Event{Type: grant.Recovered, Connection: "acme-prod", Status: "ok"}); err != nil {
		t.Error(err)
	}
}
