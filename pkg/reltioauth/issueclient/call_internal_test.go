package issueclient

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// leaves is an Invoker that answers nothing until its context ends.
type leaves struct{}

// Invoke implements Invoker.
func (leaves) Invoke(ctx context.Context, _ *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// The last caller to leave a call ends it. Callers that left earlier and check
// only then find neither a token nor an error, and no failure is stored.
func TestTheLastToLeaveACallEndsIt(t *testing.T) {
	s := &Source{Lambda: leaves{}, Connection: "acme"}
	first, second := s.join(t.Context(), key{}), s.join(t.Context(), key{})
	if first.call == nil || first.call != second.call {
		t.Fatal("want both aboard one flight")
	}
	s.leave(first)
	s.leave(second)
	<-first.call.done
	for _, p := range []pass{first, second} {
		if token, err := s.settle(p); token != nil || err != nil {
			t.Errorf("got %v, %v, want neither", token, err)
		}
	}
	if last := s.lastTrouble(); last != nil {
		t.Errorf("%v is remembered, of a flight that everybody had left", last)
	}
}
