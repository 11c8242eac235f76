package handler

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// Issue handles invocations by integrations. All fields are required. It
// implements lambda.Handler.
type Issue struct {
	Issuer *issue.Issuer
	Log    *telemetry.Log
	Now    func() time.Time
}

// Invoke handles one invocation.
func (h *Issue) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	start := h.Now()
	var request issue.Request
	var answer issue.Answer
	var data []byte
	err := h.Log.Guard(ctx, "", func() (err error) {
		if request, err = issueRequest(payload); err != nil {
			return err
		}
		request.Alias = alias(ctx)
		if answer, err = h.Issuer.Issue(ctx, request); err != nil {
			return err
		}
		data, err = encode(issueResponse(answer))
		return err
	})
	h.log(ctx, request, answer, err, start)
	if err != nil {
		return nil, Fail(ctx, err)
	}
	return data, nil
}

func (h *Issue) log(ctx context.Context, r issue.Request, a issue.Answer, err error, start time.Time) {
	outcome := string(a.Outcome)
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("connection", r.Connection),
		slog.Int64("version", a.Version), slog.String("fingerprint", a.Fingerprint))
	switch {
	case err != nil:
		outcome = string(apierr.Of(err).Type)
		attrs = append(attrs, telemetry.Fault(err)...)
	case len(a.Warnings) > 0:
		attrs = append(attrs, slog.Any("warnings", a.Warnings))
	}
	h.Log.Invocation(ctx, telemetry.Line{
		Level: levelOf(err), Message: "issue", Attrs: append(attrs, telemetry.Took(h.Now().Sub(start))),
		Outcome: outcome, Counted: []telemetry.Metric{telemetry.Count(telemetry.Issued, 1)},
	})
}

// issueRequest decodes a request. Its error lists all problems.
func issueRequest(payload []byte) (issue.Request, error) {
	if r, ok := plainRequest(payload); ok {
		return r, nil
	}
	o, err := strictjson.Parse(payload)
	if err != nil {
		return issue.Request{}, apierr.New(apierr.InvalidRequest, "payload: "+err.Error())
	}
	r := issue.Request{
		Connection:          connectionName(o),
		MinTTL:              minTTL(o),
		RejectedFingerprint: rejected(o),
	}
	if problems := o.Problems(); len(problems) > 0 {
		return issue.Request{}, apierr.Fields(apierr.InvalidRequest, problems)
	}
	return r, nil
}

// plainRequest reads the request that most callers send,
// {"connection":"acme-prod"} and nothing else, without a decoder, which would
// take more than half the time of issuing from memory. If the name between these
// bytes is valid, the request is. Any other request goes to the decoder.
func plainRequest(payload []byte) (issue.Request, bool) {
	rest, opened := bytes.CutPrefix(payload, []byte(`{"connection":`))
	rest, quoted := bytes.CutPrefix(bytes.TrimPrefix(rest, []byte(" ")), []byte(`"`))
	rest, closed := bytes.CutSuffix(rest, []byte(`"}`))
	name := string(rest)
	return issue.Request{Connection: name}, opened && quoted && closed && issueapi.ValidConnection(name)
}

func connectionName(o *strictjson.Object) string {
	name := o.String(issueapi.FieldConnection)
	switch {
	case !o.Has(issueapi.FieldConnection):
		o.Problem(issueapi.FieldConnection, issueapi.Required)
	case !issueapi.ValidConnection(name):
		o.Problem(issueapi.FieldConnection, issueapi.ConnectionRule)
	}
	return name
}

func minTTL(o *strictjson.Object) time.Duration {
	seconds := o.Integer(issueapi.FieldMinTTLSeconds)
	if !issueapi.ValidMinTTLSeconds(seconds) {
		o.Problem(issueapi.FieldMinTTLSeconds, issueapi.MinTTLRule)
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func rejected(o *strictjson.Object) string {
	text := o.String(issueapi.FieldRejectedFingerprint)
	if o.Has(issueapi.FieldRejectedFingerprint) && !issueapi.ValidFingerprint(text) {
		o.Problem(issueapi.FieldRejectedFingerprint, issueapi.FingerprintRule)
	}
	return text
}

// alias is the qualifier of the invoked function's ARN; empty if it has none.
func alias(ctx context.Context) string {
	const parts = 8 // arn:partition:lambda:region:account:function:name:qualifier
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return ""
	}
	arn := strings.Split(lc.InvokedFunctionArn, ":")
	if len(arn) < parts {
		return ""
	}
	return arn[parts-1]
}

// issueResponse takes the token out of its Secret: only here does it leave the
// service.
func issueResponse(a issue.Answer) issueapi.Response {
	return issueapi.Response{
		Connection:  a.Connection,
		AccessToken: a.AccessToken.Reveal(),
		TokenType:   a.TokenType,
		Scope:       a.Scope,
		ExpiresIn:   int64(a.ExpiresIn / time.Second),
		ExpiresAt:   a.ExpiresAt.Format(time.RFC3339),
		Fingerprint: a.Fingerprint,
		Version:     a.Version,
		Outcome:     a.Outcome,
		MinTTLMet:   a.MinTTLMet,
		Warnings:    a.Warnings,
		APIURL:      a.APIURL,
		TenantID:    a.TenantID,
	}
}
