// The instead function gets a token as integrations do that have no service
// for it. HOW says which way:
//
//	each    a password login with x/oauth2 at each invocation
//	client  the same with client credentials
//	cached  the token in DynamoDB, read at each invocation and replaced by
//	        the caller that finds it near its end: the usual recipe, without a lease
//	secret  the credentials read from Secrets Manager at each invocation, the
//	        token kept in the process
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	if err := run(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func run() error {
	early, err := time.ParseDuration(os.Getenv("EARLY"))
	if err != nil {
		return err
	}
	c, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return err
	}
	w := &way{
		early: early,
		given: credentials{
			ClientID: os.Getenv("LOGIN_CLIENT"), ClientSecret: os.Getenv("LOGIN_CLIENT_SECRET"),
			Username: os.Getenv("LOGIN_USER"), Password: os.Getenv("LOGIN_PASSWORD"),
		},
		dynamo: dynamodb.NewFromConfig(c), secrets: secretsmanager.NewFromConfig(c),
	}
	ways := map[string]func(context.Context) (*oauth2.Token, error){"each": w.each, "cached": w.cached, "secret": w.secret, "client": w.client}
	token, ok := ways[os.Getenv("HOW")]
	if !ok {
		return fmt.Errorf("HOW is %q", os.Getenv("HOW"))
	}
	lambda.Start(func(ctx context.Context) (map[string]string, error) {
		t, err := token(ctx)
		if err != nil {
			return nil, err
		}
		return map[string]string{"access_token": t.AccessToken}, nil
	})
	return nil
}

// credentials are what logs in.
type credentials struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Username     string `json:"username"`
	Password     string `json:"password"`
}

func (c credentials) login(ctx context.Context) (*oauth2.Token, error) {
	o := oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: os.Getenv("TOKEN_URL"), AuthStyle: oauth2.AuthStyleInHeader},
	}
	return o.PasswordCredentialsToken(ctx, c.Username, c.Password)
}

// way holds what the three ways need.
type way struct {
	// early is how long before its end a token is replaced.
	early   time.Duration
	given   credentials
	dynamo  *dynamodb.Client
	secrets *secretsmanager.Client
	// kept is the process's token; one invocation runs at a time.
	kept *oauth2.Token
}

func (w *way) fresh(t *oauth2.Token) bool { return t != nil && time.Until(t.Expiry) > w.early }

func (w *way) each(ctx context.Context) (*oauth2.Token, error) { return w.given.login(ctx) }

func (w *way) client(ctx context.Context) (*oauth2.Token, error) {
	c := clientcredentials.Config{
		ClientID: w.given.ClientID, ClientSecret: w.given.ClientSecret,
		TokenURL: os.Getenv("TOKEN_URL"), AuthStyle: oauth2.AuthStyleInHeader,
	}
	return c.Token(ctx)
}

func (w *way) cached(ctx context.Context) (*oauth2.Token, error) {
	key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "cache#token"}}
	table := aws.String(os.Getenv("TABLE_NAME"))
	out, err := w.dynamo.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key})
	if err != nil {
		return nil, err
	}
	if t := stored(out.Item); w.fresh(t) {
		return t, nil
	}
	t, err := w.given.login(ctx)
	if err != nil {
		return nil, err
	}
	key["token"] = &types.AttributeValueMemberS{Value: t.AccessToken}
	key["ends"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(t.Expiry.UnixMilli(), 10)}
	_, err = w.dynamo.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: key})
	return t, err
}

func stored(item map[string]types.AttributeValue) *oauth2.Token {
	token, _ := item["token"].(*types.AttributeValueMemberS)
	ends, _ := item["ends"].(*types.AttributeValueMemberN)
	if token == nil || ends == nil {
		return nil
	}
	ms, err := strconv.ParseInt(ends.Value, 10, 64)
	if err != nil {
		return nil
	}
	return &oauth2.Token{AccessToken: token.Value, Expiry: time.UnixMilli(ms)}
}

func (w *way) secret(ctx context.Context) (*oauth2.Token, error) {
	out, err := w.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(os.Getenv("SECRET_ID"))})
	if err != nil {
		return nil, err
	}
	if w.fresh(w.kept) {
		return w.kept, nil
	}
	var c credentials
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &c); err != nil {
		return nil, err
	}
	w.kept, err = c.login(ctx)
	return w.kept, err
}
