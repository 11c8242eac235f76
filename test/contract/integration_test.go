package contract_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// counted counts the invocations of the real client.
type counted struct {
	*lambda.Client
	n atomic.Int32
}

func (c *counted) Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	c.n.Add(1)
	return c.Client.Invoke(ctx, in, opts...)
}

// A thousand calls of a tenant API, by ten at a time, while the token is revoked: none
// fails. (It is revoked once: issue checks no more than one reported token in 30 s.)
func TestAThousandCalls(t *testing.T) {
	stack := localtest.Start(t, local.Config{})
	client := &counted{Client: localtest.Client(stack.LambdaURL)}
	api := tenant(t, stack)
	source := &issueclient.Source{Lambda: client, Connection: demo}
	caller := &http.Client{Transport: &issueclient.Transport{Source: source, Hosts: []string{strings.TrimPrefix(api.URL, "http://")}}}

	work := make(chan int)
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			for range work {
				resp, err := caller.Get(api.URL)
				if err != nil {
					t.Error(err)
					continue
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
		})
	}
	for i := range 1000 {
		if i == 500 {
			token, err := source.Get(t.Context(), issueclient.Options{})
			if err != nil {
				t.Fatal(err)
			}
			kill(t, stack, token.AccessToken)
		}
		work <- i
	}
	close(work)
	callers.Wait()
	if got := client.n.Load(); got != 2 {
		t.Errorf("%d invocations, want 2: a token, and a report", got)
	}
}

func TestErrorsOfTheRealFunction(t *testing.T) {
	stack := localtest.Start(t, local.Config{})
	client := localtest.Client(stack.LambdaURL)
	for name, test := range map[string]struct {
		source *issueclient.Source
		want   issueclient.ErrorType
	}{
		"no such connection": {&issueclient.Source{Lambda: client, Connection: "nope"}, issueclient.ErrUnknownConnection},
		"no name":            {&issueclient.Source{Lambda: client, Connection: "No Name"}, issueclient.ErrInvalidRequest},
		"a person":           {&issueclient.Source{Lambda: client, Connection: "demo-authorization-code"}, issueclient.ErrReauthorizationRequired},
		"no such function":   {&issueclient.Source{Lambda: client, Function: "tissue", Connection: demo}, issueclient.ErrInvalidRequest},
		"another function":   {&issueclient.Source{Lambda: client, Function: "rotate", Connection: demo}, issueclient.ErrInvalidAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.source.Get(t.Context(), issueclient.Options{})
			var e *issueclient.Error
			if !errors.As(err, &e) || e.Type != test.want || e.Temporary() {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
