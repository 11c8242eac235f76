package engines_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

func TestAToolIsThere(t *testing.T) {
	if _, err := os.Stat(engines.Tool(t, "engines", "MOTO_SERVER")); err != nil {
		t.Error(err)
	}
}

// stopped is a test that is told how to end. Like a real one it goes on only if it
// is not told.
type stopped struct {
	testing.TB
	how string
}

func (s *stopped) Helper()                           {}
func (s *stopped) Fatal(args ...any)                 { s.end("failed: " + fmt.Sprint(args...)) }
func (s *stopped) Skip(args ...any)                  { s.end("skipped: " + fmt.Sprint(args...)) }
func (s *stopped) end(how string)                    { s.how = how; panic(errEnded) }
func (s *stopped) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

var errEnded = errors.New("ended")

// end is how a test ends.
func end(t *testing.T, test func(testing.TB)) (how string) {
	s := &stopped{TB: t}
	defer func() {
		if p := recover(); p != nil && p != any(errEnded) {
			panic(p)
		}
		how = s.how
	}()
	test(s)
	return ""
}

func TestWhatIsMissingSkipsOrFails(t *testing.T) {
	missing := fmt.Errorf("start: %w", &engines.MissingError{Looked: "/nowhere"})
	for name, c := range map[string]struct {
		required string
		test     func(testing.TB)
		want     string
	}{
		"an engine":            {"", func(t testing.TB) { engines.Need(t, missing) }, "skipped: there is no engine at /nowhere"},
		"an engine, required":  {"required", func(t testing.TB) { engines.Need(t, missing) }, "failed: there is no engine at /nowhere"},
		"another error":        {"", func(t testing.TB) { engines.Need(t, errors.New("broken")) }, "failed: broken"},
		"nothing":              {"required", func(t testing.TB) { engines.Need(t, nil) }, ""},
		"a tool":               {"", func(t testing.TB) { engines.Tool(t, "clients", "NONE") }, "skipped: NONE"},
		"a tool, required":     {"required", func(t testing.TB) { engines.Tool(t, "clients", "NONE") }, "failed: NONE is missing: run scripts/clients"},
		"a script of no tools": {"required", func(t testing.TB) { engines.Tool(t, "cover", "NONE") }, "failed: there is no scripts/cover"},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("-short skips whatever is missing")
			}
			t.Setenv("RELTIO_TOKENS_ENGINES", c.required)
			if got := end(t, c.test); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
