package connection_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// For each field: what is refused whatever the grant type, and why.
func TestParseRefusesWrongValues(t *testing.T) {
	const (
		text    = "must be a string"
		empty   = "must be a text that is not empty"
		control = "must not have control characters"
		long    = "must have at most 4096 bytes"
		truth   = "must be true or false"
		number  = "must be a number"
		days    = "must be a number above 0 and at most 365"
		list    = "must be a list of strings"
		named   = "must be names of aliases of the issue function"
		count   = "must name 1 to 100 aliases of the issue function"
	)
	tooLong, longest := strings.Repeat("x", 4097), strings.Repeat("x", 4096)
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("a%d", i)
	}
	type bad struct {
		value any
		want  string // empty: accepted
	}
	texts := []bad{
		{nil, text},
		{1, text},
		{true, text},
		{[]string{canary}, text},
		{fields{"a": canary}, text},
		{"", empty},
		{tooLong, long},
		{longest, ""},
	}
	odd := []bad{{" ", ""}, {" a ", ""}, {"é\u2028\u00a0", ""}}
	controls := []bad{{"a\nb", control}, {"a\x00", control}, {"\x7f", control}, {"a\tb", control}, {"\u0080", control}, {"a\u0085b", control}, {"a\u009f", control}}
	bools := []bad{{nil, truth}, {"true", truth}, {1, truth}, {[]bool{true}, truth}, {true, ""}, {false, ""}}
	for field, test := range map[string]struct {
		of    connection.GrantType
		cases [][]bad
	}{
		"client_id":      {connection.Password, [][]bad{texts, controls}},
		"client_secret":  {connection.Password, [][]bad{texts, controls, odd}},
		"username":       {connection.Password, [][]bad{texts, controls}},
		"password":       {connection.Password, [][]bad{texts, odd, {{"a\nb\x00\x7f", ""}}}},
		"tenant_id":      {connection.AuthorizationCode, [][]bad{texts, controls}},
		"expected_user":  {connection.AuthorizationCode, [][]bad{texts, controls}},
		"scope":          {connection.ClientCredentials, [][]bad{texts, controls, odd}},
		"pkce":           {connection.AuthorizationCode, [][]bad{bools}},
		"token_in_query": {connection.ClientCredentials, [][]bad{bools}},
		"auth_url":       {connection.Password, [][]bad{{{nil, text}, {1, text}, {"", empty}}}},
		"client_auth": {connection.Password, [][]bad{{
			{nil, text},
			{1, text},
			{"", empty},
			{"Basic", "must be basic or post"},
			{canary, "must be basic or post"},
			{"basic ", "must be basic or post"},
			{"none", "must be basic or post"},
			{"basic", ""},
			{"post", ""},
		}}},
		"refresh_token_days": {connection.Password, [][]bad{{
			{nil, number},
			{"28", number},
			{true, number},
			{[]int{28}, number},
			{json.RawMessage("1e400"), number},
			{0, days},
			{json.RawMessage("-0"), days},
			{-1, days},
			{1e-15, days},
			{365.1, days},
			{366, days},
			{1e300, days},
			{365, ""},
			{0.5, ""},
			{1e-3, ""},
			{28, ""},
			{json.RawMessage("2.8e1"), ""},
		}}},
		"aliases": {connection.ClientCredentials, [][]bad{{
			{nil, list},
			{"a", list},
			{1, list},
			{fields{}, list},
			{[]any{1}, list},
			{[]any{"a", nil}, list},
			{[]any{[]string{"a"}}, list},
			{[]string{}, count},
			{append(hundred, "b"), count},
			{hundred, ""},
			{[]string{""}, named},
			{[]string{"a b"}, named},
			{[]string{"1"}, named},
			{[]string{"a", "0042"}, named},
			{[]string{"$LATEST"}, named},
			{[]string{"a.b"}, named},
			{[]string{"é"}, named},
			{[]string{"a\n"}, named},
			{[]string{strings.Repeat("a", 129)}, named},
			{[]string{strings.Repeat("a", 128)}, ""},
			{[]string{"team-a", "Team_B", "1a", "-", "_"}, ""},
			{[]string{"a", "a"}, ""},
		}}},
		"grant_type": {connection.Password, [][]bad{{{nil, text}, {1, text}, {"", empty}}}},
	} {
		for _, c := range slices.Concat(test.cases...) {
			t.Run(fmt.Sprintf("%s %.40v", field, c.value), func(t *testing.T) {
				_, err := connection.Parse("acme", secret(with(minimal(test.of), field, c.value)), reltio())
				switch {
				case c.want != "":
					wantProblems(t, err, field+": "+c.want)
				case err != nil:
					t.Errorf("error %v, want none", err)
				}
			})
		}
	}
}

func TestParseColonInTheClientID(t *testing.T) {
	f := with(minimal(connection.ClientCredentials), "client_id", "a:b")
	_, err := connection.Parse("acme", secret(f), reltio())
	wantProblems(t, err, "client_id: must not have a colon with client_auth basic")
	_, err = connection.Parse("acme", secret(with(f, "client_auth", "basic")), reltio())
	wantProblems(t, err, "client_id: must not have a colon with client_auth basic")
	if _, err = connection.Parse("acme", secret(with(f, "client_auth", "post")), reltio()); err != nil {
		t.Errorf("with client_auth post: %v", err)
	}
}

func TestRefreshTokenDays(t *testing.T) {
	for days, want := range map[string]time.Duration{
		"28": 28 * day, "1": day, "365": 365 * day, "0.5": 12 * time.Hour, "27.5": 27*day + 12*time.Hour,
		"0.1": 2*time.Hour + 24*time.Minute, "364.99": 364*day + 23*time.Hour + 45*time.Minute + 36*time.Second,
		"1e1": 10 * day, "0.00001": 864 * time.Millisecond, "0.00000001": time.Millisecond, "0.1234567891": 10_666_667 * time.Millisecond,
	} {
		c, err := connection.Parse("acme", raw(connection.Password, `"refresh_token_days":`+days), reltio())
		if err != nil {
			t.Errorf("%s days: %v", days, err)
			continue
		}
		if got := c.RefreshTokenLife; got != want {
			t.Errorf("%s days are %v, want %v", days, got, want)
		}
	}
}

func TestAliasesAreSortedAndSingle(t *testing.T) {
	source := raw(connection.ClientCredentials, `"aliases":["team-b","team-a","Team","team-b"]`)
	c, err := connection.Parse("acme", source, reltio())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Team", "team-a", "team-b"}, c.Aliases); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
}
