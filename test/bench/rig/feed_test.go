package rig

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

const token = `{"access_token":"token-of-the-test"}`

// issues are what stands in for issue, by the name of the folder of binaries.
func issues() map[string]any {
	calls := 0
	return map[string]any{
		"issues": func() (map[string]string, error) { return map[string]string{"access_token": "token-of-the-test"}, nil },
		"fails": func() (any, error) {
			return nil, messages.InvokeResponse_Error{Type: "StoreUnavailable", Message: "no table"}
		},
		"empty":    func() (any, error) { return map[string]string{"outcome": "cached"}, nil },
		"is short": func() (io.Reader, error) { return io.MultiReader(strings.NewReader(token), broken{}), nil },
		"once": func() (any, error) {
			if calls > 0 {
				return nil, errors.New("no more")
			}
			calls++
			return map[string]string{"access_token": "token-of-the-test"}, nil
		},
	}
}

// broken cannot be read.
type broken struct{}

// Read implements io.Reader.
func (broken) Read([]byte) (int, error) { return 0, errors.New("cut short") }

// TestMain lets this binary be issue where it is started as a function. One that
// is not among the issues ends at once.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "bootstrap" {
		if issue := issues()[filepath.Base(filepath.Dir(filepath.Dir(os.Args[0])))]; issue != nil {
			lambda.Start(issue)
		}
		return
	}
	os.Exit(m.Run())
}

// fed feeds six events to an issue and returns when a process was seen.
func fed(t *testing.T, issue string) (seen []int, err error) {
	t.Helper()
	binaries := filepath.Join(t.TempDir(), issue)
	r := &Rig{
		Stack:  &stack.Stack{Table: &dynamo.Table{Name: "table"}},
		config: Config{Now: time.Now, Binaries: binaries},
	}
	self, err := os.Executable()
	if err == nil {
		err = os.MkdirAll(filepath.Join(binaries, "issue"), 0o700)
	}
	if err == nil {
		err = os.Symlink(self, r.Binary("issue"))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = r.Feed(ctx, 6, 2, func(int) []byte { return []byte(`{}`) }, func(events, pid int) error {
		if pid == 0 || pid == os.Getpid() {
			t.Errorf("seen with process %d", pid)
		}
		seen = append(seen, events)
		return nil
	})
	return seen, err
}

func TestEveryEventIsFed(t *testing.T) {
	seen, err := fed(t, "issues")
	if err != nil || len(seen) != 3 || seen[2] != 6 {
		t.Errorf("seen after %v events, %v; want after 2, 4 and 6", seen, err)
	}
}

func TestAnEventWithoutATokenEndsTheFeed(t *testing.T) {
	for issue, want := range map[string]string{
		"fails":    "event 0 failed: {\"errorMessage\":\"no table\",\"errorType\":\"StoreUnavailable\"",
		"once":     "event 1 failed: {\"errorMessage\":\"no more\"",
		"empty":    "event 0 was answered without a token",
		"is short": "event 0 failed: ",
		"is gone":  "issue ended by itself after 0 events: exit status 0",
	} {
		if _, err := fed(t, issue); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", issue, err, want)
		}
	}
}
