package invoke_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

func TestRotate(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		want   rotateapi.Result
	}{
		"renewed": {renewed, rotateapi.Single(rotateapi.Renewed, nil)},
		"failed": {
			`{"due":1,"renewed":0,"unchanged":0,"contended":0,"failed":1,"reauthorize":0,"left_over":0,"outcome":"failed","error":{"type":"MFARequired","message":"m"}}`,
			rotateapi.Single(rotateapi.Failed, apierr.New(apierr.MFARequired, "m")),
		},
		"of a later release": {
			`{"due":1,"contended":1,"outcome":"contended","error":null,"later":{"a":[1]}}`,
			rotateapi.Single(rotateapi.Contended, nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, f := serve(t, says(http.StatusOK, test.answer))
			got, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			want := []request{{"POST", "/2015-03-31/functions/rotate/invocations", "RequestResponse", `{"connection":"acme"}`}}
			if diff := cmp.Diff(want, a.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRotateLater(t *testing.T) {
	a, f := serve(t, says(http.StatusAccepted, ""))
	err := f.RotateLater(t.Context(), rotateapi.Request{Connection: "acme", Lease: &rotateapi.Lease{Owner: "o", Epoch: 7}})
	if err != nil {
		t.Fatal(err)
	}
	want := []request{{
		"POST", "/2015-03-31/functions/rotate/invocations", "Event",
		`{"connection":"acme","lease":{"owner":"o","epoch":7}}`,
	}}
	if diff := cmp.Diff(want, a.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestEveryFieldOnTheWire(t *testing.T) {
	a, f := serve(t, says(http.StatusOK, renewed))
	_, err := f.Rotate(t.Context(), rotateapi.Request{
		Connection:          "acme-prod",
		Lease:               &rotateapi.Lease{Owner: "3f1c", Epoch: 7},
		RejectedFingerprint: "sha256:00112233445566778899aabbccddeeff",
		MinTTLSeconds:       300,
		Force:               true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"connection":"acme-prod","lease":{"owner":"3f1c","epoch":7},` +
		`"rejected_fingerprint":"sha256:00112233445566778899aabbccddeeff","min_ttl_seconds":300,"force":true}`
	if got := a.requests()[0].Body; got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

func TestNameCanBeAnARN(t *testing.T) {
	a, f := serve(t, says(http.StatusOK, renewed))
	f.Name = "arn:aws:lambda:eu-central-1:123456789012:function:rotate:live"
	if _, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"}); err != nil {
		t.Fatal(err)
	}
	if got, want := a.requests()[0].Path, "/2015-03-31/functions/"+f.Name+"/invocations"; got != want {
		t.Errorf("path %q, want %q", got, want)
	}
}

// failure is a way to fail that both kinds of invocation have in common.
type failure struct {
	answer http.HandlerFunc
	want   string
}

func failures() map[string]failure {
	const (
		limited    = "RateLimited: retry after "
		impossible = "StoreUnavailable: rotate: it cannot be invoked"
		secret     = `{"Type":"User","message":"` + canary + `","Message":"` + canary + `"}`
	)
	coded := func(code string) string { return "X-Amzn-Errortype: " + code }
	return map[string]failure{
		"throttled":                     {says(429, secret, coded("TooManyRequestsException")), limited + "1 s"},
		"throttled, with a time":        {says(429, secret, coded("TooManyRequestsException"), "Retry-After: 7"), limited + "7 s"},
		"throttled for days":            {says(429, secret, coded("TooManyRequestsException"), "Retry-After: 999999"), limited + "300 s"},
		"throttled for ever":            {says(429, secret, coded("TooManyRequestsException"), "Retry-After: 99999999999999999999"), limited + "1 s"},
		"throttled for nothing":         {says(429, secret, coded("TooManyRequestsException"), "Retry-After: 0"), limited + "1 s"},
		"throttled, no moment given":    {says(429, secret, coded("TooManyRequestsException"), "Retry-After: soon"), limited + "1 s"},
		"throttled by an unknown code":  {says(429, secret, coded("OtherException")), limited + "1 s"},
		"throttled without a body":      {says(429, ""), limited + "1 s"},
		"sent elsewhere":                {says(307, "", "Location: /elsewhere"), impossible},
		"a gateway in between":          {says(503, "<html>"+canary), impossible},
		"a code that is none":           {says(500, secret, coded(canary+" 1")), impossible},
		"a code that is long":           {says(500, secret, coded(strings.Repeat("A", 65))), impossible},
		"a code in the body alone":      {says(502, `{"code":"KMSNotFoundException","message":"`+canary+`"}`), impossible + ": KMSNotFoundException"},
		"a code with its address":       {says(403, secret, coded("AccessDeniedException:http://internal.amazon.com/coral/")), impossible + ": AccessDeniedException"},
		"the line breaks":               {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, impossible},
		"the line breaks in the answer": {cutOff, impossible},
	}
}

func TestAFailureIsOneRequestAndOneError(t *testing.T) {
	for name, test := range failures() {
		t.Run(name, func(t *testing.T) {
			a, f := serve(t, test.answer)
			_, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
			wantFault(t, err, test.want)
			if got := len(a.requests()); got != 1 {
				t.Errorf("Rotate: %d requests, want 1", got)
			}
			err = f.RotateLater(t.Context(), rotateapi.Request{Connection: "acme"})
			wantFault(t, err, test.want)
			if got := len(a.requests()); got != 2 {
				t.Errorf("RotateLater: %d requests, want 1", got-1)
			}
		})
	}
}

// apiErrors are the codes that AWS documents for Invoke, and those that each of
// its APIs may give, with their status.
func apiErrors() map[string]int {
	return map[string]int{
		"DurableExecutionAlreadyStartedException": 409, "EC2AccessDeniedException": 502, "EC2ThrottledException": 502,
		"EC2UnexpectedException": 502, "EFSIOException": 410, "EFSMountConnectivityException": 408,
		"EFSMountFailureException": 403, "EFSMountTimeoutException": 408, "ENILimitReachedException": 502,
		"InvalidParameterValueException": 400, "InvalidRequestContentException": 400, "InvalidRuntimeException": 502,
		"InvalidSecurityGroupIDException": 502, "InvalidSubnetIDException": 502, "InvalidZipFileException": 502,
		"KMSAccessDeniedException": 502, "KMSDisabledException": 502, "KMSInvalidStateException": 502,
		"KMSNotFoundException": 502, "NoPublishedVersionException": 400, "RecursiveInvocationException": 400,
		"RequestTooLargeException": 413, "ResourceConflictException": 409, "ResourceNotFoundException": 404,
		"ResourceNotReadyException": 502, "SerializedRequestEntityTooLargeException": 413, "ServiceException": 500,
		"SnapStartException": 400, "SnapStartNotReadyException": 409, "SnapStartTimeoutException": 408,
		"SubnetIPAddressLimitReachedException": 502, "UnsupportedMediaTypeException": 415,

		"AccessDeniedException": 403, "ExpiredTokenException": 403, "IncompleteSignatureException": 400,
		"InvalidSignatureException": 403, "MissingAuthenticationTokenException": 403, "NotAuthorized": 400,
		"OptInRequired": 403, "RequestExpired": 400, "ServiceUnavailable": 503, "InternalFailure": 500,
		"UnrecognizedClientException": 403, "ValidationError": 400,
	}
}

// Which of many reasons it was stands in the message, and nothing of AWS's text.
func TestTheCodeOfEachErrorIsSaid(t *testing.T) {
	for code, status := range apiErrors() {
		t.Run(code, func(t *testing.T) {
			_, f := serve(t, says(status, `{"Type":"User","Message":"`+canary+`"}`, "X-Amzn-Errortype: "+code))
			want := "StoreUnavailable: rotate: it cannot be invoked: " + code
			_, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
			wantFault(t, err, want)
			wantFault(t, f.RotateLater(t.Context(), rotateapi.Request{Connection: "acme"}), want)
		})
	}
}

func TestALineThatBreaksAfterASuccessIsNotTriedAgain(t *testing.T) {
	calls := 0 // written by the server, read after it has answered
	a, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if calls > 1 {
			panic(http.ErrAbortHandler) // on a connection that was used before
		}
		says(http.StatusOK, renewed)(w, r)
	})
	if _, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"}); err != nil {
		t.Fatal(err)
	}
	_, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
	wantFault(t, err, "StoreUnavailable: rotate: it cannot be invoked")
	if got := len(a.requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestNoServerListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := function(server.URL).Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
	wantFault(t, err, "StoreUnavailable: rotate: it cannot be invoked")
}

func TestFunctionThatFailed(t *testing.T) {
	for name, test := range map[string]struct{ payload, want string }{
		"a type of ours":       {`{"errorMessage":"` + canary + `","errorType":"StoreUnavailable"}`, "StoreUnavailable"},
		"another of ours":      {`{"errorMessage":"` + canary + `","errorType":"InvalidRequest"}`, "InvalidRequest"},
		"a timeout":            {`{"errorMessage":"` + canary + ` Task timed out after 90.00 seconds"}`, "the function failed"},
		"a process that ended": {`{"errorMessage":"` + canary + `","errorType":"Runtime.ExitError"}`, "the function failed"},
		"a type with text":     {`{"errorMessage":"","errorType":"` + canary + `"}`, "the function failed"},
		"a type of no type":    {`{"errorType":["` + canary + `"]}`, "the function failed"},
		"no JSON":              {canary, "the function failed"},
		"nothing":              {"", "the function failed"},
		"a result":             {renewed, "the function failed"},
	} {
		t.Run(name, func(t *testing.T) {
			wantNoResult(t, test.want, says(http.StatusOK, test.payload, "X-Amz-Function-Error: Unhandled"))
		})
	}
}

// wantNoResult invokes rotate once, of which Lambda says this.
func wantNoResult(t *testing.T, want string, says http.HandlerFunc) {
	t.Helper()
	a, f := serve(t, says)
	got, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
	wantFault(t, err, "StoreUnavailable: rotate: "+want)
	if diff := cmp.Diff(rotateapi.Result{}, got); diff != "" {
		t.Errorf("a result next to the error (-want +got):\n%s", diff)
	}
	if got := len(a.requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// A type of the closed list comes through, whichever it is.
func TestEveryTypeOfOursIsNamed(t *testing.T) {
	for _, known := range []apierr.Type{
		apierr.InvalidRequest, apierr.UnknownConnection, apierr.AccessDenied, apierr.InvalidConnection,
		apierr.CredentialsRejected, apierr.MFARequired, apierr.ReauthorizationRequired, apierr.ConnectionPaused,
		apierr.TokenLimitReached, apierr.RateLimited, apierr.ReltioUnavailable, apierr.StoreUnavailable, apierr.Internal,
	} {
		payload := fmt.Sprintf(`{"errorMessage":"m","errorType":%q}`, known)
		_, f := serve(t, says(http.StatusOK, payload, "X-Amz-Function-Error: Handled"))
		_, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
		wantFault(t, err, "StoreUnavailable: rotate: "+string(known))

		_, f = serve(t, says(http.StatusOK, fmt.Sprintf(`{"outcome":"failed","error":{"type":%q,"message":"m"}}`, known)))
		got, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"})
		if err != nil || got.Fault().Type != known {
			t.Errorf("a result with %s: %v, want it", known, err)
		}
	}
}

func TestAnswersThatAreNoResult(t *testing.T) {
	for name, test := range map[string]struct{ payload, want string }{
		"nothing":              {"", "the answer is unreadable"},
		"null":                 {"null", "the answer is unreadable"},
		"no JSON":              {canary, "the answer is unreadable"},
		"cut off":              {renewed[:20], "the answer is unreadable"},
		"something after it":   {renewed + canary, "the answer is unreadable"},
		"a list":               {"[]", "the answer is unreadable"},
		"a sweep's":            {strings.Replace(renewed, `"renewed",`, "null,", 1), "the answer is unreadable"},
		"no outcome":           {"{}", "the answer is unreadable"},
		"an unknown outcome":   {strings.Replace(renewed, `"renewed",`, `"`+canary+`",`, 1), "the answer is unreadable"},
		"a count as text":      {strings.Replace(renewed, `"due":1`, `"due":"1"`, 1), "the answer is unreadable"},
		"an unknown error":     {strings.Replace(renewed, `"error":null`, `"error":{"type":"`+canary+`","message":""}`, 1), "the answer is unreadable"},
		"longer than any":      {renewed + strings.Repeat(" ", 64<<10), "the answer is too long"},
		"longer, and an error": {strings.Repeat(" ", 64<<10+1), "the answer is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			wantNoResult(t, test.want, says(http.StatusOK, test.payload))
		})
	}
}

func TestTheLongestAnswerIsRead(t *testing.T) {
	_, f := serve(t, says(http.StatusOK, renewed+strings.Repeat(" ", 64<<10-len(renewed))))
	if _, err := f.Rotate(t.Context(), rotateapi.Request{Connection: "acme"}); err != nil {
		t.Errorf("Rotate: %v", err)
	}
}

func TestDeadlineEndsTheWait(t *testing.T) {
	release := make(chan struct{})
	a, f := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.Rotate(ctx, rotateapi.Request{Connection: "acme"})
	wantFault(t, err, "StoreUnavailable: rotate: no answer in time")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v does not tell that the context ended", err)
	}
	if got := len(a.requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	wantFault(t, f.RotateLater(ctx, rotateapi.Request{Connection: "acme"}), "StoreUnavailable: rotate: no answer in time")
}
