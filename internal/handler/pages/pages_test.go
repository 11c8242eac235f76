package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
)

// codes are those of RFC 6749, section 4.1.2.1.
var codes = []string{
	"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
	"server_error", "temporarily_unavailable",
}

func TestEachErrorCodeHasItsText(t *testing.T) {
	titles := map[string]bool{}
	for _, code := range codes {
		f := pages.FailureOf(pages.Denied, code)
		if !pages.KnownCode(code) || f.Status != 400 || len(f.Text) < 2 || titles[f.Title] {
			t.Errorf("%s: %+v", code, f)
		}
		titles[f.Title] = true
	}
	if f := pages.FailureOf(pages.Denied, "other"); pages.KnownCode("other") || f.Title == "" || titles[f.Title] {
		t.Errorf("another code: %+v", f)
	}
	if f := pages.FailureOf("busy", "access_denied"); f.Status != 503 {
		t.Errorf("a code without a denial: %+v", f)
	}
	if f := pages.FailureOf("kanari", ""); f.Status != 500 {
		t.Errorf("a name that nobody knows: %+v", f)
	}
}

func TestThePageBeforeLeaving(t *testing.T) {
	html, err := pages.New().Leaving(pages.Leaving{
		Connection: "acme-prod", Host: "auth.reltio.com:443", User: "ann", Ends: time.Date(2026, 11, 24, 17, 5, 0, 0, time.UTC),
		Link: "/prod/authorize/go?invitation=AbC_-1", Reference: "ABCD-EFGH",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<html lang="en">`, `name="viewport"`, "<h1>Connect acme-prod to Reltio</h1>", "<dd>auth.reltio.com</dd>",
		"<dd>ann; another user is refused</dd>",
		"24 November 2026, 17:05 UTC", `href="/prod/authorize/go?invitation=AbC_-1"`, "<code>ABCD-EFGH</code>",
	} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if got := strings.Count(string(html), "href="); got != 1 {
		t.Errorf("%d links, want one", got)
	}
}

// What is shown is text, whatever is in it.
func TestTextIsEscaped(t *testing.T) {
	html, err := pages.New().Leaving(pages.Leaving{Connection: "<script>x</script>", Host: `"><img>`, Link: "javascript:alert(1)"})
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"<script", "<img", "javascript:"} {
		if strings.Contains(string(html), never) {
			t.Errorf("the page holds %s", never)
		}
	}
}

func TestDonePages(t *testing.T) {
	set := pages.New()
	done, err := set.Done("acme-prod", "ABCD-EFGH")
	if err != nil || !strings.Contains(string(done), "Reltio is connected") || !strings.Contains(string(done), "<dd>acme-prod</dd>") || strings.Contains(string(done), "href=") {
		t.Errorf("%v: %s", err, done)
	}
	until, err := set.DoneUntil("acme-prod", time.Unix(1800000000, 0), "ABCD-EFGH")
	if err != nil || !strings.Contains(string(until), "15 January 2027, 08:00 UTC") {
		t.Errorf("%v: %s", err, until)
	}
}

func TestPagesSayWhoseTheyAre(t *testing.T) {
	set := pages.New()
	write := func() string {
		html, err := set.Failed(pages.FailureOf("busy", ""), "ABCD-EFGH")
		if err != nil {
			t.Fatal(err)
		}
		return string(html)
	}
	if html := write(); !strings.Contains(html, "· Reltio tokens</title>") || !strings.Contains(html, "ask for help") || strings.Contains(html, `class="owner"`) {
		t.Errorf("without an owner:\n%s", html)
	}
	set.Owner = pages.Owner{Organisation: "Acme & Sons", Contact: "data@acme.example"}
	for _, want := range []string{"· Acme &amp; Sons</title>", `<p class="owner">Acme &amp; Sons</p>`, "ask <b>data@acme.example</b>."} {
		if html := write(); !strings.Contains(html, want) {
			t.Errorf("no %s in:\n%s", want, html)
		}
	}
}
