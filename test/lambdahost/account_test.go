package lambdahost_test

import (
	"errors"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// enter is an invocation of a function that has begun, or the reason why not.
func enter(a *lambdahost.Account, function string) string {
	if refused := a.Enter(function); refused != nil {
		return refused.Reason
	}
	return ""
}

// A reserve is the function's alone, and its most; what the reserves leave is for
// all others together.
func TestReserves(t *testing.T) {
	const (
		none = ""
		all  = "ConcurrentInvocationLimitExceeded"
		own  = "ReservedFunctionConcurrentInvocationLimitExceeded"
	)
	for name, c := range map[string]struct {
		reserves map[string]int
		invoke   []string
		want     []string
	}{
		"no reserve: all share":  {nil, []string{"a", "a", "b", "b", "a"}, []string{none, none, none, none, all}},
		"a reserve waits unused": {map[string]int{"b": 1}, []string{"a", "a", "a", "a", "b"}, []string{none, none, none, all, none}},
		"and is the most":        {map[string]int{"b": 1}, []string{"b", "b", "a", "a", "a"}, []string{none, own, none, none, none}},
		"everything is reserved": {map[string]int{"a": 1, "b": 3}, []string{"c", "a", "a", "b"}, []string{all, none, own, none}},
		"reserved for nothing":   {map[string]int{"b": -1}, []string{"b", "a", "a", "a", "a", "a"}, []string{own, none, none, none, none, all}},
	} {
		t.Run(name, func(t *testing.T) {
			a := lambdahost.NewAccount(4)
			for function, places := range c.reserves {
				if err := a.Reserve(function, places); err != nil {
					t.Fatal(err)
				}
			}
			for i, function := range c.invoke {
				if got := enter(a, function); got != c.want[i] {
					t.Errorf("invocation %d, of %s: %q, want %q", i, function, got, c.want[i])
				}
			}
		})
	}
}

// A place that was left is free, and a reserve can be changed while it is used.
func TestPlacesComeBack(t *testing.T) {
	a := lambdahost.NewAccount(2)
	if enter(a, "a") != "" || enter(a, "b") != "" || enter(a, "a") == "" {
		t.Fatal("not two places")
	}
	a.Leave("a")
	if err := a.Reserve("b", 2); err != nil {
		t.Fatal(err)
	}
	if enter(a, "a") == "" || enter(a, "b") != "" || enter(a, "b") == "" {
		t.Error("the reserve does not count the invocation that ran before it")
	}
	if err := a.Reserve("b", 0); err != nil {
		t.Fatal(err)
	}
	a.Leave("b")
	if enter(a, "a") != "" {
		t.Error("a reserve that was taken back is not free")
	}
}

func TestMoreReservesThanPlaces(t *testing.T) {
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now, Concurrency: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	deploy(t, h, func(f *lambdahost.Function) { f.Name, f.Concurrency = "f", 6 })
	deploy(t, h, func(f *lambdahost.Function) { f.Name, f.Concurrency = "f", 8 })
	err = h.Deploy(child(func(f *lambdahost.Function) { f.Name, f.Concurrency = "g", 3 }))
	var refused *lambdahost.Error
	if !errors.As(err, &refused) || refused.Code != "InvalidParameterValueException" {
		t.Errorf("error %v, want InvalidParameterValueException", err)
	}
	deploy(t, h, func(f *lambdahost.Function) { f.Name, f.Concurrency = "g", 2 })
}
