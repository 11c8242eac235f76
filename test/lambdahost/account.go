package lambdahost

import (
	"net/http"
	"sync"
)

// Account counts the executions of an AWS account as Lambda does. An invocation of a
// function that has a reserve takes a place of that reserve, and no other one does. All
// other invocations share what the reserves leave. One that finds no place is refused
// with TooManyRequestsException: Lambda queues no synchronous invocation. It is safe
// for concurrent use.
//
// Lambda takes no reserve that leaves fewer than 100 places to all other functions, so
// an account of 100 or less can have none. An Account takes any that it has.
type Account struct {
	executions int

	// mu guards what follows.
	mu       sync.Mutex
	reserves map[string]int
	running  map[string]int
}

// NewAccount is an account of so many executions at a time.
func NewAccount(executions int) *Account {
	return &Account{executions: executions, reserves: map[string]int{}, running: map[string]int{}}
}

// Reserve reserves places for a function, in place of its reserve before. It counts as
// Function.Concurrency does: 0 means no reserve, and negative that the function may
// not run. The error, for more than there are, is an *Error.
func (a *Account) Reserve(function string, places int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if left := a.unreserved() + max(0, a.reserves[function]) - max(0, places); left < 0 {
		return &Error{
			Status: http.StatusBadRequest, Code: "InvalidParameterValueException",
			Message: "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [0].",
		}
	}
	if places == 0 {
		delete(a.reserves, function)
	} else {
		a.reserves[function] = places
	}
	return nil
}

// unreserved is what the reserves leave; mu is held.
func (a *Account) unreserved() int {
	left := a.executions
	for _, places := range a.reserves {
		left -= max(0, places)
	}
	return left
}

// Enter takes a place for an invocation of a function, or says why there is none.
// Leave is its end.
func (a *Account) Enter(function string) *Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if places, reserved := a.reserves[function]; reserved {
		if a.running[function] >= places {
			return throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
		}
		a.running[function]++
		return nil
	}
	running := 0
	for name, n := range a.running {
		if _, reserved := a.reserves[name]; !reserved {
			running += n
		}
	}
	if running >= a.unreserved() {
		return throttled("ConcurrentInvocationLimitExceeded")
	}
	a.running[function]++
	return nil
}

// Leave gives the place back.
func (a *Account) Leave(function string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[function]--
}
