package faultinject

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// started is a bench that runs until the test ends.
func started(t *testing.T) *Bench {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test needs engines, and a minute")
	}
	b := &Bench{Now: time.Now, AtOnce: 48}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	err := b.Start(t.Context())
	if missing := (*engines.MissingError)(nil); errors.As(err, &missing) && os.Getenv("RELTIO_TOKENS_ENGINES") != "required" {
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// named are flows of Flows.
func named(t *testing.T, names ...string) []*Flow {
	t.Helper()
	all := slices.DeleteFunc(Flows(), func(f *Flow) bool { return !slices.Contains(names, f.Name) })
	if len(all) != len(names) {
		t.Fatalf("%d of the flows %q are there", len(all), names)
	}
	return all
}

// A login, a refresh that a person cannot repeat, and a callback. `make faults`
// has the other flows and faults.
func TestTheInvariantsHoldWhateverBreaks(t *testing.T) {
	b := started(t)
	clean, err := b.All(t.Context(), named(t, "password, login",
		"authorization code, refresh, rotated, the old one is revoked", "callback, first login"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for _, c := range clean {
		cases = append(cases, slices.DeleteFunc(c.Cases(), func(c Case) bool { return !chosen(c) })...)
	}
	results, err := b.Run(t.Context(), clean, cases, nil)
	if err != nil {
		t.Fatal(err)
	}
	missed := 0
	for _, r := range results {
		if r.Missed {
			missed++
		}
		if len(r.Problems) > 0 {
			t.Error(r.Line())
		}
	}
	t.Logf("%d cases, %d of them missed their operation", len(results), missed)
	if missed > len(results)/10 {
		t.Error("that is too many")
	}
}

// chosen are the cases that are worth a minute: killed when an operation has been
// done, which is before the next one; and around those that matter most, more.
func chosen(c Case) bool {
	first, last := answers(c.Operation), Fault{}
	if len(first) > 0 {
		last = first[len(first)-1]
	}
	gives := c.asks() || strings.HasPrefix(c.Name, "PutSecretValue") || strings.HasPrefix(c.Name, "UpdateItem grant#")
	switch {
	case c.Kind == KillAfter:
		return true
	case c.asks() && (c.kills() || c.Kind == FreezeBefore):
		return true
	case gives && (c.Kind == Cut || c.Kind == Down):
		return true
	case c.Kind == Late || c.Kind == Later:
		return true
	}
	return gives && (c.Fault == first[0] || c.Fault == last)
}

// A service that breaks what it promises is found out. Here the test does, after
// the fault: it asks Reltio too often, and writes a secret into the log.
func TestABrokenPromiseIsSeen(t *testing.T) {
	b := started(t)
	careless := *named(t, "password, refresh, the token is kept")[0]
	careless.next = func(ctx context.Context, s *scene) string {
		for range 3 {
			s.renewAgain(ctx)
		}
		_, _ = s.log.Write([]byte(password))
		return s.renewAgain(ctx)
	}
	fails := Fault{Kind: Answer, Status: http.StatusBadRequest, Code: "ThrottlingException"}
	clean := Clean{Flow: &careless, Requests: 1}
	results, err := b.Run(t.Context(), []Clean{clean}, []Case{
		{Flow: &careless, Operation: Operation{Service: stack.DynamoDB, Name: "BatchGetItem budget# grant# parked#", Nth: 1}, Fault: fails},
		{Flow: &careless, Operation: Operation{Service: stack.DynamoDB, Name: "GetItem nothing#", Nth: 1}, Fault: fails},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"I2: 0 token requests, then 4", "I11: a secret in a log"}
	if diff := cmp.Diff(want, results[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if !results[1].Missed {
		t.Error("an operation that there is none of was met")
	}
}

func TestHowManyAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing starts
	for given, want := range map[int]int{-1: -1, 0: 8, 3: 3} {
		b := &Bench{Now: time.Now, AtOnce: given, Binaries: t.TempDir()}
		err := b.Start(ctx)
		if err == nil || errors.Is(err, errAtOnce) != (given < 0) || b.AtOnce != want {
			t.Errorf("%d at once: %v, and then %d, want %d", given, err, b.AtOnce, want)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNames(t *testing.T) {
	for want, request := range map[string]struct {
		service            stack.Service
		target, path, body string
	}{
		"GetItem grant#": {stack.DynamoDB, "DynamoDB_20120810.GetItem", "/", `{"Key":{"pk":{"S":"grant#a#b"}}}`},
		"BatchGetItem grant# parked#": {
			stack.DynamoDB, "DynamoDB_20120810.BatchGetItem", "/",
			`{"RequestItems":{"t":{"Keys":[{"pk":{"S":"parked#a"}},{"pk":{"S":"grant#a"}}]}}}`,
		},
		"Query":                       {stack.DynamoDB, "DynamoDB_20120810.Query", "/", `{"IndexName":"due"}`},
		"GetSecretValue connections/": {stack.SecretsManager, "secretsmanager.GetSecretValue", "/", `{"SecretId":"p/connections/a"}`},
		"CreateSecret grants/":        {stack.SecretsManager, "secretsmanager.CreateSecret", "/", `{"Name":"p/grants/a"}`},
		"PutEvents":                   {stack.EventBridge, "AWSEvents.PutEvents", "/", `{"Entries":[]}`},
		"Invoke rotate":               {stack.Lambda, "", "/2015-03-31/functions/rotate/invocations", `{}`},
		"token refresh_token":         {stack.Reltio, "", "/oauth/token", `grant_type=refresh_token&refresh_token=r`},
		"checkToken":                  {stack.Reltio, "", "/oauth/checkToken", `token=t`},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://service"+request.path, http.NoBody)
		r.Header.Set("X-Amz-Target", request.target)
		if got := nameOf(request.service, r, []byte(request.body)); got != want {
			t.Errorf("name %q, want %q", got, want)
		}
	}
}

func TestWhatIsAlikeIsOneRow(t *testing.T) {
	flow := &Flow{Name: "a flow", Function: rotate}
	read := Operation{Service: stack.Lambda, Name: "Read", Nth: 1}
	write := Operation{Service: stack.Lambda, Name: "Write", Nth: 2}
	clean := Clean{Flow: flow, Operations: []Operation{read, write}, Seen: "token", Requests: 1}
	var results []Result
	for _, c := range clean.Cases() {
		r := Result{Case: c, Seen: "token", Next: "renewed", Requests: 1}
		switch {
		case c.kills():
			r.Seen, r.Next = "StoreUnavailable", "contended; renewed"
		case c.Operation == write && c.Kind == Slow:
			r.Problems = []string{"I2: 2 token requests", "an error of\ntwo lines | and a bar"}
		}
		results = append(results, r)
	}
	var got strings.Builder
	if err := errors.Join(Summarize(&got, []Clean{clean}, results), Write(&got, []Clean{clean}, results)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| a flow | 2 | 20 | 1 | StoreUnavailable; token | 1 at most |\n\n- a flow | Write 2 | 12 s late | token | renewed | 1 | I2: 2 token",
		"| all | killed before, killed after | StoreUnavailable | contended; renewed | 1 | kept |\n",
		"| Read | stopped before, stopped after, cut, 12 s late, down from here, every error | token | renewed | 1 | kept |\n",
		"| Write 2 | stopped before, stopped after, cut, down from here, every error | token | renewed | 1 | kept |\n",
		"| Write 2 | 12 s late | token | renewed | 1 | I2: 2 token requests; an error of two lines \\| and a bar |\n",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no row %q in\n%s", want, got.String())
		}
	}
}
