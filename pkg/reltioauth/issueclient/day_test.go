package issueclient_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// inProcess serves each request in the goroutine that sends it: virtual time
// goes on.
func inProcess(h http.Handler) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		resp := w.Result()
		resp.Request = r
		return resp, nil
	}
}

// A day of an integration, in virtual time: five calls at once each minute, while
// tokens expire, are replaced early or end early, and Lambda throttles.
func TestADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &reltioauthtest.IssueServer{}
		source := &issueclient.Source{Connection: "acme", Lambda: lambda.New(lambda.Options{
			Region: "eu-central-1", Credentials: aws.AnonymousCredentials{}, BaseEndpoint: aws.String("http://lambda.example"),
			HTTPClient: &http.Client{Transport: inProcess(issuer)},
		})}
		client := &http.Client{Transport: &issueclient.Transport{Source: source, Base: inProcess(issuer.Tenant(nil))}}
		for minute := range 24 * 60 {
			switch minute % 240 {
			case 100:
				issuer.Kill("acme")
			case 170:
				issuer.Renew("acme")
			case 220:
				issuer.Throttle(2)
			}
			var calls sync.WaitGroup
			for range 5 {
				calls.Go(func() {
					resp, err := client.Get("https://prod.reltio.com/reltio/api/T/entities/1")
					if err != nil {
						t.Errorf("minute %d: %v", minute, err)
						return
					}
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						t.Errorf("minute %d: status %d", minute, resp.StatusCode)
					}
				})
			}
			calls.Wait()
			time.Sleep(time.Minute)
		}
		// 24 tokens expire, 6 end early; each is asked for at most twice in its
		// last minute, and once more when it has expired.
		if got := issuer.Asked("acme"); got < 24 || got > 90 {
			t.Errorf("%d invocations for 7200 calls, want some tens", got)
		}
		t.Logf("7200 calls, %d invocations", issuer.Asked("acme"))
	})
}
