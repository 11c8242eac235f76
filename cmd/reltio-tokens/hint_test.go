package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Each failure that an operator can do something about says what.
func TestHintsByError(t *testing.T) {
	answered := func(service, code string) error {
		api := &smithy.GenericAPIError{Code: code, Message: canary}
		operation := &smithy.OperationError{ServiceID: service, OperationName: "Call", Err: api}
		return apierr.Wrap(apierr.StoreUnavailable, service+": "+code, operation)
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no table":           {answered("DynamoDB", "ResourceNotFoundException"), "there is no such table"},
		"no function":        {answered("Lambda", "ResourceNotFoundException"), "there is no such function"},
		"no right":           {answered("Secrets Manager", "AccessDeniedException"), "use the operator's role"},
		"old credentials":    {answered("DynamoDB", "ExpiredTokenException"), "log in again"},
		"wrong credentials":  {answered("Lambda", "UnrecognizedClientException"), "log in again"},
		"something else":     {answered("DynamoDB", "InternalServerError"), ""},
		"nobody listens":     {apierr.Wrap(apierr.StoreUnavailable, "m", syscall.ECONNREFUSED), "nothing listens there"},
		"no time left":       {apierr.Wrap(apierr.StoreUnavailable, "m", context.DeadlineExceeded), "--timeout"},
		"no credentials":     {fmt.Errorf("%w: m", errNoCredentials), "AWS_PROFILE"},
		"no connection":      {apierr.New(apierr.UnknownConnection, ""), "lists all connections"},
		"a malformed secret": {apierr.New(apierr.InvalidConnection, ""), "reltio-tokens check NAME"},
		"rejected":           {apierr.New(apierr.CredentialsRejected, ""), "reltio-tokens check NAME says why"},
		"a second factor":    {apierr.New(apierr.MFARequired, ""), "totp_secret"},
		"a person":           {apierr.New(apierr.ReauthorizationRequired, ""), "reltio-tokens connect NAME"},
		"paused":             {apierr.New(apierr.ConnectionPaused, ""), "reltio-tokens unpause NAME"},
		"nothing to be done": {apierr.New(apierr.ReltioUnavailable, ""), ""},
		"a defect":           {errors.New(canary), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := hint(test.err)
			if !strings.Contains(got, test.want) || (test.want == "") != (got == "") || strings.Contains(got, canary) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"0s": "0s", "999ms": "0s", "59s": "59s", "60s": "1m", "59m59s": "59m", "1h": "1h00m", "3h5m59s": "3h05m",
		"47h59m": "47h59m", "48h": "2d", "672h": "28d",
	} {
		if got := span(mustDuration(t, text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func mustDuration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
