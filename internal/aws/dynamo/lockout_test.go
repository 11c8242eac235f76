package dynamo_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

// lowerings are the outcomes that take something off a count.
func lowerings() map[string]lockout.Outcome {
	return map[string]lockout.Outcome{
		"Nothing": lockout.Nothing, "Refused": lockout.Refused, "Unclear": lockout.Unclear, "Resumed": lockout.Resumed,
	}
}

// unanswered are the ways in which a write fails, and how often the same write is
// sent then.
func unanswered(again int64) map[string]struct {
	handler http.HandlerFunc
	want    int64
} {
	return map[string]struct {
		handler http.HandlerFunc
		want    int64
	}{
		"throttled":           {answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}`), 3},
		"an error of its own": {answer(500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`), again},
		"hung up":             {func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, again},
		"garbage":             {answer(200, `{`), 1},
	}
}

// A count that is lowered, or raised, is sent again only if DynamoDB says that it
// was not done: done twice it would let one login too many through, or spend two.
func TestACountIsSentAgainOnlyIfItWasNotDone(t *testing.T) {
	calls := map[string]func(*testing.T, *dynamo.Table) error{
		"CountLogin": func(t *testing.T, table *dynamo.Table) error { return err2(table.CountLogin(t.Context(), try())) },
	}
	for name, o := range lowerings() {
		calls[name] = func(t *testing.T, table *dynamo.Table) error { return table.SettleLogin(t.Context(), try(), o) }
	}
	stored := answer(200, `{"Item":{"connection":{"S":"acme"},"credentials":{"S":"c"},`+
		`"attempts":{"N":"2"},"unclear":{"N":"2"},"tried_at":{"N":"1795449600250"}}}`)
	for call, do := range calls {
		for name, test := range unanswered(1) {
			t.Run(call+", "+name, func(t *testing.T) {
				t.Parallel()
				var writes atomic.Int64
				table := wired(t, func(w http.ResponseWriter, r *http.Request) {
					if isRead(r) {
						stored(w, r)
						return
					}
					writes.Add(1)
					test.handler(w, r)
				})
				wantUnavailable(t, do(t, table))
				if got := writes.Load(); got != test.want {
					t.Errorf("sent %d times, want %d", got, test.want)
				}
			})
		}
	}
}

func isRead(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetItem") }

// What was accepted is sent again in any case: done twice it is done once.
func TestASuccessIsSentAgain(t *testing.T) {
	for name, test := range unanswered(3) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			table := wired(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				test.handler(w, r)
			})
			wantUnavailable(t, table.SettleLogin(t.Context(), try(), lockout.Accepted))
			if got := requests.Load(); got != test.want {
				t.Errorf("sent %d times, want %d", got, test.want)
			}
		})
	}
}

// The usual login costs one write to be counted and one to be accepted.
func TestAUsualLoginIsTwoWrites(t *testing.T) {
	var requests atomic.Int64
	table, direct := between(t, func(*http.Request) { requests.Add(1) }, func() bool { return false })
	if err := settled(t, direct, lockout.Accepted); err != nil {
		t.Fatal(err)
	}
	r, err := table.CountLogin(t.Context(), try())
	if err != nil || r.Attempts != 1 || requests.Load() != 1 {
		t.Errorf("CountLogin = %+v, %v with %d requests; want the first with one", r, err, requests.Load())
	}
	if err := table.SettleLogin(t.Context(), try(), lockout.Accepted); err != nil || requests.Load() != 2 {
		t.Errorf("SettleLogin: %v after %d requests, want 2", err, requests.Load())
	}
}

// settled counts a login and settles it.
func settled(t *testing.T, table *dynamo.Table, o lockout.Outcome) error {
	t.Helper()
	if _, err := table.CountLogin(t.Context(), forced()); err != nil {
		return err
	}
	return table.SettleLogin(t.Context(), try(), o)
}

// forced is a login that waits for nothing.
func forced() lockout.Try {
	login := try()
	login.Forced = true
	return login
}

// Whatever another does to an account between a read and a write is seen: each
// login is counted, and each outcome counts, once.
func TestOthersThatComeBeforeALoginIsCounted(t *testing.T) {
	changed := forced()
	changed.CredentialsHash = "c2"
	theirs := forced()
	theirs.Connection = "other"
	type state struct{ attempts, unclear int }
	for name, test := range map[string]struct {
		login     lockout.Try
		meanwhile func(direct *dynamo.Table) error
		want      state
		err       error
	}{
		"nothing":            {forced(), func(*dynamo.Table) error { return nil }, state{2, 2}, nil},
		"another login":      {forced(), func(direct *dynamo.Table) error { return err2(direct.CountLogin(t.Context(), forced())) }, state{}, lockout.ErrAtLimit},
		"a refusal":          {forced(), func(direct *dynamo.Table) error { return direct.SettleLogin(t.Context(), try(), lockout.Refused) }, state{2, 1}, nil},
		"an unclear one":     {forced(), func(direct *dynamo.Table) error { return direct.SettleLogin(t.Context(), try(), lockout.Unclear) }, state{1, 2}, nil},
		"a success":          {forced(), func(direct *dynamo.Table) error { return direct.SettleLogin(t.Context(), try(), lockout.Accepted) }, state{1, 1}, nil},
		"new credentials":    {changed, func(direct *dynamo.Table) error { return err2(direct.CountLogin(t.Context(), changed)) }, state{2, 2}, nil},
		"old credentials":    {forced(), func(direct *dynamo.Table) error { return err2(direct.CountLogin(t.Context(), changed)) }, state{1, 1}, nil},
		"a claim that moved": {forced(), func(direct *dynamo.Table) error { return direct.MoveClaim(t.Context(), "a", "acme", "other") }, state{}, &lockout.ClaimedError{By: "other"}},
		"a claim that ended": {forced(), func(direct *dynamo.Table) error { return direct.MoveClaim(t.Context(), "a", "acme", "") }, state{2, 2}, nil},
		"its owner's claim":  {theirs, func(direct *dynamo.Table) error { return direct.MoveClaim(t.Context(), "a", "acme", "other") }, state{2, 2}, nil},
	} {
		writes := []int64{1, 2} // the guess, and what is made for the record that refused it
		if test.login == theirs {
			writes = writes[:1] // that it is another's is seen at the first
		}
		for _, nth := range writes {
			t.Run(fmt.Sprint(name, ", before write ", nth), func(t *testing.T) {
				table, direct := interrupted(t, nth, test.meanwhile)
				if _, err := direct.CountLogin(t.Context(), try()); err != nil {
					t.Fatal(err)
				}
				r, err := table.CountLogin(t.Context(), test.login)
				if fmt.Sprint(err) != fmt.Sprint(test.err) {
					t.Errorf("error %v, want %v", err, test.err)
				}
				if got := (state{r.Attempts, r.Unclear}); err == nil && got != test.want {
					t.Errorf("counted as %v, want %v", got, test.want)
				}
			})
		}
	}
}

func TestOthersThatComeBeforeALoginIsSettled(t *testing.T) {
	counted := func(direct *dynamo.Table) error { return err2(direct.CountLogin(t.Context(), forced())) }
	refused := func(direct *dynamo.Table) error { return direct.SettleLogin(t.Context(), try(), lockout.Refused) }
	changed := forced()
	changed.CredentialsHash = "c2"
	for name, test := range map[string]struct {
		outcome   lockout.Outcome
		meanwhile func(direct *dynamo.Table) error
		want      lockout.Record
	}{
		"nothing, another is counted":   {lockout.Nothing, counted, lockout.Record{Attempts: 1, Unclear: 1}},
		"refused, another is counted":   {lockout.Refused, counted, lockout.Record{Attempts: 2, Unclear: 1}},
		"unclear, another is counted":   {lockout.Unclear, counted, lockout.Record{Attempts: 1, Unclear: 2}},
		"unclear, another was refused":  {lockout.Unclear, refused, lockout.Record{}},
		"nothing, credentials changed":  {lockout.Nothing, func(direct *dynamo.Table) error { return err2(direct.CountLogin(t.Context(), changed)) }, lockout.Record{CredentialsHash: "c2", Attempts: 1, Unclear: 1}},
		"nothing, the claim moved":      {lockout.Nothing, func(direct *dynamo.Table) error { return direct.MoveClaim(t.Context(), "a", "acme", "other") }, lockout.Record{Connection: "other", Attempts: 1, Unclear: 1}},
		"nothing, the claim ended":      {lockout.Nothing, func(direct *dynamo.Table) error { return direct.MoveClaim(t.Context(), "a", "acme", "") }, lockout.Record{Connection: "-"}},
		"accepted, another is counted":  {lockout.Accepted, counted, lockout.Record{AcceptedHash: "c"}},
		"accepted, credentials changed": {lockout.Accepted, func(direct *dynamo.Table) error { return err2(direct.CountLogin(t.Context(), changed)) }, lockout.Record{CredentialsHash: "c2", Attempts: 1, Unclear: 1, AcceptedHash: "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			table, direct := interrupted(t, 1, test.meanwhile)
			if _, err := direct.CountLogin(t.Context(), try()); err != nil {
				t.Fatal(err)
			}
			if err := table.SettleLogin(t.Context(), try(), test.outcome); err != nil {
				t.Fatal(err)
			}
			want := test.want
			want.TriedAt = now()
			if want.Connection == "" {
				want.Connection = "acme"
			}
			want.Connection = strings.TrimPrefix(want.Connection, "-") // without a claim
			if want.CredentialsHash == "" {
				want.CredentialsHash = "c"
			}
			got, err := direct.Account(t.Context(), "a")
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A count whose answer was lost stays, and one that was lowered is not lowered
// again; each costs a login at most.
func TestLostAnswersOfAccounts(t *testing.T) {
	for name, test := range map[string]struct {
		outcome           lockout.Outcome
		attempts, unclear string // of two logins, after the answer was lost
	}{
		"Nothing":  {lockout.Nothing, "N:1", "N:1"}, // and not 0
		"Refused":  {lockout.Refused, "N:2", "N:1"},
		"Unclear":  {lockout.Unclear, "N:1", "N:2"},
		"Accepted": {lockout.Accepted, "N:0", "N:0"},
		"Resumed":  {lockout.Resumed, "N:0", "N:0"},
	} {
		t.Run(name, func(t *testing.T) {
			table, direct, lose := forgetfulOfWrites(t)
			for range 2 {
				if _, err := direct.CountLogin(t.Context(), forced()); err != nil {
					t.Fatal(err)
				}
			}
			lose()
			err := table.SettleLogin(t.Context(), try(), test.outcome)
			if test.outcome != lockout.Accepted {
				wantUnavailable(t, err)
			} else if err != nil {
				t.Errorf("error %v, want it sent again", err)
			}
			wantCounts(t, direct, test.attempts, test.unclear)
		})
	}
	t.Run("CountLogin", func(t *testing.T) {
		for name, first := range map[string]lockout.Outcome{"after a success": lockout.Accepted, "after a login that was not sent": lockout.Nothing} {
			t.Run(name, func(t *testing.T) {
				table, direct, lose := forgetfulOfWrites(t)
				if err := settled(t, direct, first); err != nil {
					t.Fatal(err)
				}
				lose()
				_, err := table.CountLogin(t.Context(), try())
				wantUnavailable(t, err)
				wantCounts(t, direct, "N:1", "N:1") // and not 2: the next one may log in
				if r, err := direct.CountLogin(t.Context(), forced()); r.Attempts != 2 || err != nil {
					t.Errorf("CountLogin = %+v, %v; want the second", r, err)
				}
				if _, err := direct.CountLogin(t.Context(), forced()); !errors.Is(err, lockout.ErrAtLimit) {
					t.Errorf("error %v, want %v", err, lockout.ErrAtLimit)
				}
			})
		}
	})
}

func wantCounts(t *testing.T, table *dynamo.Table, attempts, unclear string) {
	t.Helper()
	stored := item(t, table, "account#a")
	if stored["attempts"] != attempts || stored["unclear"] != unclear {
		t.Errorf("stored %v, want attempts %s and unclear %s", stored, attempts, unclear)
	}
}

// forgetfulOfWrites loses the answer of the next write that was done.
func forgetfulOfWrites(t *testing.T) (table, direct *dynamo.Table, lose func()) {
	t.Helper()
	var losing, writing atomic.Bool
	table, direct = between(t,
		func(r *http.Request) { writing.Store(!isRead(r)) },
		func() bool { return writing.Load() && losing.Swap(false) })
	return table, direct, func() { losing.Store(true) }
}
