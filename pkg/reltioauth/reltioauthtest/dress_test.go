package reltioauthtest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func unzipped(t *testing.T, r reply) string {
	t.Helper()
	if r.header.Get("Content-Encoding") != "gzip" {
		t.Fatal("not labelled as gzip")
	}
	z, err := gzip.NewReader(bytes.NewReader([]byte(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDressedRefusals(t *testing.T) {
	const plain = `{"error":"invalid_grant","error_description":"Bad credentials"}`
	wrong := form("grant_type", "password", "username", "ann", "password", "wrong")
	for name, test := range map[string]struct {
		dress             reltioauthtest.Dress
		body, contentType string
	}{
		"as it is":        {reltioauthtest.DressNone, plain, "application/json"},
		"label":           {reltioauthtest.DressHTMLLabel, plain, "text/html;charset=UTF-8"},
		"byte order mark": {reltioauthtest.DressByteOrderMark, "\ufeff" + plain, "application/json"},
		"empty":           {reltioauthtest.DressEmpty, "", ""},
		"plain":           {reltioauthtest.DressPlain, "Bad credentials", "text/plain;charset=UTF-8"},
		"management":      {reltioauthtest.DressManagement, `{"errorCode":403,"errorMessage":"Bad credentials"}`, "application/json"},
		"capitals":        {reltioauthtest.DressCapitals, `{"ERROR":"INVALID_GRANT","ERROR_DESCRIPTION":"Bad credentials"}`, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			f := framework(t, func(cfg *reltioauthtest.Config) {
				cfg.Behaviour.DressRefusals, cfg.Behaviour.RefusalStatus = test.dress, 403
			})
			got := f.post("/oauth/token", wrong)
			equal(t, "status", got.status, 403)
			equal(t, "body", got.body, test.body)
			equal(t, "content type", got.header.Get("Content-Type"), test.contentType)
			equal(t, "a token", f.post("/oauth/token", passwordForm()).json(t)["token_type"], any("bearer"))
			equal(t, "counted as a bad login", f.RefusedLogins("ann", time.Time{}, time.Time{}), 1)
		})
	}
	f := framework(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.DressRefusals = reltioauthtest.DressGzip })
	equal(t, "gzip", unzipped(t, f.post("/oauth/token", wrong)), plain)
	equal(t, "gzip at checkToken", strings.Contains(unzipped(t, f.post("/oauth/checkToken", form("token", "x"))), "invalid_token"), true)
	for dress, begin := range map[reltioauthtest.Dress]string{
		reltioauthtest.DressPage: "<html>", reltioauthtest.DressXML: "<?xml",
	} {
		f.Configure(func(cfg *reltioauthtest.Config) { cfg.Behaviour.DressRefusals = dress })
		got := f.post("/oauth/token", wrong)
		equal(t, "status", got.status, 400)
		equal(t, begin, strings.HasPrefix(got.body, begin), true)
	}
}

func TestDressedTokens(t *testing.T) {
	dressed := func(dress reltioauthtest.Dress) reply {
		f := framework(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.DressTokens = dress })
		equal(t, "a refusal stays as it is", f.post("/oauth/token", form()).json(t)["error"], any("invalid_request"))
		got := f.post("/oauth/token", passwordForm())
		equal(t, "status", got.status, 200)
		return got
	}
	if body := unzipped(t, dressed(reltioauthtest.DressGzip)); !strings.Contains(body, `"access_token"`) {
		t.Error("gzip: no token")
	}
	equal(t, "label", dressed(reltioauthtest.DressHTMLLabel).header.Get("Content-Type"), "text/html;charset=UTF-8")
	equal(t, "byte order mark", strings.HasPrefix(dressed(reltioauthtest.DressByteOrderMark).body, "\ufeff{"), true)
	equal(t, "scope", strings.Contains(dressed(reltioauthtest.DressScopeList).body, `"scope":["read","write"]`), true)
	equal(t, "token type", dressed(reltioauthtest.DressTokenTypeNumber).json(t)["token_type"], any(1.0))
	body := dressed(reltioauthtest.DressLatin1).body
	equal(t, "Latin-1", strings.Contains(body, "\xe9") && strings.Contains(body, `"refresh_token"`), true)
}

func TestFirewall(t *testing.T) {
	f := framework(t, nil)
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultFirewall}, Ops: []reltioauthtest.Op{reltioauthtest.OpToken}})
	for range 9 {
		got := f.post("/oauth/token", passwordForm())
		equal(t, "status", got.status, 403)
		equal(t, "a page", strings.HasPrefix(got.body, "<html>"), true)
	}
	equal(t, "other operations", f.post("/oauth/revoke", form("token", "x")).status, 200)
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultFirewall}})
	equal(t, "everything", f.post("/oauth/revoke", form("token", "x")).status, 403)
	equal(t, "unclear logins", f.UnclearLogins("ann", time.Time{}, time.Time{}), 9)
	equal(t, "refused logins", f.RefusedLogins("ann", time.Time{}, time.Time{}), 0)
	equal(t, "locked", f.Locked("ann"), false)
}

// A 400 that is not the server's counts as a refusal, unless it is about the
// request.
func TestRefusalsOfAFault(t *testing.T) {
	f := framework(t, nil)
	for body, want := range map[string]int{`<html>`: 1, `{"error":"invalid_scope"}`: 0} {
		before := f.RefusedLogins("ann", time.Time{}, time.Time{})
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 400, Body: body}})
		f.post("/oauth/token", passwordForm())
		equal(t, body, f.RefusedLogins("ann", time.Time{}, time.Time{})-before, want)
	}
}

func TestClientStoreDownAtTheLoginPage(t *testing.T) {
	f := framework(t, nil)
	page := "/oauth/sso?" + f.pageForm().Encode()
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultClientStore}})
	equal(t, "login page", f.send(http.MethodGet, page, url.Values{}, http.Header{}).status, 500)
}
