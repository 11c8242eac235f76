package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
)

// connect writes a connection's secret; fields is JSON without braces.
func (d *deployed) connect(name, fields string) {
	d.t.Helper()
	if _, err := d.operator.PutConnection(d.t.Context(), name, d.secret(fields)); err != nil {
		d.t.Fatal(err)
	}
}

// renewals are everything that makes issue and rotate call AWS.
func (d *deployed) renewals() {
	d.t.Helper()
	d.connect("client", `"grant_type":"client_credentials"`)
	d.connect("user", `"grant_type":"password","username":"ann","password":"password"`)
	d.connect("person", `"grant_type":"authorization_code","tenant_id":"tenant"`)

	// What issue's main does before it starts.
	if _, err := d.issue.Issuer.Grants.Grant(d.t.Context(), "", grant.Eventual); !errors.Is(err, grant.ErrNotFound) {
		d.t.Fatal(err)
	}
	// A first token, and one reported as refused.
	token := d.ask(`{"connection":"client"}`, "renewed")
	d.ask(fmt.Sprintf(`{"connection":"client","rejected_fingerprint":%q}`, token), "cached")
	// A login with a refresh token: its secret is made, then gets a new version.
	d.ask(`{"connection":"user"}`, "renewed")
	d.tell(`{"connection":"user","force":true}`, `"outcome":"renewed"`)
	// Secrets Manager does not take a refresh token: it is parked, and brought in later.
	d.readOnly.Store(true)
	d.tell(`{"connection":"user","force":true}`, `Secrets Manager: AccessDeniedException`)
	d.readOnly.Store(false)
	d.tell(`{"connection":"user","force":true}`, `"error":null`)
	// Early: the first caller asks, and does not wait.
	d.ahead.Add(int64(58 * time.Minute))
	d.issue.Issuer = &issue.Issuer{Grants: d.issue.Issuer.Grants, Leases: d.issue.Issuer.Leases, Rotate: d.issue.Issuer.Rotate, Now: d.now}
	d.ask(`{"connection":"user"}`, "cached")
	// A person has to log in: said in an event.
	d.tell(`{"connection":"person"}`, `"outcome":"reauthorize"`)
	// A sweep, in which the waiting one is looked at.
	d.ahead.Add(int64(10 * time.Minute))
	d.tell(`{}`, `"failed":0`)

	// Another connection takes over the account of one that is gone.
	d.connect("heir", `"grant_type":"password","username":"ann","password":"password"`)
	d.tell(`{"connection":"heir"}`, `InvalidConnection`)
	if err := d.operator.DeleteConnection(d.t.Context(), "user"); err != nil {
		d.t.Fatal(err)
	}
	d.tell(`{"connection":"heir","force":true}`, `"outcome":"renewed"`)
	// Its refresh token's secret is scheduled for deletion: read by its state.
	d.schedule("grants/heir")
	d.tell(`{"connection":"heir","force":true}`, `scheduled for deletion`)
	// A connection's too.
	d.tell(`{"connection":"user","force":true}`, `UnknownConnection`)
}

// callbacks sends all requests that make callback call AWS.
func (d *deployed) callbacks() {
	d.t.Helper()
	d.connect("visited", `"grant_type":"authorization_code","tenant_id":"tenant"`)
	d.tell(`{"connection":"visited"}`, `"outcome":"reauthorize"`)
	d.walk("visited", http.StatusSeeOther) // a new secret, and the event that it has recovered
	d.walk("visited", http.StatusSeeOther) // a new version of it
	d.readOnly.Store(true)
	d.walk("visited", http.StatusSeeOther) // parked
	d.readOnly.Store(false)
	d.schedule("grants/visited")
	d.walk("visited", http.StatusServiceUnavailable) // seen before the code is spent
	link := d.link("visited")
	if err := d.operator.DeleteConnection(d.t.Context(), "visited"); err != nil {
		d.t.Fatal(err)
	}
	d.browse(link, nil, http.StatusGone)
}

// ask invokes issue, and gives the token's fingerprint.
func (d *deployed) ask(payload, outcome string) string {
	d.t.Helper()
	data, err := d.issue.Invoke(d.t.Context(), []byte(payload))
	var answer struct{ Outcome, Fingerprint string }
	if err == nil {
		err = json.Unmarshal(data, &answer)
	}
	if err != nil || answer.Outcome != outcome {
		d.t.Fatalf("issue %s: outcome %q, %v, want %s", payload, answer.Outcome, err, outcome)
	}
	return answer.Fingerprint
}

// tell invokes rotate, whose answer has to hold a text.
func (d *deployed) tell(payload, want string) {
	d.t.Helper()
	data, err := d.rotate.Invoke(d.t.Context(), []byte(payload))
	if text := fmt.Sprint(string(data), err); !strings.Contains(text, want) {
		d.t.Fatalf("rotate %s: %s, want %s", payload, text, want)
	}
}

// schedule has a secret deleted, later.
func (d *deployed) schedule(name string) {
	d.t.Helper()
	_, err := d.operator.Client.DeleteSecret(d.t.Context(), &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(d.prefix + "/" + name), RecoveryWindowInDays: aws.Int64(7),
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// domain is where API Gateway serves the callback.
const domain = "abc123.execute-api.eu-central-1.amazonaws.com"

// link invites a person, as an operator does.
func (d *deployed) link(name string) string {
	d.t.Helper()
	inviter := &authcode.Flow{AuthRequests: d.table, Connections: d.operator, Hosts: d.callback.Flow.Hosts, Now: d.now}
	i, err := inviter.Invite(d.t.Context(), name, authrequest.InvitationFromCommand, false)
	if err != nil {
		d.t.Fatal(err)
	}
	return "https://" + domain + "/authorize?invitation=" + i.Text.Reveal()
}

var href = regexp.MustCompile(`href="([^"]*)"`)

// walk takes a person through the login.
func (d *deployed) walk(name string, end int) {
	d.t.Helper()
	page := d.browse(d.link(name), nil, http.StatusOK)
	m := href.FindStringSubmatch(page.Body)
	if m == nil {
		d.t.Fatal("the page has no link")
	}
	departed := d.browse(m[1], nil, http.StatusFound)
	back, err := d.reltio.Authorize(d.t.Context(), departed.Headers["Location"], "ben")
	if err != nil {
		d.t.Fatal(err)
	}
	d.browse(back, departed.Cookies, end)
}

// browse opens an address with the cookies that were set.
func (d *deployed) browse(address string, set []string, want int) events.APIGatewayV2HTTPResponse {
	d.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		d.t.Fatal(err)
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: u.Path, RawQueryString: u.RawQuery,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: domain, Stage: "$default",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: http.MethodGet, Path: u.Path},
		},
	}
	for _, line := range set {
		pair, _, _ := strings.Cut(line, ";")
		e.Cookies = append(e.Cookies, pair)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		d.t.Fatal(err)
	}
	data, err := handler.Gateway{Handler: d.callback}.Invoke(d.t.Context(), payload)
	var answer events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(data, &answer)
	}
	if err != nil || answer.StatusCode != want {
		d.t.Fatalf("%s: status %d, %v, want %d", u.Path, answer.StatusCode, err, want)
	}
	return answer
}
