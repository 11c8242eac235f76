package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/operate"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// issueFunction invokes the issue function, as an integration does.
type issueFunction struct {
	client *lambda.Client
	name   string
}

var _ operate.IssueFunction = issueFunction{}

// Issue implements operate.IssueFunction.
func (f issueFunction) Issue(ctx context.Context, r operate.IssueRequest) (operate.Issued, error) {
	payload, err := json.Marshal(struct {
		Connection    string `json:"connection"`
		MinTTLSeconds int64  `json:"min_ttl_seconds,omitempty"`
	}{r.Connection, int64(r.MinTTL / time.Second)})
	if err != nil {
		return operate.Issued{}, fault.Wrap(fault.Internal, "", err)
	}
	out, err := f.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(f.name), Payload: payload},
		func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return operate.Issued{}, refused(ctx, err)
	}
	if out.FunctionError != nil {
		return operate.Issued{}, functionError(out.Payload)
	}
	return issued(out.Payload)
}

// refused is the fault of an invocation that did not take place.
func refused(ctx context.Context, err error) *fault.Error {
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests:
		return fault.Wrap(fault.RateLimited, "Lambda throttles the issue function", err)
	case ctx.Err() != nil:
		return fault.Wrap(fault.StoreUnavailable, "issue: no answer in time", err)
	default:
		return fault.Wrap(fault.StoreUnavailable, "issue: it cannot be invoked", err)
	}
}

// functionError is the error that the function answered: its type and message
// are made to be shown. Another program's may not be.
func functionError(payload []byte) *fault.Error {
	var e struct {
		Type    fault.Type `json:"errorType"`
		Message string     `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return fault.New(fault.StoreUnavailable, "issue: the function failed")
	}
	switch e.Type {
	case fault.InvalidRequest, fault.UnknownConnection, fault.AccessDenied, fault.InvalidConnection,
		fault.CredentialsRejected, fault.MFARequired, fault.ReauthorizationRequired,
		fault.ConnectionPaused, fault.TokenLimitReached, fault.RateLimited,
		fault.ReltioUnavailable, fault.StoreUnavailable, fault.Internal:
		return fault.New(e.Type, e.Message)
	default:
		return fault.New(fault.StoreUnavailable, "issue: the function failed")
	}
}

// issued reads an answer.
func issued(payload []byte) (operate.Issued, error) {
	var a struct {
		Connection  string    `json:"connection"`
		AccessToken string    `json:"access_token"`
		Fingerprint string    `json:"fingerprint"`
		ExpiresIn   int64     `json:"expires_in"`
		ExpiresAt   time.Time `json:"expires_at"`
		Version     int64     `json:"version"`
		Outcome     string    `json:"outcome"`
		MinTTLMet   bool      `json:"min_ttl_met"`
		Warnings    []string  `json:"warnings"`
	}
	if err := json.Unmarshal(payload, &a); err != nil || a.AccessToken == "" {
		return operate.Issued{}, fault.New(fault.StoreUnavailable, "issue: the answer is unreadable")
	}
	return operate.Issued{
		Connection:  a.Connection,
		AccessToken: reltioauth.NewSecret(a.AccessToken),
		Fingerprint: a.Fingerprint,
		ExpiresIn:   time.Duration(a.ExpiresIn) * time.Second,
		ExpiresAt:   a.ExpiresAt,
		Version:     a.Version,
		Outcome:     a.Outcome,
		MinTTLMet:   a.MinTTLMet,
		Warnings:    a.Warnings,
	}, nil
}
