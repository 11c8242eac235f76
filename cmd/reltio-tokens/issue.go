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

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// issueFunction invokes the issue function, as an integration does.
type issueFunction struct {
	client *lambda.Client
	name   string
}

var _ operator.IssueFunction = issueFunction{}

// Issue implements operator.IssueFunction.
func (f issueFunction) Issue(ctx context.Context, r operator.IssueRequest) (operator.Issued, error) {
	payload, err := json.Marshal(struct {
		Connection    string `json:"connection"`
		MinTTLSeconds int64  `json:"min_ttl_seconds,omitempty"`
	}{r.Connection, int64(r.MinTTL / time.Second)})
	if err != nil {
		return operator.Issued{}, apierr.Wrap(apierr.Internal, "", err)
	}
	out, err := f.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(f.name), Payload: payload},
		func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return operator.Issued{}, refused(ctx, err)
	}
	if out.FunctionError != nil {
		return operator.Issued{}, functionError(out.Payload)
	}
	return issued(out.Payload)
}

// refused is the error of an invocation that did not take place.
func refused(ctx context.Context, err error) *apierr.Error {
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests:
		return apierr.Wrap(apierr.RateLimited, "Lambda throttles the issue function", err)
	case ctx.Err() != nil:
		return apierr.Wrap(apierr.StoreUnavailable, "issue: no answer in time", err)
	default:
		return apierr.Wrap(apierr.StoreUnavailable, "issue: it cannot be invoked", err)
	}
}

// functionError is the error of the function, whose type and message may be
// shown. The text of another program's error may not.
func functionError(payload []byte) *apierr.Error {
	var e struct {
		Type    apierr.Type `json:"errorType"`
		Message string      `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return apierr.New(apierr.StoreUnavailable, "issue: the function failed")
	}
	switch e.Type {
	case apierr.InvalidRequest, apierr.UnknownConnection, apierr.AccessDenied, apierr.InvalidConnection,
		apierr.CredentialsRejected, apierr.MFARequired, apierr.ReauthorizationRequired,
		apierr.ConnectionPaused, apierr.TokenLimitReached, apierr.RateLimited,
		apierr.ReltioUnavailable, apierr.StoreUnavailable, apierr.Internal:
		return apierr.New(e.Type, e.Message)
	default:
		return apierr.New(apierr.StoreUnavailable, "issue: the function failed")
	}
}

// issued reads a response.
func issued(payload []byte) (operator.Issued, error) {
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
		return operator.Issued{}, apierr.New(apierr.StoreUnavailable, "issue: the answer is unreadable")
	}
	return operator.Issued{
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
