package faultinject

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Fault is what goes wrong with an operation.
type Fault struct {
	Kind Kind
	// Status and Code are the answer's, of an Answer.
	Status int
	Code   string
}

// Kind is a way to go wrong.
type Kind string

// The kinds.
const (
	// KillBefore kills the process before the operation has arrived.
	KillBefore Kind = "killed before"
	// KillAfter kills it when the other side has acted, before the answer.
	KillAfter Kind = "killed after"
	// FreezeBefore stops it before the operation has arrived. The operation
	// arrives when the process goes on: after its lease has ended and another process
	// else has done its work.
	FreezeBefore Kind = "stopped before"
	// FreezeAfter stops it, as long, when the other side has acted.
	FreezeAfter Kind = "stopped after"
	// CutOnce cuts the connection when the other side has acted; an SDK's next
	// attempt is answered.
	CutOnce Kind = "cut once"
	// Cut cuts it at each attempt.
	Cut Kind = "cut"
	// Answer gives an error in place of the service, at each attempt.
	Answer Kind = "answer"
	// Down answers 503 from this operation on, whatever the service is asked
	// for, until the invocation has ended.
	Down Kind = "down from here"
	// Slow answers 12 s late: no step but a token request waits for so long.
	Slow Kind = "12 s late"
	// Late, Later and TooLate answer a token request late: in the time that each function
	// gives it, that rotate alone gives it, and that none gives it.
	Late    Kind = "5 s late"
	Later   Kind = "20 s late"
	TooLate Kind = "40 s late"
)

// late is how late the response comes; 0: no later than it is made.
func (f Fault) late() time.Duration {
	switch f.Kind {
	case Slow:
		return 12 * time.Second
	case Late:
		return 5 * time.Second
	case Later:
		return 20 * time.Second
	case TooLate:
		return 40 * time.Second
	}
	return 0
}

// String implements fmt.Stringer.
func (f Fault) String() string {
	if f.Kind == Answer {
		return strings.TrimSpace(fmt.Sprintf("%d %s", f.Status, f.Code))
	}
	return string(f.Kind)
}

// lasts reports whether each attempt of the operation meets the fault.
func (f Fault) lasts() bool { return f.Kind == Answer || f.Kind == Cut }

// stops and kills report what becomes of the process.
func (f Fault) stops() bool { return f.Kind == FreezeBefore || f.Kind == FreezeAfter }
func (f Fault) kills() bool { return f.Kind == KillBefore || f.Kind == KillAfter }

// Faults are those that an operation can have. Of AWS's codes there is one of
// each class; every code is tried by Outages.
func Faults(o Operation) []Fault {
	all := []Fault{{Kind: KillBefore}, {Kind: KillAfter}, {Kind: FreezeBefore}, {Kind: FreezeAfter}, {Kind: Cut}}
	switch {
	case o.Name == connect: // before a request there is nothing to answer, and no other side
		return []Fault{{Kind: KillAfter}, {Kind: FreezeAfter}, {Kind: Cut}}
	case o.Service != stack.Reltio && o.Service != stack.Lambda: // those are asked once
		all = append(all, Fault{Kind: CutOnce})
	}
	if o.asks() {
		all = append(all, Fault{Kind: Late}, Fault{Kind: Later}, Fault{Kind: TooLate})
	} else {
		all = append(all, Fault{Kind: Slow})
	}
	all = append(all, Fault{Kind: Down})
	return append(all, answers(o)...)
}

// answers are the errors that an operation is given at each attempt: of AWS's
// services a throttle, a fault of the service's, and a refusal, which the SDK
// does not repeat.
func answers(o Operation) []Fault {
	is := func(status int, code string) Fault { return Fault{Kind: Answer, Status: status, Code: code} }
	switch o.Service {
	case stack.DynamoDB:
		return []Fault{
			is(http.StatusBadRequest, "ProvisionedThroughputExceededException"),
			is(http.StatusInternalServerError, "InternalServerError"),
			is(http.StatusBadRequest, "AccessDeniedException"),
		}
	case stack.SecretsManager:
		return []Fault{
			is(http.StatusBadRequest, "ThrottlingException"),
			is(http.StatusInternalServerError, "InternalServiceError"),
			is(http.StatusBadRequest, "AccessDeniedException"),
		}
	case stack.EventBridge:
		return []Fault{
			is(http.StatusBadRequest, "ThrottlingException"),
			is(http.StatusInternalServerError, "InternalException"),
			is(http.StatusBadRequest, "AccessDeniedException"),
			is(http.StatusOK, entryRefused),
		}
	case stack.Lambda:
		return []Fault{
			is(http.StatusTooManyRequests, "TooManyRequestsException"),
			is(http.StatusInternalServerError, "ServiceException"),
			is(http.StatusForbidden, "AccessDeniedException"),
		}
	default:
		return []Fault{
			is(http.StatusTooManyRequests, ""), is(http.StatusInternalServerError, ""), is(http.StatusBadGateway, ""),
			is(http.StatusServiceUnavailable, ""), is(http.StatusGatewayTimeout, ""),
		}
	}
}

// entryRefused is a success of PutEvents in which the entry failed.
const entryRefused = "FailedEntryCount 1"

// answer is the error in the shape that the service gives it: JSON 1.0 or 1.1
// with __type, or, of Lambda, a header.
func (f Fault) answer(service stack.Service) (header http.Header, body string) {
	header = http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	switch {
	case service == stack.Reltio:
		header.Set("Content-Type", "text/html")
		return header, "<html><body>out of order</body></html>"
	case service == stack.Lambda:
		header.Set("Content-Type", "application/json")
		header.Set("X-Amzn-Errortype", f.Code)
		return header, `{"Type":"Service","Message":"out of order"}`
	case f.Code == entryRefused:
		return header, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"out of order"}]}`
	case service == stack.DynamoDB:
		header.Set("Content-Type", "application/x-amz-json-1.0")
		return header, `{"__type":"com.amazonaws.dynamodb.v20120810#` + f.Code + `","message":"out of order"}`
	default:
		return header, `{"__type":"` + f.Code + `","message":"out of order"}`
	}
}

// down is the answer of a service that is down.
func down() Fault {
	return Fault{Kind: Answer, Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"}
}
