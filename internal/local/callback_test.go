package local_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A person opens the link, logs in and comes back; before that issue says that
// a person is needed, and afterwards it answers.
func TestAPersonConnects(t *testing.T) {
	stack, client := start(t)
	demo := &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(`{"connection":"demo-authorization-code"}`)}
	if _, body := invoke(t, client, demo); body["errorType"] != "ReauthorizationRequired" {
		t.Fatalf("before: %v", body)
	}
	link, err := stack.Invite(t.Context(), "demo-authorization-code", false)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if browser.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	visit := func(address string, want int) (*http.Response, string) {
		t.Helper()
		r, err := browser.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != want {
			t.Fatalf("status %d, want %d", r.StatusCode, want)
		}
		return r, r.Header.Get("Location")
	}
	visit(link, http.StatusOK)
	r, login := visit(strings.Replace(link, "/authorize?", "/authorize/go?", 1), http.StatusFound)
	// Go's jar sends no secure cookie over plain HTTP; browsers do, on loopback.
	plain := r.Cookies()[0]
	plain.Secure = false
	u, err := url.Parse(stack.CallbackURL)
	if err != nil {
		t.Fatal(err)
	}
	browser.Jar.SetCookies(u, []*http.Cookie{plain})
	back, err := stack.Sandbox().Authorize(t.Context(), login, "demo-person")
	if err != nil {
		t.Fatal(err)
	}
	_, done := visit(back, http.StatusSeeOther)
	visit(stack.CallbackURL+done, http.StatusOK)
	if _, body := invoke(t, client, demo); body["access_token"] == nil {
		t.Errorf("afterwards: %v", body["errorType"])
	}
}
