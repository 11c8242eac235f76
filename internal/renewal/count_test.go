package renewal_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// counts are the logins of acme's user that still count.
type counts struct{ attempts, unclear int }

func (w *world) wantCounts(want counts) {
	w.t.Helper()
	r := w.record()
	if got := (counts{r.Attempts, r.Unclear}); got != want {
		w.t.Fatalf("counted %+v, want %+v", got, want)
	}
}

// What a response leaves counted of a login: the status of a refusal decides, and
// one that was not seen counts as both.
func TestLoginCount(t *testing.T) {
	f := func(kind reltioauthtest.FaultKind) reltioauthtest.Fault { return reltioauthtest.Fault{Kind: kind} }
	page := func(status int) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: status}
	}
	nothing, refused, unclear, unseen := counts{}, counts{1, 0}, counts{0, 1}, counts{1, 1}
	for name, c := range map[string]struct {
		fault reltioauthtest.Fault
		want  counts
	}{
		"success":               {f(reltioauthtest.FaultNone), nothing},
		"success, cut off":      {f(reltioauthtest.FaultTruncate), nothing},
		"400 invalid_grant":     {says(400, "invalid_grant"), refused},
		"400 INVALID_GRANT":     {says(400, "INVALID_GRANT"), refused},
		"400 invalid_client":    {says(400, "invalid_client"), refused},
		"400 unauthorized":      {says(400, "unauthorized_client"), refused},
		"400 unknown word":      {says(400, "server_error"), refused},
		"400 page":              {page(400), refused},
		"400 empty":             {reltioauthtest.Fault{Kind: reltioauthtest.FaultEmpty, Status: 400}, refused},
		"401 invalid_client":    {says(401, "invalid_client"), unclear},
		"401 unauthorized":      {says(401, "unauthorized"), unclear},
		"401 invalid_grant":     {says(401, "invalid_grant"), unclear},
		"401 page":              {page(401), unclear},
		"403 page":              {page(403), unclear},
		"404 unknown word":      {says(404, "not_found"), unclear},
		"no response":           {f(reltioauthtest.FaultCut), unseen},
		"no response, acted on": {reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true}, unseen},
		"no response in time":   {reltioauthtest.Fault{Delay: time.Minute}, unseen},
		"400 about the request": {says(400, "invalid_scope"), nothing},
		"408":                   {says(408, "timeout"), nothing},
		"429":                   {f(reltioauthtest.FaultRateLimit), nothing},
		"500":                   {says(500, "invalid_grant"), nothing},
		"503":                   {f(reltioauthtest.FaultStatus), nothing},
		"200 page":              {page(200), nothing},
		"200 empty":             {f(reltioauthtest.FaultEmpty), nothing},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				w.answer(c.fault, reltioauthtest.OpToken)
				w.acme()
				w.wantRequests(1)
				w.wantCounts(c.want)
			})
		})
	}
}

// A refusal that breaks off may have been one of the user: no caller saw that it
// was not.
func TestRefusalCutOffStaysCounted(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultTruncate}, reltioauthtest.OpToken)
		w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.wantCounts(counts{1, 1})
		for range 5 {
			w.force()
		}
		w.wantRefused(2)
		w.status(grant.StatusCredentialsRejected)
	})
}

// refusals are responses to a user's login that is refused in words which the
// service need not know, in the status given.
func refusals(status int) map[string]reltioauthtest.Fault {
	body := func(text string, header http.Header) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: text, Header: header}
	}
	return map[string]reltioauthtest.Fault{
		"code":       body(`{"error":"invalid_grant","error_description":"Bad credentials"}`, nil),
		"capitals":   body(`{"ERROR":"INVALID_GRANT"}`, nil),
		"unknown":    body(`{"error":"locked_out"}`, nil),
		"management": body(`{"errorCode":4711,"errorMessage":"no"}`, nil),
		"xml":        body(`<oauth><error>invalid_grant</error></oauth>`, http.Header{"Content-Type": {"application/xml"}}),
		"gzip": body(packed(`{"error":"invalid_grant"}`), http.Header{
			"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"},
		}),
		"page":  {Kind: reltioauthtest.FaultHTML, Status: status},
		"empty": {Kind: reltioauthtest.FaultEmpty, Status: status},
	}
}

// A user's login that is refused is sent as often as the rule says and no
// oftener, in two days, whatever words the refusal has: twice if its status is
// 400, else four times a day; and what operators are told is no outage.
func TestRefusedLoginsInAnyWords(t *testing.T) {
	for _, c := range []struct {
		status, logins int
		first          apierr.Type
	}{
		{http.StatusBadRequest, 2, apierr.CredentialsRejected},
		{http.StatusUnauthorized, 8, apierr.ReltioUnavailable},
		{http.StatusForbidden, 8, apierr.ReltioUnavailable},
		{http.StatusNotFound, 8, apierr.ReltioUnavailable},
	} {
		for name, f := range refusals(c.status) {
			t.Run(name+" "+http.StatusText(c.status), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.connect("acme", password())
					w.answer(f, reltioauthtest.OpToken)
					w.expect(w.acme(), rotateapi.Failed, c.first)
					for range 2 * 24 * 60 {
						time.Sleep(time.Minute)
						w.sweep()
					}
					if got := w.requests(); got != c.logins {
						t.Errorf("%d logins in two days, want %d", got, c.logins)
					}
					g := w.status(grant.StatusCredentialsRejected)
					if g.LastError != apierr.CredentialsRejected || g.Refusal.Status != c.status {
						t.Errorf("last error %s, refusal %+v", g.LastError, g.Refusal)
					}
				})
			})
		}
	}
}

// The pauses after unclear logins, and what force skips: the pauses, not the
// limit of a day.
func TestPausesAfterUnclearLogins(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
		began := time.Now()
		for n, want := range []time.Duration{2 * time.Minute, 10 * time.Minute, time.Hour} {
			w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
			g := w.status(grant.StatusFailing)
			if got := time.Until(g.RetryAt).Round(time.Second); got != want {
				t.Errorf("after %d unclear logins: %v, want %v", n+1, got, want)
			}
			if want := "Reltio neither accepted nor clearly refused the login (unauthorized, HTTP 401)"; g.LastErrorMessage != want {
				t.Errorf("message %q, want %q", g.LastErrorMessage, want)
			}
			if n < 2 {
				time.Sleep(time.Until(g.RetryAt))
			}
		}
		report := w.force()
		w.expect(report, rotateapi.Failed, apierr.CredentialsRejected)
		want := "Reltio neither accepted nor clearly refused the login; stopped to prevent a lock-out (unauthorized, HTTP 401)"
		if report.Err.Message != want {
			t.Errorf("message %q, want %q", report.Err.Message, want)
		}
		w.status(grant.StatusCredentialsRejected)
		for range 30 {
			w.expect(w.force(), rotateapi.Failed, apierr.CredentialsRejected)
			time.Sleep(30 * time.Minute)
		}
		w.wantRequests(4)
		w.heal()
		time.Sleep(time.Until(w.record().TriedAt.Add(lockout.UnclearFor)) + 6*time.Minute)
		w.sweep()
		w.status(grant.StatusOK)
		w.wantCounts(counts{})
		if took := time.Since(began); took > 26*time.Hour {
			t.Errorf("well again after %v", took)
		}
	})
}

// The server's user store is down and says so with 401 to right credentials: the
// connection is well again by itself, whatever it renews with, and force helps at
// once.
func TestUserStoreDown(t *testing.T) {
	shapes := map[string]reltioauthtest.Fault{
		"401 unauthorized": {
			Kind: reltioauthtest.FaultStatus, Status: 401,
			Body:   `{"error":"unauthorized","error_description":"Connection refused"}`,
			Header: http.Header{"WWW-Authenticate": {`Bearer realm="oauth", error="unauthorized"`}},
		},
		"401 Unauthorized": {Kind: reltioauthtest.FaultStatus, Status: 401, Body: `{"status":401,"error":"Unauthorized","path":"/oauth/token"}`},
		"401 page":         {Kind: reltioauthtest.FaultHTML, Status: 401},
		"403 page":         {Kind: reltioauthtest.FaultHTML, Status: 403},
	}
	kinds := map[string]map[string]any{
		"client credentials": clientCredentials(), "password, refresh": password(), "person": authorizationCode(),
		"password, login": with(password(), "scope", "s"),
	}
	for shape, f := range shapes {
		for kind, fields := range kinds {
			for _, forced := range []bool{false, true} {
				t.Run(shape+", "+kind, func(t *testing.T) {
					bubble(t, func(w *world) {
						w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = kind == "password, login" })
						w.started(fields)
						w.due()
						w.answer(f, reltioauthtest.OpToken)
						down := time.Now()
						for time.Since(down) < 45*time.Second {
							w.sweep()
							time.Sleep(15 * time.Second)
						}
						if kind == "client credentials" && f.Status == 401 { // the second in a row
							w.status(grant.StatusCredentialsRejected)
						} else {
							w.status(grant.StatusFailing)
						}
						w.heal()
						if forced {
							w.expect(w.force(), rotateapi.Renewed, "")
							return
						}
						for range 3 {
							time.Sleep(time.Minute)
							w.sweep()
						}
						w.status(grant.StatusOK)
					})
				})
			}
		}
	}
}

// That a login was accepted is said again if the table does not take it at once; that
// it was not is said once.
func TestCountThatCannotBeLoweredAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fails func() bool
		want  counts
	}{
		"at first": {times(3), counts{}}, "for good": {always, counts{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				w.out.fail(c.fails, acceptLogin)
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.heal()
				w.status(grant.StatusOK)
				w.wantCounts(c.want)
			})
		})
	}
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		w.out.fail(times(1), uncountLogin)
		w.acme()
		if n := w.out.count(uncountLogin); n != 1 {
			t.Errorf("taken off %d times, want once", n)
		}
		w.wantCounts(counts{1, 1})
	})
}
