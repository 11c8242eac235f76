package extension

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// defaultPatience is the longest that a caller waits for failures to pass, all its
// waits together: enough for a throttled invocation or a lost packet that passes in
// two seconds, by which a wait is lengthened by up to a fifth. For a longer wait the
// caller gets the error, because its waiting time is billed and its deadline is not
// known here.
const defaultPatience = 2400 * time.Millisecond

// shortest is the life below which a token counts as expired: a response says
// whole seconds, and at least one.
const shortest = time.Second

// Sources is a TokenSource that keeps one issueclient.Source for each connection
// that was asked for. The exported fields are required.
type Sources struct {
	// Lambda invokes issue. It should keep no connection open.
	Lambda issueclient.Invoker
	// Function is issue's name or ARN.
	Function string
	Log      *telemetry.Log
	Now      func() time.Time
	// RetryFor is the longest that a caller waits for failures to pass. Zero means
	// 2.4 s.
	RetryFor time.Duration

	mu   sync.Mutex // guards kept; not held during network calls
	kept map[string]*source
}

var _ TokenSource = (*Sources)(nil)

// source is the source of one connection, and how many renewals it has made.
type source struct {
	tokens   issueclient.Source
	renewals atomic.Int64
}

// Token implements TokenSource.
func (s *Sources) Token(ctx context.Context, connection string, minTTL time.Duration) (issueapi.Response, error) {
	return s.get(ctx, connection, issueclient.Options{MinTTL: minTTL}, minTTL)
}

// Rejected implements TokenSource.
func (s *Sources) Rejected(ctx context.Context, connection, fingerprint string) (issueapi.Response, error) {
	return s.get(ctx, connection, issueclient.Options{Rejected: fingerprint}, 0)
}

func (s *Sources) get(ctx context.Context, connection string, need issueclient.Options, minTTL time.Duration) (issueapi.Response, error) {
	from := s.source(connection)
	before := from.renewals.Load()
	token, left, err := s.lasting(ctx, from, need)
	if err != nil {
		return issueapi.Response{}, err
	}
	outcome := issueapi.Cached
	if from.renewals.Load() > before {
		outcome = issueapi.Renewed
	}
	warnings := token.Warnings
	if warnings == nil {
		warnings = []issueapi.Warning{} // in JSON a list, never null
	}
	return issueapi.Response{
		Connection: connection, AccessToken: token.AccessToken.Reveal(), TokenType: token.TokenType, Scope: token.Scope,
		ExpiresIn: int64(left / time.Second), ExpiresAt: token.ExpiresAt.UTC().Format(time.RFC3339),
		Fingerprint: token.Fingerprint, Version: token.Version,
		Outcome: outcome, MinTTLMet: left >= minTTL, Warnings: warnings, APIURL: token.APIURL, TenantID: token.TenantID,
	}, nil
}

// lasting gets a token that a response can have, and its life. In a token's last
// second it waits for the end, once, and gets the next one.
func (s *Sources) lasting(ctx context.Context, from *source, need issueclient.Options) (*issueclient.Token, time.Duration, error) {
	for again := false; ; again = true {
		token, err := from.tokens.Get(ctx, need)
		if err != nil {
			return nil, 0, asFaultOf(err)
		}
		left := token.ExpiresAt.Sub(s.Now().Round(0))
		switch {
		case left >= shortest:
			return token, left, nil
		case again:
			return nil, 0, apierr.New(apierr.ReltioUnavailable, "the token has ended")
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return nil, 0, apierr.New(apierr.ReltioUnavailable, "the token has ended")
		}
	}
}

// source finds or makes the source of a connection. An unknown connection has one
// too: it keeps issue's error for a while.
func (s *Sources) source(connection string) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.kept[connection]; ok {
		return found
	}
	if s.kept == nil {
		s.kept = map[string]*source{}
	}
	made := &source{}
	made.tokens.Lambda = &observer{to: s, connection: connection, renewals: &made.renewals}
	made.tokens.Function = s.Function
	made.tokens.Connection = connection
	made.tokens.RetryFor = cmp.Or(s.RetryFor, defaultPatience)
	made.tokens.Now = s.Now
	s.kept[connection] = made
	return made
}

// observer invokes issue for one connection, logs each invocation, and counts the
// renewals. It recovers from panics, because it is called in its own goroutine,
// where no caller does.
type observer struct {
	to         *Sources
	connection string
	renewals   *atomic.Int64
}

// Invoke implements issueclient.Invoker.
func (o *observer) Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (out *lambda.InvokeOutput, err error) {
	start := o.to.Now()
	said := ""
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("panic: %T", p)
		}
		o.log(ctx, said, err, o.to.Now().Sub(start))
	}()
	out, err = o.to.Lambda.Invoke(ctx, in, opts...)
	if err != nil || out == nil {
		return out, err
	}
	var answer struct {
		Outcome   issueapi.Outcome `json:"outcome"`
		ErrorType apierr.Type      `json:"errorType"`
	}
	if json.Unmarshal(out.Payload, &answer) != nil {
		return out, nil // the source reports what is wrong with it
	}
	switch {
	case out.FunctionError != nil:
		said = string(known(answer.ErrorType))
	case answer.Outcome == issueapi.Renewed:
		o.renewals.Add(1)
		said = string(issueapi.Renewed)
	default:
		said = string(issueapi.Cached)
	}
	return out, nil
}

func (o *observer) log(ctx context.Context, outcome string, err error, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("connection", o.connection), slog.String("outcome", outcome)}
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("cause", fmt.Sprintf("%T", err)))
		if code := lambdaCode(err); code != "" {
			attrs = append(attrs, slog.String("code", code))
		}
		if reason := throttledBecause(err); reason != "" {
			attrs = append(attrs, slog.String("reason", reason))
		}
	}
	o.to.Log.Write(ctx, level, "issue invoked", append(attrs, telemetry.Took(took))...)
}

// asFaultOf turns a source's error into an error of issue's types.
func asFaultOf(err error) error {
	var e *issueclient.Error
	if !errors.As(err, &e) {
		return apierr.Wrap(apierr.StoreUnavailable, "issue: no answer in time", err)
	}
	switch t := known(e.Type); {
	case e.Type == issueclient.ErrRateLimited && (e.Err != nil || e.RetryAfter > 0):
		return apierr.Limited(max(e.RetryAfter, time.Second))
	case t == "" && e.Temporary():
		return apierr.Wrap(apierr.StoreUnavailable, "issue: it failed", err)
	case t == "":
		return apierr.Wrap(apierr.Internal, "RELTIO_TOKENS_FUNCTION: is not issue, or cannot run", err)
	case e.Err == nil:
		return apierr.Wrap(t, e.Message, err)
	case t == apierr.InvalidRequest: // this process's own request, not its caller's
		return apierr.Wrap(apierr.Internal, meaning(e.Err), err)
	default:
		return apierr.Wrap(t, meaning(e.Err), err)
	}
}

// known is t if it is one of the documented types, else empty.
func known(t apierr.Type) apierr.Type {
	if t.Known() {
		return t
	}
	return ""
}
