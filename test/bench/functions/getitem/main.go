// The getitem function reads a grant and answers what issue answers, with the
// SDK and encoding/json alone: no memory, no checks, no log. It is what issue
// from DynamoDB is measured against.
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
)

func main() {
	c, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	lambda.Start(&reader{client: dynamodb.NewFromConfig(c), table: os.Getenv("TABLE_NAME")})
}

// reader implements lambda.Handler.
type reader struct {
	client *dynamodb.Client
	table  string
}

// answer has issue's keys in issue's order.
type answer struct {
	Connection  string   `json:"connection"`
	AccessToken string   `json:"access_token"`
	TokenType   string   `json:"token_type"`
	Scope       string   `json:"scope"`
	ExpiresIn   int64    `json:"expires_in"`
	ExpiresAt   string   `json:"expires_at"`
	Fingerprint string   `json:"fingerprint"`
	Version     int64    `json:"version"`
	Outcome     string   `json:"outcome"`
	MinTTLMet   bool     `json:"min_ttl_met"`
	Warnings    []string `json:"warnings"`
}

// Invoke implements lambda.Handler.
func (r *reader) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var request struct {
		Connection string `json:"connection"`
	}
	if err := json.Unmarshal(payload, &request); err != nil {
		return nil, err
	}
	out, err := r.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(r.table),
		Key:       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "grant#" + request.Connection}},
	})
	if err != nil {
		return nil, err
	}
	ends := time.UnixMilli(number(out.Item["expires_at"])).UTC().Truncate(time.Second)
	return json.Marshal(answer{
		Connection:  request.Connection,
		AccessToken: text(out.Item["access_token"]),
		TokenType:   text(out.Item["token_type"]),
		Scope:       text(out.Item["scope"]),
		ExpiresIn:   int64(time.Until(ends) / time.Second),
		ExpiresAt:   ends.Format(time.RFC3339),
		Fingerprint: text(out.Item["fingerprint"]),
		Version:     number(out.Item["version"]),
		Outcome:     "cached",
		MinTTLMet:   true,
		Warnings:    []string{},
	})
}

func text(a types.AttributeValue) string {
	if s, ok := a.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(a types.AttributeValue) int64 {
	n, ok := a.(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	i, _ := strconv.ParseInt(n.Value, 10, 64) // zero if it is none
	return i
}
