package client_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
)

// config is the configuration of a function in an environment of a test.
func config(t testing.TB, endpoint string) aws.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": endpoint,
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	cfg, err := client.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What a server or a connection does to the first attempts costs a read their time
// limits, and the next attempt gets a response.
func TestReadsOutliveBadConnections(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client has gone
		<-r.Context().Done()
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	}
	for name, c := range map[string]struct {
		bad   http.HandlerFunc
		times int32
		most  time.Duration // far from what the SDK alone would take
	}{
		"silence":           {silent, 1, client.ResponseTimeout + 15*time.Second},
		"a reset":           {reset, 1, 15 * time.Second},
		"eight resets":      {reset, 8, 15 * time.Second},
		"an internal error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 8, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) <= c.times {
					c.bad(w, r)
					return
				}
				_, _ = w.Write([]byte(`{}`))
			}))
			defer server.Close()
			cfg := config(t, server.URL)
			began := time.Now()
			_, err := dynamodb.NewFromConfig(cfg, client.QuickReads).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("t"), Key: map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: "v"}}})
			if took := time.Since(began); err != nil || requests.Load() != c.times+1 || took > c.most {
				t.Errorf("%d requests in %v: %v", requests.Load(), took, err)
			}
		})
	}
}

// A server that is slow to all callers is given up once, and has more time then: its
// work would be in vain if each attempt ended as early.
func TestASlowServerHasMoreTime(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(client.ResponseTimeout + 500*time.Millisecond):
			_, _ = w.Write([]byte(`{}`))
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	cfg := config(t, server.URL)
	_, err := dynamodb.NewFromConfig(cfg).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("t"), Key: map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: "v"}}})
	if err != nil || requests.Load() != 2 {
		t.Errorf("%d requests: %v", requests.Load(), err)
	}
}

// An invocation that is waited for has a new connection each time, and no limit
// for its response.
func TestWaitingInvocationsShareNoConnection(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	cfg := config(t, server.URL)
	waiting := lambda.NewFromConfig(client.ForWaiting(cfg))
	for range 3 {
		if _, err := waiting.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("rotate")}); err != nil {
			t.Fatal(err)
		}
	}
	if got := connections.Load(); got != 3 {
		t.Errorf("%d connections for 3 invocations", got)
	}
}
