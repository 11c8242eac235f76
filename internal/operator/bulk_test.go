package operator_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func (w *world) imported(fields map[string]any, dry bool) operator.Planned {
	w.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.operator.Import(w.t.Context(), operator.ImportRequest{Connection: "acme", Secret: reltioauth.NewSecret(string(text)), DryRun: dry})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestImport(t *testing.T) {
	open := func(fields map[string]any) map[string]any {
		fields = with(fields, "scope", "x")
		delete(fields, "scope")
		delete(fields, "client_secret")
		delete(fields, "password")
		return fields
	}
	for name, test := range map[string]struct {
		before, given map[string]any
		change        operator.Planning
		fields        []string
		problem       string
	}{
		"a new one":             {nil, clientCredentials(), operator.PlanAdd, []string{"client_id", "client_secret", "grant_type"}, ""},
		"the same":              {password(), password(), operator.PlanNothing, []string{}, ""},
		"another scope":         {password(), with(password(), "scope", "x"), operator.PlanChange, []string{"scope"}, ""},
		"a scope that goes":     {with(password(), "scope", "x"), password(), operator.PlanChange, []string{"scope"}, ""},
		"another password":      {password(), wrongPassword(), operator.PlanChange, []string{"password"}, ""},
		"without the secrets":   {password(), open(password()), operator.PlanNothing, []string{}, ""},
		"without them, changed": {password(), with(open(password()), "scope", "x"), operator.PlanChange, []string{"scope"}, ""},
		"without them, new":     {nil, open(password()), operator.PlanRefuse, []string{}, "password: is required"},
		"another grant type":    {password(), open(clientCredentials()), operator.PlanRefuse, []string{}, "client_secret: is required"},
		"an unknown field":      {nil, with(password(), "nope", "x"), operator.PlanRefuse, []string{}, "nope: is not known here"},
		"nothing":               {password(), map[string]any{}, operator.PlanRefuse, []string{}, "grant_type: "},
	} {
		for _, dry := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, dry %t", name, dry), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					if test.before != nil {
						w.connect("acme", test.before)
					}
					version, _ := w.secrets.ConnectionVersion(t.Context(), "acme")
					p := w.imported(test.given, dry)
					if p.Change != test.change || !slices.Equal(p.Fields, test.fields) || !strings.Contains(strings.Join(p.Problems, "; "), test.problem) || (len(p.Problems) > 0) != (test.problem != "") {
						t.Errorf("%+v", p)
					}
					now, _ := w.secrets.ConnectionVersion(t.Context(), "acme")
					writes := !dry && (test.change == operator.PlanAdd || test.change == operator.PlanChange)
					if (now != version) != writes {
						t.Errorf("written: %t, want %t", now != version, writes)
					}
					if again := w.imported(test.given, dry); writes && again.Change != operator.PlanNothing {
						t.Errorf("again: %+v", again)
					}
				})
			})
		}
	}
}

// What is exported holds no secret, and can be imported.
func TestExport(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", with(with(password(), "token_params", map[string]any{"idp_system": "kanari"}), "refresh_token_days", 1.5))
		w.connectText("malformed", `{"password":"kanari"}`)
		all, err := w.operator.Export(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		want := map[string]any{"grant_type": "password", "client_id": "client-1", "username": "ann", "refresh_token_days": json.Number("1.5")}
		if diff := cmp.Diff(want, all[0].Fields); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.HasPrefix(all[1].Problem, "InvalidConnection: ") || len(all[1].Fields) > 0 {
			t.Errorf("%+v", all[1])
		}
		if text := jsonOf(t, all); strings.Contains(text, "kanari") || strings.Contains(text, "secret-1") || strings.Contains(text, "password-1") {
			t.Error("a secret is in what is exported")
		}
		if p := w.imported(all[0].Fields, false); p.Change != operator.PlanNothing {
			t.Errorf("%+v", p)
		}
	})
}
