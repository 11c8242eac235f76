package extension

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// meanings say what an error of Lambda's Invoke means for the person who looks after
// the function, by the error's code. A code that ends with * stands for all codes that
// begin so; the first that fits counts. What the caller should do with the error is
// its type, which issueclient takes from the HTTP status.
var meanings = []struct{ code, says string }{ //nolint:gochecknoglobals // a constant table
	{"ResourceNotFoundException", "RELTIO_TOKENS_FUNCTION: Lambda finds no such function"},
	{"InvalidParameterValueException", "RELTIO_TOKENS_FUNCTION: Lambda does not take it as a name"},
	{"ValidationException", "RELTIO_TOKENS_FUNCTION: Lambda does not take it as a name"},
	{"InvalidRequestContentException", "Lambda cannot read the request as JSON"},
	{"RequestTooLargeException", "the request is too large for Lambda"},
	{"UnsupportedMediaTypeException", "Lambda refuses the content type of the request, which a proxy may have changed"},
	{"RecursiveInvocationException", "Lambda has stopped a loop of functions that invoke each other"},
	{"SnapStart*", "issue: its snapshot cannot be started"},
	{"AccessDeniedException", "the function's role may not invoke RELTIO_TOKENS_FUNCTION"},
	{"InvalidSignatureException", "Lambda refuses the signature, so this machine's clock may be wrong"},
	{"SignatureDoesNotMatch", "Lambda refuses the signature, so this machine's clock may be wrong"},
	{"RequestTimeTooSkewed", "Lambda refuses the signature, so this machine's clock may be wrong"},
	{"RequestExpired", "Lambda refuses the signature, so this machine's clock may be wrong"},
	{"ResourceConflictException", "issue: it is being changed"},
	{"ResourceNotReadyException", "issue: it is not ready yet"},
	{"KMS*", "issue: Lambda cannot use the key of its environment variables"},
	{"EC2*", "issue: Lambda cannot set up its network"},
	{"ENI*", "issue: Lambda cannot set up its network"},
	{"Subnet*", "issue: Lambda cannot set up its network"},
	{"InvalidSubnetIDException", "issue: Lambda cannot set up its network"},
	{"InvalidSecurityGroupIDException", "issue: Lambda cannot set up its network"},
	{"EFS*", "issue: Lambda cannot reach its file system"},
	{"S3Files*", "issue: Lambda cannot reach its file system"},
	{"InvalidRuntimeException", "issue: Lambda cannot start it as it was built"},
	{"InvalidZipFileException", "issue: Lambda cannot start it as it was built"},
	{"ServiceException", "Lambda has failed"},
}

// byStatus are the meanings of responses whose code is missing or not in meanings:
// a proxy's, or of a later release of Lambda.
func byStatus(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "Lambda refuses the function's credentials, which may have expired"
	case http.StatusNotFound:
		return "RELTIO_TOKENS_FUNCTION: Lambda finds no such function"
	case http.StatusRequestEntityTooLarge:
		return "the request is too large for Lambda"
	case http.StatusUnsupportedMediaType:
		return "Lambda refuses the content type of the request, which a proxy may have changed"
	}
	switch {
	case status >= http.StatusInternalServerError:
		return "Lambda has failed"
	case status >= http.StatusBadRequest:
		return "Lambda refuses the request"
	}
	return "issue: it cannot be invoked"
}

// meaning is the text for an invocation that Lambda, a proxy or the network
// refused: what it means, and the code, which an operator can look up. Other text
// of the error is not shown.
func meaning(err error) string {
	code, status := lambdaCode(err), lambdaStatus(err)
	if code == "" && (status == http.StatusForbidden || status == http.StatusUnauthorized) {
		code = "AccessDeniedException" // IAM's own refusal, as VPC endpoints say it
	}
	for _, m := range meanings {
		if prefix, all := strings.CutSuffix(m.code, "*"); code == m.code || all && strings.HasPrefix(code, prefix) {
			return named(m.says, code)
		}
	}
	return named(byStatus(status), code)
}

// named adds a code that says more than the text.
func named(says, code string) string {
	switch code {
	case "", "AccessDeniedException", "ResourceNotFoundException":
		return says
	}
	return says + ": " + code
}

// lambdaStatus is the HTTP status of Lambda's error; 0 if there was no response.
func lambdaStatus(err error) int {
	var response interface{ HTTPStatusCode() int }
	if !errors.As(err, &response) {
		return 0
	}
	return response.HTTPStatusCode()
}

// printableCode matches the codes of Lambda's errors that may be shown.
var printableCode = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// lambdaCode is the code of Lambda's error; empty if it has none.
func lambdaCode(err error) string {
	var said interface{ ErrorCode() string }
	if !errors.As(err, &said) || !printableCode.MatchString(said.ErrorCode()) {
		return ""
	}
	return said.ErrorCode()
}

// throttledBecause is which limit of Lambda refused an invocation; empty if none
// did, or Lambda did not say.
func throttledBecause(err error) string {
	var e *types.TooManyRequestsException
	if !errors.As(err, &e) || !printableCode.MatchString(string(e.Reason)) {
		return ""
	}
	return string(e.Reason)
}
