package issueclient

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	const life = time.Hour
	start := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	at := start.Add
	kept := &Token{Fingerprint: "kept", ExpiresAt: at(life)}
	passing, lasting := &Error{Type: ErrStoreUnavailable}, &Error{Type: ErrAccessDenied}
	for name, test := range map[string]struct {
		memory memory
		key    key
		now    time.Duration
		want   verdict
	}{
		"nothing is known":                     {memory{}, key{}, 0, must},
		"nothing, and it failed":               {memory{trouble: passing, until: at(1)}, key{}, 0, refused},
		"nothing, and it failed for good":      {memory{trouble: lasting, until: at(1)}, key{}, 0, refused},
		"nothing, and the failure is over":     {memory{trouble: passing, until: at(0)}, key{}, 0, must},
		"nothing, and it failed in the future": {memory{trouble: passing, since: at(1), until: at(2)}, key{}, 0, must},

		"a young token":                    {memory{}, key{}, 0, use},
		"the moment before it ages":        {memory{}, key{}, life - time.Minute - 1, use},
		"it ages":                          {memory{}, key{}, life - time.Minute, glance},
		"it ages, somebody looked":         {memory{calm: at(life)}, key{}, life - time.Minute, use},
		"it ages, somebody looked before":  {memory{calm: at(life - time.Minute)}, key{}, life - time.Minute, glance},
		"it ages, and it failed":           {memory{trouble: passing, until: at(life)}, key{}, life - time.Minute, use},
		"its last moment":                  {memory{calm: at(life)}, key{}, life - time.Second - 1, use},
		"its last second":                  {memory{calm: at(2 * life)}, key{}, life - time.Second, must},
		"its end, and it failed":           {memory{trouble: passing, until: at(life + 1)}, key{}, life, refused},
		"the clock was set back behind it": {memory{}, key{}, -1, must},

		"just the life that is needed":      {memory{}, key{minTTL: life}, 0, use},
		"less life than is needed":          {memory{}, key{minTTL: life}, 1, reach},
		"less, asked for already":           {memory{calmLife: at(2)}, key{minTTL: life}, 1, use},
		"less, asked for long ago":          {memory{calmLife: at(1)}, key{minTTL: life}, 1, reach},
		"less, and it failed":               {memory{trouble: lasting, until: at(2)}, key{minTTL: life}, 1, use},
		"less, asked for, and it ages":      {memory{calmLife: at(life)}, key{minTTL: life}, life - time.Minute, glance},
		"less at its end":                   {memory{calmLife: at(2 * life)}, key{minTTL: life}, life, must},
		"reported":                          {memory{}, key{rejected: "kept"}, 0, must},
		"reported, and it failed":           {memory{trouble: passing, until: at(1)}, key{rejected: "kept"}, 0, refused},
		"reported a moment ago":             {memory{reported: at(0)}, key{rejected: "kept"}, askEvery - 1, use},
		"reported 30 s ago":                 {memory{reported: at(0)}, key{rejected: "kept"}, askEvery, must},
		"reported in the future":            {memory{reported: at(1)}, key{rejected: "kept"}, 0, must},
		"another one reported":              {memory{}, key{rejected: "other"}, 0, use},
		"another one reported, and it ages": {memory{}, key{rejected: "other"}, life - time.Minute, glance},
	} {
		t.Run(name, func(t *testing.T) {
			m := test.memory
			if name[:7] != "nothing" {
				m.kept, m.asked, m.ageing, m.ends = kept, start, kept.ExpiresAt.Add(-time.Minute), kept.ExpiresAt.Add(-time.Second)
			}
			if got := m.judge(test.key, at(test.now)); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestNarrow(t *testing.T) {
	start := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	m := memory{kept: &Token{Fingerprint: "kept", ExpiresAt: start.Add(time.Hour)}, asked: start, ends: start.Add(time.Hour)}
	for name, test := range map[string]struct {
		rejected, want string
		now            time.Duration
	}{
		"the kept token":                   {"kept", "kept", 0},
		"one before it":                    {"other", "", 0},
		"one before it, which ended":       {"other", "other", time.Hour},
		"the kept token, after it ended":   {"kept", "kept", time.Hour},
		"none":                             {"", "", 0},
		"the kept token, reported already": {"kept", "", time.Second},
	} {
		m := m
		if test.now == time.Second {
			m.reported = start
		}
		got := m.narrow(key{minTTL: 5, rejected: test.rejected}, start.Add(test.now))
		if want := (key{minTTL: 5, rejected: test.want}); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
