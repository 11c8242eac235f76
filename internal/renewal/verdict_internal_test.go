package renewal

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// canned answers every request with one response.
type canned struct {
	status int
	header http.Header
	body   string
	// cut ends the response before its end, unheard leaves it out.
	cut, unheard bool
}

// RoundTrip implements http.RoundTripper.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.unheard {
		return nil, io.ErrUnexpectedEOF
	}
	body := io.Reader(strings.NewReader(c.body))
	if c.cut {
		body = io.MultiReader(body, broken{})
	}
	header := c.header
	if header == nil {
		header = http.Header{"Content-Type": {"application/json;charset=UTF-8"}}
	}
	return &http.Response{
		StatusCode: c.status, Header: header, Body: io.NopCloser(body), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
	}, nil
}

func (canned) Close() error { return nil }

// broken is the rest of a body that does not come.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// ask sends the request of a step to a server that answers so, and returns the
// error of its response.
func (c canned) ask(t *testing.T, k kind, user bool) error {
	t.Helper()
	client := reltioauth.Client{
		ClientID: "client-1", ClientSecret: reltioauth.NewSecret("s"),
		Connect: func(context.Context, *url.URL) (reltioauth.Transport, error) { return c, nil },
	}
	conn, err := client.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ask reltioauth.Grant = reltioauth.ClientCredentialsGrant{}
	switch {
	case k == refresh:
		ask = reltioauth.RefreshTokenGrant{RefreshToken: reltioauth.NewSecret("r")}
	case user:
		ask = reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret("p")}
	}
	_, err = conn.Token(t.Context(), ask)
	return err
}

// zip is a text as gzip.
func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // a buffer takes everything
	_ = z.Close()
	return b.String()
}

// dresses are the ways in which a response says a word.
func dresses(status int, word string) map[string]canned {
	text := `{"error":"` + word + `","error_description":"Bad credentials"}`
	say := func(body string, header ...string) canned {
		c := canned{status: status, body: body}
		if len(header) > 0 {
			c.header = http.Header{"Content-Type": {header[0]}, "Content-Encoding": header[1:]}
		}
		return c
	}
	return map[string]canned{
		"plain":           say(text),
		"capitals":        say(strings.Replace(text, word, strings.ToUpper(word), 1)),
		"title":           say(strings.Replace(text, word, strings.ToUpper(word[:1])+word[1:], 1)),
		"management":      say(`{"errorCode":"` + word + `","errorMessage":"no"}`),
		"gzip":            say(zip(text), "application/json", "gzip"),
		"gzip, unlabeled": say(zip(text)),
		"byte order mark": say("\xef\xbb\xbf" + text),
		"called a page":   say(text, "text/html"),
		"framework":       say(`{"timestamp":1,"status":` + fmt.Sprint(status) + `,"error":"` + word + `","path":"/oauth/token"}`),
	}
}

// wordless are the ways in which a response says no word that is known.
func wordless(status int) map[string]canned {
	return map[string]canned{
		"empty":      {status: status},
		"page":       {status: status, body: "<html><body>no</body></html>", header: http.Header{"Content-Type": {"text/html"}}},
		"page, gzip": {status: status, body: zip("<html>no</html>"), header: http.Header{"Content-Encoding": {"gzip"}}},
		"xml":        {status: status, body: "<oauth><error>invalid_grant</error></oauth>", header: http.Header{"Content-Type": {"application/xml"}}},
		"plain text": {status: status, body: "Bad credentials"},
		"number":     {status: status, body: `{"errorCode":4711,"errorMessage":"no"}`},
		"unknown":    {status: status, body: `{"error":"locked_out"}`},
		"a list":     {status: status, body: `["invalid_grant"]`},
		"bad gzip":   {status: status, body: zip("{}")[:12]},
	}
}

// asker is who asks.
type asker struct {
	kind kind
	user bool
}

func (a asker) String() string {
	switch {
	case a.kind == refresh && a.user:
		return "a user's refresh"
	case a.kind == refresh:
		return "a person's refresh"
	case a.user:
		return "a user's login"
	}
	return "a client's login"
}

// row is a refusal by status and word, and how each asker reads it.
type row struct {
	status                int
	word                  string // "": none that is known
	user, client, refresh verdict
}

// refusalRows are the contract's table and what is known of the framework.
func refusalRows() []row {
	rows := []row{
		// Wrong, locked, disabled, expired user; a refresh token that is unknown.
		{400, "invalid_grant", refusedUser, unclear, inactiveRefreshToken},
		// Past its end.
		{401, "invalid_token", unclearUser, refusedClient, inactiveRefreshToken},
		// Wrong client secret; a store that is down; a user at a refresh.
		{401, "unauthorized", unclearUser, refusedClient, unclear},
		// Wrong client secret in the form; a client without the grant type.
		{401, "invalid_client", unclearUser, refusedClient, unclear},
		{401, "unauthorized_client", unclearUser, refusedClient, unclear},
		{401, "", unclearUser, refusedClient, unclear},
		{400, "invalid_client", refusedUser, refusedClient, unclear},
		{400, "unauthorized", refusedUser, refusedClient, unclear},
		{400, "unauthorized_client", refusedUser, refusedClient, unclear},
		{400, "invalid_token", refusedUser, unclear, unclear},
		{400, "", refusedUser, unclear, unclear},
		{401, "invalid_grant", unclearUser, refusedClient, unclear},
		// A firewall.
		{403, "", unclearUser, unclear, unclear},
		{403, "invalid_grant", unclearUser, unclear, unclear},
		{403, "unauthorized", unclearUser, refusedClient, unclear},
		{403, "invalid_token", unclearUser, unclear, unclear},
	}
	for _, status := range []int{402, 404, 405, 406, 409, 410, 413, 415, 418, 422, 423, 431, 451, 499} {
		rows = append(rows, row{status, "", unclearUser, unclear, unclear})
	}
	for _, word := range []string{"invalid_request", "invalid_scope", "unsupported_grant_type"} {
		rows = append(rows, row{400, word, misconfigured, misconfigured, misconfigured},
			row{401, word, misconfigured, misconfigured, misconfigured})
	}
	for _, word := range []string{"", "invalid_grant", "invalid_client", "invalid_scope"} {
		rows = append(rows, row{429, word, throttled, throttled, throttled})
		if word != "invalid_scope" { // which is about the request with any 4xx
			rows = append(rows, row{408, word, unavailable, unavailable, unavailable})
		}
		for _, status := range []int{302, 307, 500, 502, 503, 504, 599} {
			rows = append(rows, row{status, word, unavailable, unavailable, unavailable})
		}
	}
	return rows
}

func (r row) askers() map[asker]verdict {
	return map[asker]verdict{
		{login, true}: r.user, {login, false}: r.client, {refresh, true}: r.refresh, {refresh, false}: r.refresh,
	}
}

func TestJudgeRefusals(t *testing.T) {
	for _, r := range refusalRows() {
		responses := wordless(r.status)
		if r.word != "" {
			responses = dresses(r.status, r.word)
		}
		for dress, c := range responses {
			for who, want := range r.askers() {
				if got := judge(who.kind, who.user, c.ask(t, who.kind, who.user)); got != want {
					t.Errorf("%d %q as %s to %s: verdict %d, want %d", r.status, r.word, dress, who, got, want)
				}
			}
			// What breaks off before its end is no refusal, whatever it began with.
			c.cut = true
			want := unavailable
			if r.status == http.StatusTooManyRequests {
				want = throttled
			}
			for who := range r.askers() {
				if got := judge(who.kind, who.user, c.ask(t, who.kind, who.user)); got != want {
					t.Errorf("%d %q as %s, cut off, to %s: verdict %d, want %d", r.status, r.word, dress, who, got, want)
				}
			}
		}
	}
}

// More than is read of a response is whole all the same: its status is known.
func TestJudgeATooLargeRefusal(t *testing.T) {
	for status, want := range map[int]verdict{400: refusedUser, 403: unclearUser, 429: throttled, 503: unavailable} {
		c := canned{status: status, body: `{"error":"` + strings.Repeat("x", 1<<20) + `"}`}
		if got := judge(login, true, c.ask(t, login, true)); got != want {
			t.Errorf("%d: verdict %d, want %d", status, got, want)
		}
	}
}

// successes are responses of 200, by what they hold.
func successes() map[verdict]map[string]canned {
	ok := func(body string) canned { return canned{status: http.StatusOK, body: body} }
	token := `{"access_token":"a","token_type":"bearer","refresh_token":"r","expires_in":3599,"scope":"s"}`
	factor := `{"expires_in":599,"state_token":{"mfaType":"AUTHENTICATOR","expires_in":"600","status":"ENROLL","token":"t"}}`
	page := ok(token)
	page.header = http.Header{"Content-Type": {"text/html"}}
	return map[verdict]map[string]canned{
		accepted: {
			"plain": ok(token), "gzip": ok(zip(token)), "byte order mark": ok("\xef\xbb\xbf" + token),
			"both": ok(zip("\xef\xbb\xbf" + token)), "called a page": page,
			"201":             {status: http.StatusCreated, body: token},
			"scope as a list": ok(strings.Replace(token, `"s"`, `["a","b"]`, 1)),
			"type a number":   ok(strings.Replace(token, `"bearer"`, `7`, 1)),
			"Latin-1":         ok(strings.Replace(token, `{`, "{\"note\":\"\xe4\",", 1)),
			"expires as text": ok(strings.Replace(token, `3599`, `"3599"`, 1)),
			"with an error":   ok(strings.Replace(token, `{`, `{"error":"invalid_grant",`, 1)),
		},
		secondFactor: {
			"plain": ok(factor), "gzip": ok(zip(factor)), "byte order mark": ok("\xef\xbb\xbf" + factor),
			"a text": ok(`{"state_token":"t"}`), "of an unknown kind": ok(`{"state_token":{"mfaType":"EMAIL","token":"t"}}`),
		},
		unavailable: {
			"page": ok("<html></html>"), "empty": ok(""), "no object": ok("[]"), "no token": ok(`{"expires_in":1}`),
			"refusal": ok(`{"error":"invalid_grant"}`), "bad token": ok(`{"access_token":"a b","expires_in":1}`),
			"negative": ok(`{"access_token":"a","expires_in":-1}`), "cut off": {status: 200, body: token[:30], cut: true},
			"unheard": {unheard: true},
		},
	}
}

func TestJudgeSuccesses(t *testing.T) {
	for want, responses := range successes() {
		for dress, c := range responses {
			for who := range (row{}).askers() {
				if got := judge(who.kind, who.user, c.ask(t, who.kind, who.user)); got != want {
					t.Errorf("200 as %s to %s: verdict %d, want %d", dress, who, got, want)
				}
			}
		}
	}
}

// What a counted login comes to: what is accepted, refused or unclear says so,
// what may have been a refusal stays counted, and the rest counts as nothing.
func TestOutcomeOfALogin(t *testing.T) {
	word := `{"error":"invalid_grant"}`
	for name, c := range map[string]struct {
		response canned
		want     lockout.Outcome
		unseen   bool
	}{
		"accepted":        {response: successes()[accepted]["plain"], want: lockout.Accepted},
		"400":             {response: canned{status: 400}, want: lockout.Refused},
		"401":             {response: canned{status: 401, body: word}, want: lockout.Unclear},
		"403":             {response: canned{status: 403}, want: lockout.Unclear},
		"400, cut off":    {response: canned{status: 400, body: word, cut: true}, unseen: true},
		"401, cut off":    {response: canned{status: 401, cut: true}, unseen: true},
		"no response":     {response: canned{unheard: true}, unseen: true},
		"500":             {response: canned{status: 500, body: word}},
		"500, cut off":    {response: canned{status: 500, body: word, cut: true}},
		"200, cut off":    {response: canned{status: 200, cut: true}},
		"429":             {response: canned{status: 429, cut: true}},
		"408":             {response: canned{status: 408}},
		"about the scope": {response: canned{status: 400, body: `{"error":"invalid_scope"}`}},
		"a second factor": {response: successes()[secondFactor]["plain"]},
	} {
		err := c.response.ask(t, login, true)
		got, seen := outcomeOf(judge(login, true, err), err)
		if got != c.want || seen == c.unseen {
			t.Errorf("%s: outcome %d, seen %t, want %d and %t", name, got, seen, c.want, !c.unseen)
		}
	}
	if got, seen := outcomeOf(unavailable, errors.New("defect")); got != lockout.Nothing || !seen {
		t.Errorf("an error of another kind: outcome %d, seen %t", got, seen)
	}
}
