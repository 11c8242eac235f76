// The oauth2 function asks for a token by client credentials with x/oauth2 and
// does nothing else. A renewal is measured against it.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	c := clientcredentials.Config{
		ClientID: os.Getenv("LOGIN_CLIENT"), ClientSecret: os.Getenv("LOGIN_CLIENT_SECRET"),
		TokenURL: os.Getenv("TOKEN_URL"), AuthStyle: oauth2.AuthStyleInHeader,
	}
	lambda.Start(func(ctx context.Context) (map[string]string, error) {
		t, err := c.Token(ctx)
		if err != nil {
			return nil, err
		}
		return map[string]string{"access_token": t.AccessToken}, nil
	})
}
