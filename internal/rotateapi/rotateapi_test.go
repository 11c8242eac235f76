package rotateapi_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

func outcomes() []rotateapi.Outcome {
	return []rotateapi.Outcome{
		rotateapi.Renewed, rotateapi.Unchanged, rotateapi.Contended,
		rotateapi.Failed, rotateapi.Reauthorize, rotateapi.LeftOver,
	}
}

// The two functions are deployed apart: what goes between them is exact.
func TestRequestJSON(t *testing.T) {
	for name, test := range map[string]struct {
		request rotateapi.Request
		want    string
	}{
		"the least": {rotateapi.Request{Connection: "acme"}, `{"connection":"acme"}`},
		"everything": {
			rotateapi.Request{
				Connection: "acme-prod", Lease: &rotateapi.Lease{Owner: "o", Epoch: 7},
				RejectedFingerprint: "sha256:00", MinTTLSeconds: 300, Force: true,
			},
			`{"connection":"acme-prod","lease":{"owner":"o","epoch":7},"rejected_fingerprint":"sha256:00","min_ttl_seconds":300,"force":true}`,
		},
		"a lease of nothing": {rotateapi.Request{Connection: "acme", Lease: &rotateapi.Lease{}}, `{"connection":"acme","lease":{"owner":"","epoch":0}}`},
	} {
		t.Run(name, func(t *testing.T) { wantJSON(t, test.request, test.want) })
	}
}

func TestResultJSON(t *testing.T) {
	sweep := rotateapi.Result{Due: 12, Renewed: 10, Unchanged: 1, Failed: 1}
	all := rotateapi.Result{}
	for _, o := range outcomes() {
		all.Count(o)
	}
	for name, test := range map[string]struct {
		result rotateapi.Result
		want   string
	}{
		"nothing to do": {
			rotateapi.Result{},
			`{"due":0,"renewed":0,"unchanged":0,"contended":0,"failed":0,"reauthorize":0,"left_over":0,"outcome":null,"error":null}`,
		},
		"a sweep": {
			sweep,
			`{"due":12,"renewed":10,"unchanged":1,"contended":0,"failed":1,"reauthorize":0,"left_over":0,"outcome":null,"error":null}`,
		},
		"a sweep with everything": {
			all,
			`{"due":6,"renewed":1,"unchanged":1,"contended":1,"failed":1,"reauthorize":1,"left_over":1,"outcome":null,"error":null}`,
		},
		"renewed": {
			rotateapi.Single(rotateapi.Renewed, nil),
			`{"due":1,"renewed":1,"unchanged":0,"contended":0,"failed":0,"reauthorize":0,"left_over":0,"outcome":"renewed","error":null}`,
		},
		"unchanged": {
			rotateapi.Single(rotateapi.Unchanged, nil),
			`{"due":1,"renewed":0,"unchanged":1,"contended":0,"failed":0,"reauthorize":0,"left_over":0,"outcome":"unchanged","error":null}`,
		},
		"contended": {
			rotateapi.Single(rotateapi.Contended, nil),
			`{"due":1,"renewed":0,"unchanged":0,"contended":1,"failed":0,"reauthorize":0,"left_over":0,"outcome":"contended","error":null}`,
		},
		"failed": {
			rotateapi.Single(rotateapi.Failed, apierr.New(apierr.ReltioUnavailable, "no answer")),
			`{"due":1,"renewed":0,"unchanged":0,"contended":0,"failed":1,"reauthorize":0,"left_over":0,"outcome":"failed","error":{"type":"ReltioUnavailable","message":"no answer"}}`,
		},
		"reauthorize": {
			rotateapi.Single(rotateapi.Reauthorize, apierr.New(apierr.ReauthorizationRequired, "")),
			`{"due":1,"renewed":0,"unchanged":0,"contended":0,"failed":0,"reauthorize":1,"left_over":0,"outcome":"reauthorize","error":{"type":"ReauthorizationRequired","message":""}}`,
		},
		"left over": {
			rotateapi.Single(rotateapi.LeftOver, apierr.New(apierr.RateLimited, "retry after 2 s")),
			`{"due":1,"renewed":0,"unchanged":0,"contended":0,"failed":0,"reauthorize":0,"left_over":1,"outcome":"left_over","error":{"type":"RateLimited","message":"retry after 2 s"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) { wantJSON(t, test.result, test.want) })
	}
}

// wantJSON compares letter by letter, and reads it back.
func wantJSON[T any](t *testing.T, value T, want string) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); got != want {
		t.Errorf("JSON %s\nwant %s", got, want)
	}
	var back T
	if err := json.Unmarshal([]byte(want), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(value, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestDueIsTheSumOfTheOthers(t *testing.T) {
	var r rotateapi.Result
	for i, o := range outcomes() {
		for range i + 1 {
			r.Count(o)
		}
	}
	if sum := r.Renewed + r.Unchanged + r.Contended + r.Failed + r.Reauthorize + r.LeftOver; r.Due != 21 || sum != 21 {
		t.Errorf("due %d, the others %d; want 21 each", r.Due, sum)
	}
}

func TestOutcomes(t *testing.T) {
	r := rotateapi.Result{Renewed: 3, Failed: 2, LeftOver: 1}
	want := map[rotateapi.Outcome]int{rotateapi.Renewed: 3, rotateapi.Failed: 2, rotateapi.LeftOver: 1}
	if diff := cmp.Diff(want, maps.Collect(r.Outcomes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range r.Outcomes() {
		break // it can be left
	}
	for o := range (rotateapi.Result{}).Outcomes() {
		t.Errorf("nothing happened, and %s is told", o)
	}
}

func TestErrorComesBack(t *testing.T) {
	if got := rotateapi.Single(rotateapi.Renewed, nil).Fault(); got != nil {
		t.Errorf("a success has the fault %v", got)
	}
	e := apierr.Wrap(apierr.MFARequired, "a second factor", apierr.New(apierr.Internal, "hidden"))
	got := rotateapi.Single(rotateapi.Failed, e).Fault()
	if got.Type != apierr.MFARequired || got.Message != "a second factor" || got.Unwrap() != nil {
		t.Errorf("fault %v, want type and message without a cause", got)
	}
}

// What a newer function adds is no obstacle to an older one.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	var r rotateapi.Request
	if err := json.Unmarshal([]byte(`{"connection":"acme","later":{"a":[1]}}`), &r); err != nil || r.Connection != "acme" {
		t.Errorf("request %+v, %v", r, err)
	}
	var result rotateapi.Result
	text := `{"due":1,"renewed":1,"outcome":"renewed","error":null,"later":1}`
	if err := json.Unmarshal([]byte(text), &result); err != nil || result.Due != 1 || *result.Outcome != rotateapi.Renewed {
		t.Errorf("result %+v, %v", result, err)
	}
}
