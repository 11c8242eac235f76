package peers_test

import (
	"encoding/json"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/peers"
)

// In each comparison the service keeps to its goals, whatever its peers do. With
// PEERS_OUT the results are written to that file.
func TestGoals(t *testing.T) {
	report := peers.Report{Troubles: map[string][]peers.Result{}}
	for _, trouble := range peers.Troubles() {
		t.Run(trouble.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { report.Troubles[trouble.Name] = compare(t, trouble) })
		})
	}
	t.Run("a crowd", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { report.Crowds = crowds(t) })
	})
	t.Run("corrected credentials", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { report.Corrected = corrected(t) })
	})
	if file := os.Getenv("PEERS_OUT"); file != "" {
		data, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, trouble peers.Trouble) []peers.Result {
	t.Helper()
	results, err := peers.Compare(t.Context(), time.Now, trouble)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Logf("%-24s %9s without a token, %9s of it afterwards, longest wait %9s, %4d failed calls, %6.1f requests a minute",
			r.Way, r.Without.Round(100*time.Millisecond), r.After.Round(100*time.Millisecond), r.Longest.Round(100*time.Millisecond), r.Failed, r.PerMinute)
	}
	if err := trouble.Goal.Kept(results[0]); err != nil {
		t.Error(err)
	}
	if library := results[len(results)-1]; trouble.Name == "none" && library.Failed > 0 {
		t.Errorf("%d calls of reltioauth.TokenSource failed at a token's end", library.Failed)
	}
	return results
}

func crowds(t *testing.T) []peers.Crowd {
	t.Helper()
	all, err := peers.Crowds(t.Context(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Logf("%-24s the first after %s, half after %s, the last after %s; %d requests", c.Way, c.First, c.Median, c.Last, c.Requests)
	}
	if c := all[0]; c.Requests != 1 || c.First == 0 || c.Median > c.First*13/10 {
		t.Errorf("%d requests, the first after %s, half after %s, want one and at most 1.3 times the first", c.Requests, c.First, c.Median)
	}
	return all
}

func corrected(t *testing.T) peers.Corrected {
	t.Helper()
	c, err := peers.Correct(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a token %s after corrected credentials are tried, %s if they are not", c.Forced, c.Unforced)
	if c.Forced < 0 || c.Forced > time.Second || c.Unforced < 0 || c.Unforced > 6*time.Minute {
		t.Errorf("a token %s after corrected credentials are tried, %s if they are not", c.Forced, c.Unforced)
	}
	return c
}
