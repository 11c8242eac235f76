package client_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
)

// patience is how long a caller of issue waits.
const patience = 20 * time.Second

// aloneConfig is the SDK's without this package.
func aloneConfig(endpoint string) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
}

// second is a server that treats the second request badly, and all others well.
func second(bad http.HandlerFunc) *httptest.Server {
	var requests atomic.Int32
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) == 2 {
			bad(w, r)
			return
		}
		_, _ = w.Write([]byte(`{}`))
	}))
}

// BenchmarkStalledRead is a read whose connection swallows the request, with the SDK
// alone and with this package: the time, and whether it got a response.
func BenchmarkStalledRead(b *testing.B) {
	for name, wired := range map[string]func(string) *dynamodb.Client{
		"alone": func(endpoint string) *dynamodb.Client { return dynamodb.NewFromConfig(aloneConfig(endpoint)) },
		"with": func(endpoint string) *dynamodb.Client {
			return dynamodb.NewFromConfig(config(b, endpoint), client.QuickReads)
		},
	} {
		b.Run(name, func(b *testing.B) {
			responses := 0
			for b.Loop() {
				server := second(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
				table := wired(server.URL)
				for range 2 {
					ctx, cancel := context.WithTimeout(b.Context(), patience)
					_, err := table.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("t"), Key: map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: "v"}}})
					cancel()
					if err == nil {
						responses++
					}
				}
				server.CloseClientConnections()
				server.Close()
			}
			b.ReportMetric(float64(responses)/float64(b.N), "responses-of-2")
		})
	}
}

// BenchmarkDeadConnection is an invocation over a kept connection that is reset, as
// after an environment was frozen, with one attempt each.
func BenchmarkDeadConnection(b *testing.B) {
	for name, wired := range map[string]func(string) *lambda.Client{
		"kept": func(endpoint string) *lambda.Client { return lambda.NewFromConfig(aloneConfig(endpoint)) },
		"with": func(endpoint string) *lambda.Client {
			return lambda.NewFromConfig(client.ForWaiting(config(b, endpoint)))
		},
	} {
		b.Run(name, func(b *testing.B) {
			responses := 0
			for b.Loop() {
				server := resetting()
				functions := wired(server.URL)
				for range 2 {
					_, err := functions.Invoke(b.Context(), &lambda.InvokeInput{FunctionName: aws.String("rotate")}, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
					if err == nil {
						responses++
					}
				}
				server.CloseClientConnections()
				server.Close()
			}
			b.ReportMetric(float64(responses)/float64(b.N), "responses-of-2")
		})
	}
}

// resetting is a server that resets the second request of each connection.
func resetting() *httptest.Server {
	type used struct{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n, ok := r.Context().Value(used{}).(*atomic.Int32); ok && n.Add(1) == 2 {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				if tcp, ok := conn.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
				}
				_ = conn.Close()
			}
			return
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, used{}, new(atomic.Int32))
	}
	server.Start()
	return server
}
