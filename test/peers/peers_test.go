package peers_test

import (
	"encoding/json"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/peers"
)

// Through each trouble the service keeps to its goals, whatever its peers do. With
// PEERS_OUT the results are written to that file.
func TestGoals(t *testing.T) {
	goals := map[string]struct {
		without, after, longest time.Duration
		perMinute               float64
	}{
		"none":                                  {without: 1500 * time.Millisecond, perMinute: 6},
		"503 for 10 s":                          {without: 13 * time.Second, perMinute: 36},
		"503 for 1 min":                         {without: 65 * time.Second, perMinute: 14},
		"503 for 15 min":                        {after: 16 * time.Second, perMinute: 12},
		"connections refused for 15 min":        {after: 16 * time.Second, perMinute: 12},
		"every response takes 9 s, for 1 min":   {without: 10500 * time.Millisecond, perMinute: 12}, // it is asked for 1 s after its end
		"every response takes 20 s, for 15 min": {without: 22 * time.Second, perMinute: 12},
	}
	all := map[string][]peers.Result{}
	for _, trouble := range peers.Troubles() {
		t.Run(trouble.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				results, err := peers.Compare(t.Context(), time.Now, trouble)
				if err != nil {
					t.Fatal(err)
				}
				all[trouble.Name] = results
				for _, r := range results {
					t.Logf("%-24s %9s without a token, %9s of it afterwards, longest wait %9s, %6.1f requests a minute",
						r.Way, r.Without.Round(100*time.Millisecond), r.After.Round(100*time.Millisecond), r.Longest.Round(100*time.Millisecond), r.PerMinute)
				}
				ours, goal := results[0], goals[trouble.Name]
				if ours.Without < 0 || goal.without > 0 && ours.Without > goal.without {
					t.Errorf("%v without a token, want at most %v", ours.Without, goal.without)
				}
				if goal.longest > 0 && ours.Longest > goal.longest {
					t.Errorf("a caller waited %v, want at most %v", ours.Longest, goal.longest)
				}
				if goal.after > 0 && ours.After > goal.after {
					t.Errorf("%v after the end, want at most %v", ours.After, goal.after)
				}
				if ours.PerMinute > goal.perMinute {
					t.Errorf("%.1f requests a minute, want at most %v", ours.PerMinute, goal.perMinute)
				}
			})
		})
	}
	if file := os.Getenv("PEERS_OUT"); file != "" {
		data, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
