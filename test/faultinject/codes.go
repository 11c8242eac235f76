package faultinject

import (
	"net/http"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Code is an error code that AWS documents for an action.
type Code struct {
	Class  Class
	Status int
	Name   string
}

// Class is what a code says to who gets it.
type Class string

// The classes.
const (
	// Repeated codes say that the same request may succeed a moment later: a
	// throttle, or a fault of the service's. The SDK repeats it.
	Repeated Class = "repeated"
	// Refused: the role, the key or the request is wrong. Only an operator ends
	// it, if it is true.
	Refused Class = "refused"
	// Missing: the table, the secret or the function is not there.
	Missing Class = "missing"
	// Conflict: another writer was faster. It is over with the next request.
	Conflict Class = "conflict"
)

// Action is an action of IAM, as template.yaml names it: "dynamodb:GetItem".
type Action string

// Actions are all that the functions may do, of which every code is tried.
func Actions() []Action {
	return []Action{
		"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:Query",
		"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue", "secretsmanager:CreateSecret",
		"events:PutEvents", "lambda:InvokeFunction",
	}
}

// Codes are those that the references of the services list for the action, and
// those of "Common Error Types".
func Codes(a Action) []Code {
	switch a {
	case "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query":
		return slices.Concat(dynamoCodes(), commonCodes())
	case "dynamodb:UpdateItem":
		return slices.Concat(dynamoCodes(), writeCodes(), commonCodes())
	case "secretsmanager:GetSecretValue":
		return slices.Concat(secretCodes(), of(Refused, http.StatusBadRequest, "DecryptionFailure"), commonCodes())
	case "secretsmanager:DescribeSecret":
		return slices.Concat(secretCodes(), commonCodes())
	case "secretsmanager:PutSecretValue":
		return slices.Concat(secretCodes(), versionCodes(), commonCodes())
	case "secretsmanager:CreateSecret":
		return slices.Concat(secretCodes(), versionCodes(), of(Refused, http.StatusBadRequest,
			"MalformedPolicyDocumentException", "PreconditionNotMetException"), commonCodes())
	case "events:PutEvents":
		return slices.Concat(busCodes(), commonCodes())
	case "lambda:InvokeFunction":
		return slices.Concat(lambdaCodes(), commonCodes())
	}
	return nil
}

func of(class Class, status int, names ...string) []Code {
	all := make([]Code, 0, len(names))
	for _, name := range names {
		all = append(all, Code{Class: class, Status: status, Name: name})
	}
	return all
}

// commonCodes are those that any service may answer.
func commonCodes() []Code {
	return slices.Concat(
		of(Repeated, http.StatusBadRequest, "ThrottlingException", "RequestAbortedException"),
		of(Repeated, http.StatusRequestTimeout, "RequestTimeoutException"),
		of(Repeated, http.StatusInternalServerError, "InternalFailure"),
		of(Repeated, http.StatusServiceUnavailable, "ServiceUnavailable"),
		of(Refused, http.StatusBadRequest, "AccessDeniedException", "IncompleteSignature", "MalformedHttpRequestException",
			"RequestExpired", "UnrecognizedClientException", "ValidationError", "ValidationException"),
		of(Refused, http.StatusUnauthorized, "NotAuthorized"),
		of(Refused, http.StatusForbidden, "ExpiredTokenException", "InvalidClientTokenId", "MissingAuthenticationToken", "OptInRequired"),
		of(Refused, http.StatusNotFound, "UnknownOperationException"),
		of(Refused, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException"),
	)
}

func dynamoCodes() []Code {
	return slices.Concat(
		of(Repeated, http.StatusBadRequest, "ProvisionedThroughputExceededException", "RequestLimitExceeded"),
		of(Repeated, http.StatusInternalServerError, "InternalServerError"),
		of(Missing, http.StatusBadRequest, "ResourceNotFoundException"),
		of(Refused, http.StatusMisdirectedRequest, "InvalidEndpointException"),
	)
}

// writeCodes are those of a write of an item.
func writeCodes() []Code {
	return slices.Concat(
		of(Conflict, http.StatusBadRequest, "ConditionalCheckFailedException", "TransactionConflictException", "ReplicatedWriteConflictException"),
		of(Refused, http.StatusBadRequest, "ItemCollectionSizeLimitExceededException"),
	)
}

func secretCodes() []Code {
	return slices.Concat(
		of(Repeated, http.StatusBadRequest, "InternalServiceError"), // with 400, as it is documented
		of(Repeated, http.StatusInternalServerError, "InternalServiceError", "InternalServiceFailure"),
		of(Missing, http.StatusBadRequest, "ResourceNotFoundException"),
		of(Refused, http.StatusBadRequest, "InvalidParameterException", "InvalidRequestException"),
	)
}

// versionCodes are those of a new version of a secret.
func versionCodes() []Code {
	return slices.Concat(
		of(Refused, http.StatusBadRequest, "EncryptionFailure", "LimitExceededException", "KMSInvalidStateException"),
		of(Conflict, http.StatusBadRequest, "ResourceExistsException"),
	)
}

func busCodes() []Code {
	return slices.Concat(
		of(Repeated, http.StatusInternalServerError, "InternalException"),
		of(Repeated, http.StatusOK, entryRefused),
	)
}

func lambdaCodes() []Code {
	return slices.Concat(
		of(Repeated, http.StatusTooManyRequests, "TooManyRequestsException"),
		of(Repeated, http.StatusInternalServerError, "ServiceException"),
		of(Repeated, http.StatusBadGateway, "EC2ThrottledException", "EC2UnexpectedException", "ENILimitReachedException",
			"ENINotReadyException", "ResourceNotReadyException", "SubnetIPAddressLimitReachedException"),
		of(Repeated, http.StatusRequestTimeout, "EFSMountConnectivityException", "EFSMountTimeoutException",
			"S3FilesMountConnectivityException", "S3FilesMountTimeoutException", "SnapStartTimeoutException"),
		of(Repeated, http.StatusGone, "EFSIOException"),
		of(Refused, http.StatusBadRequest, "InvalidParameterValueException", "InvalidRequestContentException", "ModeNotSupportedException",
			"NoPublishedVersionException", "RecursiveInvocationException", "SnapStartException"),
		of(Refused, http.StatusForbidden, "EFSMountFailureException", "S3FilesMountFailureException"),
		of(Refused, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "SerializedRequestEntityTooLargeException"),
		of(Refused, http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException"),
		of(Refused, http.StatusBadGateway, "EC2AccessDeniedException", "InvalidRuntimeException", "InvalidSecurityGroupIDException",
			"InvalidSubnetIDException", "InvalidZipFileException", "KMSAccessDeniedException", "KMSDisabledException",
			"KMSInvalidStateException", "KMSNotFoundException"),
		of(Missing, http.StatusNotFound, "ResourceNotFoundException"),
		of(Conflict, http.StatusConflict, "ResourceConflictException", "SnapStartNotReadyException", "SnapStartRegenerationFailureException",
			"CodeArtifactUserDeletedException", "CodeArtifactUserFailedException", "CodeArtifactUserPendingException",
			"DurableExecutionAlreadyStartedException"),
	)
}

// action is the operation's; empty for one of Reltio's.
func (o Operation) action() Action {
	verb := o.verb()
	switch o.Service {
	case stack.DynamoDB:
		return Action("dynamodb:" + verb)
	case stack.SecretsManager:
		return Action("secretsmanager:" + verb)
	case stack.EventBridge:
		return Action("events:" + verb)
	case stack.Lambda:
		return "lambda:InvokeFunction"
	}
	return ""
}

// reads reports whether the operation changes nothing: a fault after it is one
// before it.
func (o Operation) reads() bool {
	return slices.Contains([]string{"GetItem", "BatchGetItem", "Query", "GetSecretValue", "DescribeSecret"}, o.verb())
}

// firstOf is the first code of the class.
func firstOf(codes []Code, class Class) (Code, bool) {
	for _, c := range codes {
		if c.Class == class {
			return c, true
		}
	}
	return Code{}, false
}
