// Package tenant is an integration in Go: a client of one tenant's API that
// needs to know nothing of tokens.
package tenant

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// Client calls the API of a tenant.
type Client struct {
	api  *url.URL
	http *http.Client
}

// New makes a client. Call it once for each process: in a Lambda function,
// outside the handler, so that the next invocations find the token. An empty api
// means the address that the connection's secret has.
func New(ctx context.Context, api string) (*Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS: %w", err)
	}
	source := &issueclient.Source{Lambda: lambda.NewFromConfig(cfg), Connection: "acme-prod"}
	if api == "" {
		token, err := source.Get(ctx, issueclient.Options{})
		if err != nil {
			return nil, fmt.Errorf("no token: %w", err)
		}
		api = token.APIURL // https://prod.reltio.com/reltio/api/TENANT
	}
	address, err := url.Parse(api)
	if err != nil {
		return nil, fmt.Errorf("address of the API: %w", err)
	}
	transport := &issueclient.Transport{Source: source, Hosts: []string{address.Host}, Retry: true}
	return &Client{api: address, http: &http.Client{Transport: transport}}, nil
}

// Entity reads an entity.
func (c *Client) Entity(ctx context.Context, id string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.api.JoinPath("entities", id).String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("entity %s: %w", id, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("entity %s: %w", id, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("entity %s: %s", id, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
