package lockout_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

func now() time.Time { return time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC) }

// record is one of acme's, with the credentials c1, tried a while ago.
func record(attempts, unclear int, ago time.Duration) lockout.Record {
	return lockout.Record{
		Connection: "acme", CredentialsHash: "c1", Attempts: attempts, Unclear: unclear, TriedAt: now().Add(-ago),
	}
}

func try(limit int) lockout.Try {
	return lockout.Try{AccountHash: "a", CredentialsHash: "c1", Connection: "acme", Limit: limit, Now: now()}
}

func forced(t lockout.Try) lockout.Try { t.Forced = true; return t }
func probe(t lockout.Try) lockout.Try  { t.Spare = 1; return t }

// counts are what a record holds of logins.
type counts struct{ attempts, unclear int }

func TestCount(t *testing.T) {
	const m, h = time.Minute, time.Hour
	other := lockout.Record{Connection: "other", CredentialsHash: "c1", Attempts: 2}
	new0 := lockout.Record{Connection: "acme", CredentialsHash: "c0", Attempts: 2, Unclear: 4, TriedAt: now()}
	freed := record(0, 1, 0)
	freed.TriedAt = time.Time{}
	for name, test := range map[string]struct {
		record lockout.Record
		try    lockout.Try
		want   counts
		err    error
	}{
		"the first ever":                         {lockout.Record{}, try(2), counts{1, 1}, nil},
		"after a success":                        {record(0, 0, 0), try(2), counts{1, 1}, nil},
		"after a refusal":                        {record(1, 0, 0), try(2), counts{2, 1}, nil},
		"after two refusals":                     {record(2, 0, h), try(2), counts{}, lockout.ErrAtLimit},
		"after two refusals, a year ago":         {record(2, 0, 365*24*h), try(2), counts{}, lockout.ErrAtLimit},
		"after two refusals, forced":             {record(2, 0, h), forced(try(2)), counts{}, lockout.ErrAtLimit},
		"after one of one":                       {record(1, 0, h), try(1), counts{}, lockout.ErrAtLimit},
		"a limit that was lowered":               {record(5, 0, h), try(2), counts{}, lockout.ErrAtLimit},
		"new credentials":                        {new0, try(2), counts{1, 1}, nil},
		"none at all":                            {lockout.Record{}, try(0), counts{}, lockout.ErrAtLimit},
		"none of new credentials":                {new0, try(0), counts{}, lockout.ErrAtLimit},
		"none of another's":                      {other, try(0), counts{}, lockout.ErrAtLimit},
		"another's, at the limit":                {other, try(2), counts{}, &lockout.ClaimedError{By: "other"}},
		"another's":                              {lockout.Record{Connection: "other"}, try(2), counts{}, &lockout.ClaimedError{By: "other"}},
		"right after an unclear one":             {record(0, 1, 0), try(2), counts{}, &lockout.PauseError{Until: now().Add(2 * m)}},
		"just short of two minutes":              {record(0, 1, 2*m-1), try(2), counts{}, &lockout.PauseError{Until: now().Add(1)}},
		"two minutes after an unclear one":       {record(0, 1, 2*m), try(2), counts{1, 2}, nil},
		"after two unclear ones":                 {record(0, 2, 2*m), try(2), counts{}, &lockout.PauseError{Until: now().Add(8 * m)}},
		"ten minutes after two":                  {record(0, 2, 10*m), try(2), counts{1, 3}, nil},
		"after three":                            {record(0, 3, 10*m), try(2), counts{}, &lockout.PauseError{Until: now().Add(50 * m)}},
		"an hour after three":                    {record(0, 3, h), try(2), counts{1, 4}, nil},
		"an hour after four":                     {record(0, 4, h), try(2), counts{}, lockout.ErrAtLimit},
		"just short of a day after four":         {record(0, 4, 24*h-1), try(2), counts{}, lockout.ErrAtLimit},
		"a day after four":                       {record(0, 4, 24*h), try(2), counts{1, 1}, nil},
		"four, forced":                           {record(0, 4, h), forced(try(2)), counts{}, lockout.ErrAtLimit},
		"an unclear one, forced":                 {record(0, 1, 0), forced(try(2)), counts{1, 2}, nil},
		"two unclear of a limit of one":          {record(0, 2, h), try(1), counts{}, lockout.ErrAtLimit},
		"one unclear, freed":                     {freed, try(2), counts{1, 2}, nil},
		"an unclear one by a clock a bit fast":   {record(0, 1, -10*time.Second), try(2), counts{}, &lockout.PauseError{Until: now().Add(2*m + 10*time.Second)}},
		"an unclear one by a clock that is off":  {record(0, 1, -time.Hour), try(2), counts{1, 2}, nil},
		"a refused one by a clock a bit fast":    {record(1, 0, -5*time.Second), try(2), counts{2, 1}, nil},
		"a success by a clock a bit fast":        {record(0, 0, -5*time.Second), try(2), counts{1, 1}, nil},
		"by a clock just beyond belief":          {record(0, 1, -10*time.Second-1), try(2), counts{1, 2}, nil},
		"four by a clock a day off":              {record(0, 4, -24*h), try(2), counts{}, lockout.ErrAtLimit},
		"both limits, a day later":               {record(1, 4, 24*h), try(2), counts{2, 1}, nil},
		"new credentials after unclear ones":     {lockout.Record{Connection: "acme", CredentialsHash: "c0", Unclear: 1, TriedAt: now()}, try(2), counts{1, 1}, nil},
		"an ended claim":                         {lockout.Record{CredentialsHash: "c1", Attempts: 1}, try(2), counts{2, 1}, nil},
		"an ended claim, at the limit":           {lockout.Record{CredentialsHash: "c1", Attempts: 2}, try(2), counts{}, lockout.ErrAtLimit},
		"a probe of new credentials":             {new0, probe(try(2)), counts{1, 1}, nil},
		"a probe waits like others":              {record(0, 1, m), probe(try(2)), counts{}, &lockout.PauseError{Until: now().Add(m)}},
		"four by a clock that is a year off":     {record(0, 4, -365*24*h), try(2), counts{1, 1}, nil},
		"a probe":                                {record(0, 0, h), probe(try(2)), counts{1, 1}, nil},
		"a probe never takes the last attempt":   {record(1, 0, h), probe(try(2)), counts{}, lockout.ErrAtLimit},
		"a probe never takes the only attempt":   {lockout.Record{}, probe(try(1)), counts{}, lockout.ErrAtLimit},
		"a probe never takes the last unclear":   {record(0, 3, 2*h), probe(try(2)), counts{}, lockout.ErrAtLimit},
		"one refused and unclear: it was unseen": {record(1, 1, 2*m), try(2), counts{2, 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			test.record.AcceptedHash = "c7"
			next, err := lockout.Count(test.record, test.try)
			if diff := cmp.Diff(test.err, err, cmp.Comparer(func(a, b error) bool { return describe(a) == describe(b) })); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			want := test.record
			if err == nil {
				want = lockout.Record{
					Connection: "acme", CredentialsHash: "c1", Attempts: test.want.attempts, Unclear: test.want.unclear,
					TriedAt: now(), AcceptedHash: "c7",
				}
			}
			if diff := cmp.Diff(want, next); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// describe tells errors apart by all that they say.
func describe(err error) string {
	var pause *lockout.PauseError
	if errors.As(err, &pause) {
		return err.Error() + " until " + pause.Until.String()
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSettle(t *testing.T) {
	accepted := func(r lockout.Record, credentials string) lockout.Record { r.AcceptedHash = credentials; return r }
	free := func(r lockout.Record) lockout.Record { r.TriedAt = time.Time{}; return r }
	theirs := record(2, 2, 0)
	theirs.Connection = "other"
	unclaimed, c0 := record(2, 2, 0), record(2, 2, 0)
	unclaimed.Connection, c0.CredentialsHash = "", "c0"
	for name, test := range map[string]struct {
		record  lockout.Record
		outcome lockout.Outcome
		want    lockout.Record
	}{
		"nothing was said":                   {record(2, 3, 0), lockout.Nothing, record(1, 2, 0)},
		"nothing was said, nothing counted":  {record(0, 0, 0), lockout.Nothing, record(0, 0, 0)},
		"refused":                            {record(2, 3, 0), lockout.Refused, record(2, 2, 0)},
		"unclear":                            {record(2, 3, 0), lockout.Unclear, record(1, 3, 0)},
		"unclear, forgiven under way":        {free(record(2, 3, 0)), lockout.Unclear, record(1, 3, 0)},
		"unclear, resumed under way":         {free(record(0, 0, 0)), lockout.Unclear, free(record(0, 0, 0))},
		"accepted":                           {record(2, 3, 0), lockout.Accepted, accepted(record(0, 0, 0), "c1")},
		"accepted, and known to be":          {accepted(record(1, 1, 0), "c1"), lockout.Accepted, accepted(record(0, 0, 0), "c1")},
		"resumed":                            {record(2, 3, 0), lockout.Resumed, free(record(0, 0, 0))},
		"forgiven":                           {accepted(record(1, 2, 0), "c1"), lockout.Forgiven, free(record(1, 2, 0))},
		"forgiven, one is left":              {accepted(record(1, 3, 0), "c1"), lockout.Forgiven, free(record(1, 3, 0))},
		"forgiven at the limit":              {accepted(record(1, 4, 0), "c1"), lockout.Forgiven, record(1, 4, 0)},
		"forgiven once only":                 {record(1, 2, 0), lockout.Forgiven, record(1, 2, 0)},
		"forgiven of other credentials":      {accepted(record(1, 2, 0), "c0"), lockout.Forgiven, accepted(record(1, 2, 0), "c0")},
		"an account without a claim":         {unclaimed, lockout.Nothing, lockout.Record{CredentialsHash: "c1", Attempts: 1, Unclear: 1, TriedAt: now()}},
		"accepted: it is claimed":            {lockout.Record{}, lockout.Accepted, lockout.Record{Connection: "acme", AcceptedHash: "c1"}},
		"accepted beside other credentials":  {c0, lockout.Accepted, accepted(c0, "c1")},
		"nothing of other credentials":       {c0, lockout.Nothing, c0},
		"another's, nothing":                 {theirs, lockout.Nothing, theirs},
		"another's, accepted":                {theirs, lockout.Accepted, theirs},
		"another's, resumed":                 {theirs, lockout.Resumed, theirs},
		"another's, forgiven":                {accepted(theirs, "c1"), lockout.Forgiven, accepted(theirs, "c1")},
		"no record, and nothing to remember": {lockout.Record{}, lockout.Resumed, lockout.Record{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lockout.Settle(test.record, try(2), test.outcome)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExhausted(t *testing.T) {
	for name, test := range map[string]struct {
		record lockout.Record
		limit  int
		want   bool
	}{
		"nothing":                       {lockout.Record{}, 2, false},
		"one of two":                    {record(1, 0, 0), 2, false},
		"two of two":                    {record(2, 0, 0), 2, true},
		"one of one":                    {record(1, 0, 0), 1, true},
		"a limit that was lowered":      {record(5, 0, 0), 2, true},
		"a year ago":                    {record(2, 0, 365*24*time.Hour), 2, true},
		"unclear ones end after a day":  {record(0, 4, 0), 2, false},
		"one refused, and unclear ones": {record(1, 4, 0), 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.record.Exhausted(test.limit); got != test.want {
				t.Errorf("Exhausted = %v, want %v", got, test.want)
			}
		})
	}
}

// Where only others were seen to be served the day's last login keeps its pause.
func TestForgivenExceptTheLast(t *testing.T) {
	for unclear, free := range map[int]bool{1: true, 2: true, 3: false, 4: false} {
		r := record(0, unclear, 0)
		r.AcceptedHash = "c1"
		got := lockout.Settle(r, probe(try(2)), lockout.Forgiven)
		if got.TriedAt.IsZero() != free || got.Unclear != unclear || got.AcceptedHash != "" {
			t.Errorf("%d unclear: %+v, want the pause ended: %t", unclear, got, free)
		}
	}
}

func TestPauseAfter(t *testing.T) {
	for unclear, want := range map[int]time.Duration{
		-1: 0, 0: 0, 1: 2 * time.Minute, 2: 10 * time.Minute, 3: time.Hour, 4: time.Hour, 1000: time.Hour,
	} {
		if got := lockout.PauseAfter(unclear); got != want {
			t.Errorf("PauseAfter(%d) = %v, want %v", unclear, got, want)
		}
	}
}

// However logins end, in whatever order and with whatever pauses, no credentials
// are refused more than twice without a success between, and no more than four
// unclear logins are sent in any day.
func TestNoSequenceLocksAUser(t *testing.T) {
	outcomes := []lockout.Outcome{lockout.Nothing, lockout.Refused, lockout.Unclear, lockout.Forgiven}
	for seed := range uint64(300) {
		random := newRandom(seed)
		var r lockout.Record
		var unclear []time.Time
		refused, at := 0, now()
		for range 400 {
			at = at.Add(time.Duration(random.Int64N(int64(20 * time.Minute))))
			login := try(2)
			login.Now, login.Forced = at, random.IntN(4) == 0
			next, err := lockout.Count(r, login)
			if err != nil {
				continue
			}
			outcome := outcomes[random.IntN(len(outcomes))]
			switch outcome {
			case lockout.Refused:
				refused++
			case lockout.Unclear:
				unclear = append(unclear, at)
			case lockout.Forgiven:
				next.AcceptedHash = "c1"
			}
			r = lockout.Settle(next, login, outcome)
			if refused > 2 {
				t.Fatalf("seed %d: %d refused logins", seed, refused)
			}
			if n := len(unclear); n > 4 && unclear[n-1].Sub(unclear[n-5]) < 24*time.Hour {
				t.Fatalf("seed %d: five unclear logins within %v", seed, unclear[n-1].Sub(unclear[n-5]))
			}
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"account: claimed by connection acme":      &lockout.ClaimedError{By: "acme"},
		"account: too soon after an unclear login": &lockout.PauseError{},
		"account: at the limit of refused logins":  lockout.ErrAtLimit,
	} {
		if got := err.Error(); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}
}
