// entity reads an entity of the tenant that a connection names.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, connection string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	source := &issueclient.Source{Lambda: lambda.NewFromConfig(cfg), Connection: connection}
	token, err := source.Get(ctx, issueclient.Options{})
	if err != nil {
		return err
	}
	api, err := url.Parse(token.APIURL)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &issueclient.Transport{Source: source, Hosts: []string{api.Host}}}
	resp, err := client.Get(api.JoinPath("entities", "1").String())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}
