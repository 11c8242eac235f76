package operator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/afar"
)

// fleet has n connections, far away.
func (w *world) fleet(n int) afar.Stores {
	w.t.Helper()
	for i := range n {
		w.connect(fmt.Sprintf("c-%05d", i), clientCredentials())
	}
	a := afar.Stores{Store: w.table, Parking: w.table, Secrets: w.secrets}
	w.operator.Grants, w.operator.Parking, w.operator.Connections = a, a, a
	return a
}

// All connections are read within the command's usual time, over a slow network,
// each item once.
func TestStatusAtScale(t *testing.T) {
	for n, most := range map[int]time.Duration{600: time.Second, 25_000: 32 * time.Second} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.fleet(n)
				last := 0
				w.operator.Progress = func(done, of int) {
					if done != last+1 || of != n {
						t.Errorf("%d of %d after %d", done, of, last)
					}
					last = done
				}
				began := time.Now()
				r, err := w.operator.Status(t.Context())
				if err != nil || len(r.Connections) != n || r.NotRead() || last != n {
					t.Fatalf("%d connections, progress to %d, %v", len(r.Connections), last, err)
				}
				if took := time.Since(began); took > most {
					t.Errorf("it took %v, want %v at most", took, most)
				} else {
					t.Logf("%d connections: %v", n, took)
				}
			})
		})
	}
}

// One secret that cannot be read hides no other connection.
func TestAFaultHasItsRow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.fleet(3)
		a.Unreadable = "c-00001"
		w.operator.Connections = a
		r, err := w.operator.Status(t.Context())
		if err != nil || len(r.Connections) != 3 || !r.NotRead() {
			t.Fatalf("%+v, %v", r, err)
		}
		for i, s := range r.Connections {
			if s.NotRead() != (i == 1) || (s.SecretError != nil) != (i == 1) || s.Status != operator.New || s.NotLookedAt {
				t.Errorf("%+v", s)
			}
		}
		survey, err := w.operator.Survey(t.Context())
		if err != nil || survey.Connections[1].Checked != nil || survey.Connections[0].Checked == nil || !survey.Connections[0].Checked.OK {
			t.Errorf("%+v, %v", survey, err)
		}
		_, err = w.operator.Status(t.Context(), "c-00001") // nothing else to show
		w.wantError(err, apierr.StoreUnavailable)
	})
}

// What no time was left for is said, and not taken for a fault of the connection.
func TestNotLookedAt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fleet(500)
		ctx, cancel := context.WithTimeout(t.Context(), 5*afar.Latency)
		defer cancel()
		r, err := w.operator.Status(ctx)
		if err != nil || len(r.Connections) != 500 {
			t.Fatalf("%d connections, %v", len(r.Connections), err)
		}
		read := 0
		for _, s := range r.Connections {
			switch {
			case s.NotLookedAt && (!strings.Contains(s.Unread.Message, "not looked at") || !s.NotRead()):
				t.Errorf("%+v", s)
			case !s.NotLookedAt && s.NotRead():
				t.Errorf("%+v", s)
			case !s.NotLookedAt:
				read++
			}
		}
		if read != 100 {
			t.Errorf("%d were read, want 100", read)
		}
	})
}

// A survey says what Status and Check say.
func TestSurvey(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.connect("twin", password())
		w.connectText("malformed", "{}")
		w.rotate(false)
		w.connect("gone", clientCredentials())
		if _, err := w.operator.Rotate(t.Context(), "gone", false); err != nil {
			t.Fatal(err)
		}
		w.disconnect("gone")
		survey, err := w.operator.Survey(t.Context())
		if err != nil || len(survey.Connections) != 4 {
			t.Fatalf("%+v, %v", survey, err)
		}
		report, err := w.operator.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range survey.Connections {
			if got, want := jsonOf(t, c.State), jsonOf(t, report.Connections[i]); got != want {
				t.Errorf("state %s, want %s", got, want)
			}
			checked, err := w.operator.Check(t.Context(), c.State.Connection)
			switch {
			case err != nil && c.Checked != nil, err == nil && c.Checked == nil:
				t.Errorf("%s: checked %v, and alone %v", c.State.Connection, c.Checked, err)
			case err == nil && jsonOf(t, checked) != jsonOf(t, c.Checked):
				t.Errorf("%s, want %s", jsonOf(t, c.Checked), jsonOf(t, checked))
			}
		}
	})
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
