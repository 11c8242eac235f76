package simulation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A world makes much garbage and holds little. One world keeps one processor busy, so
// the tests run in parallel: each has its own world, bubble and clock.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// run runs a world in a bubble and returns it.
func run(t *testing.T, cfg Config) *World {
	t.Helper()
	var w *World
	began := time.Now()
	synctest.Test(t, func(*testing.T) {
		cfg.Now = time.Now
		w = New(cfg)
		w.Live()
	})
	f := w.Figures()
	t.Logf("seed %d: %d connections, %s in %s: %d token requests, %d calls, %d faults, %d parked, %d misdated, latest %s, at most %d a second, digest %x",
		cfg.Seed, cfg.Connections, cfg.For, time.Since(began).Round(time.Millisecond),
		f.Requests, f.Calls, f.Faults, f.Parked, f.Misdated, f.Latest.Round(time.Millisecond), f.Window, f.Digest)
	return w
}

// mustHold runs a world in which no invariant may break.
func mustHold(t *testing.T, cfg Config) {
	t.Helper()
	if b := run(t, cfg).Breach(); b != nil {
		t.Error(b)
	}
}

// usual is the world of a seed: odd ones have clocks that differ by seconds.
func usual(seed uint64) Config {
	return Config{Seed: seed, Connections: 40, For: 6 * Day, Calls: 24, Hosts: 2, Loose: seed%2 == 1}
}

func seedFrom(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// The same seeds in every run.
func TestFixedSeeds(t *testing.T) {
	t.Parallel()
	last := uint64(6)
	if testing.Short() || raceEnabled {
		last = 2
	}
	for seed := uint64(1); seed <= last; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			cfg := usual(seed)
			if testing.Short() || raceEnabled {
				cfg.Connections, cfg.For = 20, 2*Day
			}
			mustHold(t, cfg)
		})
	}
}

// Fresh seeds. SIM_SEED=n repeats one.
func TestFreshSeeds(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("-short or -race: TestFixedSeeds runs here, fresh seeds in make sim")
	}
	first := seedFrom("SIM_SEED", rand.Uint64N(1<<32))
	for seed := first; seed < first+3; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			mustHold(t, usual(seed))
		})
	}
}

// A seed gives the same run again, to the last operation.
func TestReproducible(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{21, 22} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			cfg := usual(seed)
			cfg.Connections, cfg.For, cfg.Stormy = 20, 2*Day, true
			first := run(t, cfg).Figures()
			if again := run(t, cfg).Figures(); again != first {
				t.Errorf("two runs differ:\n%+v\n%+v", first, again)
			}
		})
	}
}

// Ninety days of a fleet.
func TestNinetyDays(t *testing.T) {
	t.Parallel()
	if os.Getenv("SIM_LONG") == "" {
		t.Skip("long: SIM_LONG=1")
	}
	mustHold(t, Config{Seed: seedFrom("SIM_SEED", 90), Connections: 100, For: 90 * Day, Calls: 12, Hosts: 3})
}

// Soak runs fresh seeds until it is stopped, or SIM_SOAK has passed.
func TestSoak(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("SIM_SOAK"))
	if err != nil {
		t.Skip("SIM_SOAK says for how long")
	}
	began := time.Now()
	for seed := seedFrom("SIM_SEED", rand.Uint64N(1<<32)); time.Since(began) < d; seed++ {
		if b := run(t, usual(seed)).Breach(); b != nil {
			t.Fatal(b)
		}
	}
}
