package deploy

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The requests of a renewal to DynamoDB, in their order. docs/performance.md says what
// each of them is for.
const (
	lease = "rotate UpdateItem lease#"
	batch = "rotate BatchGetItem budget# grant# parked#"
	slot  = "rotate UpdateItem budget#"
	store = "rotate UpdateItem grant#"
	host  = "rotate GetItem budget#"
	count = "rotate UpdateItem account#"
	// account is read where there is no record yet, and parked again after the refresh
	// tokens of another identity were looked for.
	account = "rotate GetItem account#"
	parked  = "rotate GetItem parked#"
)

var (
	renewing = []string{lease, batch, lease, slot, store, host, lease}
	// A user's login is counted before it is sent, and settled.
	loggingIn = []string{lease, batch, lease, count, slot, count, store, host, lease}
	// A first token: the grant is made before anything is sent, and so is the record of
	// the credentials.
	firstOfClient = []string{lease, batch, store, lease, slot, count, account, count, store, host, lease}
	firstOfUser   = []string{lease, batch, store, parked, lease, count, account, count, slot, count, store, host, lease}
)

// TestRequestsOfARenewal counts what each kind of renewal costs in requests to
// DynamoDB, on its engine. One more is time that callers wait, and can fail.
func TestRequestsOfARenewal(t *testing.T) {
	const (
		client = `"grant_type":"client_credentials"`
		user   = `"grant_type":"password","username":"ann","password":"password"`
		person = `"grant_type":"authorization_code","tenant_id":"tenant"`
		// without is a user at a server that gives no refresh tokens.
		without = `"grant_type":"password","username":"ben","password":"password"`
	)
	waiting := []string{"issue GetItem grant#", "issue UpdateItem lease#", "issue GetItem grant#"}
	asked := func(renewal []string) []string {
		return slices.Concat(waiting, renewal, []string{"issue GetItem grant#"})
	}
	found := func(renewal []string) []string {
		return slices.Concat([]string{"rotate Query due", "rotate Query waiting"}, renewal, []string{"rotate Query waiting"})
	}
	for _, c := range []struct {
		kind, secret string
		// first: it has no token yet; else it has one, which has ended.
		first bool
		// sweep: the schedule asks; else a caller does, through issue.
		sweep bool
		want  []string
	}{
		{"client_credentials, a caller", client, false, false, asked(renewing)},
		{"client_credentials, the schedule", client, false, true, found(renewing)},
		{"password with a refresh token, a caller", user, false, false, asked(renewing)},
		{"password with a refresh token, the schedule", user, false, true, found(renewing)},
		{"authorization_code, a caller", person, false, false, asked(renewing)},
		{"authorization_code, the schedule", person, false, true, found(renewing)},
		{"password without a refresh token, a caller", without, false, false, asked(loggingIn)},
		{"password without a refresh token, the schedule", without, false, true, found(loggingIn)},
		{"client_credentials, the first token", client, true, false, asked(firstOfClient)},
		{"password, the first token", user, true, false, asked(firstOfUser)},
	} {
		t.Run(c.kind, func(t *testing.T) {
			d := deploy(t)
			d.connect("acme", c.secret)
			d.reltio.Configure(func(s *reltioauthtest.Config) { s.Behaviour.OmitRefreshToken = c.secret == without })
			if !c.first {
				d.begin(c.secret == person)
			}
			got := d.requestsOf(c.sweep)
			t.Logf("%d requests:\n%s", len(got), strings.Join(got, "\n"))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// begin gets acme's first token, two hours ago, so that it has ended.
func (d *deployed) begin(person bool) {
	d.t.Helper()
	d.ahead.Store(-int64(2 * time.Hour))
	if person {
		d.tell(`{"connection":"acme"}`, `"outcome":"reauthorize"`)
		d.walk("acme", http.StatusSeeOther)
	} else {
		d.tell(`{"connection":"acme"}`, `"outcome":"renewed"`)
	}
	d.ahead.Store(0)
}

// requestsOf renews acme, and returns the requests to DynamoDB.
func (d *deployed) requestsOf(sweep bool) []string {
	d.t.Helper()
	n := len(d.recorder.since(0))
	if sweep {
		d.tell(`{}`, `"renewed":1`)
	} else {
		d.ask(`{"connection":"acme"}`, "renewed")
	}
	var sent []string
	for _, r := range d.recorder.since(n) {
		if strings.HasPrefix(r.action, "dynamodb:") {
			slices.Sort(r.on)
			sent = append(sent, r.String())
		}
	}
	return sent
}
