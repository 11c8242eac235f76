package issueclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"golang.org/x/oauth2"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// sandbox stands in for AWS and Reltio. Outside of tests the client is
// lambda.NewFromConfig(cfg).
func sandbox() (issuer *reltioauthtest.IssueServer, client *lambda.Client, closeIt func()) {
	issuer = &reltioauthtest.IssueServer{}
	server := httptest.NewServer(issuer)
	client = lambda.New(lambda.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), Credentials: aws.AnonymousCredentials{},
	})
	return issuer, client, server.Close
}

func ExampleTransport() {
	issuer, client, closeIt := sandbox()
	defer closeIt()
	tenant := httptest.NewServer(issuer.Tenant(nil))
	defer tenant.Close()

	reltio := &http.Client{Transport: &issueclient.Transport{
		Source: &issueclient.Source{Lambda: client, Connection: "acme-prod"},
		Hosts:  []string{strings.TrimPrefix(tenant.URL, "http://")}, // leave it out for *.reltio.com
	}}
	for range 2 {
		resp, err := reltio.Get(tenant.URL + "/reltio/api/TENANT/entities/1")
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode)
		issuer.Kill("acme-prod") // Reltio refuses the token from now on
	}
	fmt.Println("invocations:", issuer.Asked("acme-prod"))
	// Output:
	// 200
	// 200
	// invocations: 2
}

func ExampleSource_Get() {
	_, client, closeIt := sandbox()
	defer closeIt()
	source := &issueclient.Source{Lambda: client, Connection: "acme-prod"}

	token, err := source.Get(context.Background(), issueclient.Options{MinTTL: 20 * time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.AccessToken, token.TokenType, token.MinTTLMet)
	// Output: [redacted] bearer true
}

// With golang.org/x/oauth2 a Source is a TokenSource like any other.
func ExampleSource_Token() {
	_, client, closeIt := sandbox()
	defer closeIt()

	var source oauth2.TokenSource = &issueclient.Source{Lambda: client, Connection: "acme-prod"}
	token, err := source.Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Type(), token.Valid())
	// Output: Bearer true
}

func ExampleError() {
	issuer, client, closeIt := sandbox()
	defer closeIt()
	issuer.Fail("acme-prod", "ReauthorizationRequired", "a person must log in")

	source := &issueclient.Source{Lambda: client, Connection: "acme-prod"}
	_, err := source.Get(context.Background(), issueclient.Options{})
	fmt.Println(err)
	fmt.Println(errors.Is(err, issueclient.ErrReauthorizationRequired))
	// Output:
	// vended: acme-prod: ReauthorizationRequired: a person must log in
	// true
}
