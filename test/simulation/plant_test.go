package simulation

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The mistakes of a client that takes the words of one server for those of all.

func misreadings() map[string]mutant {
	return map[string]mutant{
		"a refusal in unknown words that is not counted": {plain(knownWords), "I3"},
		"unclear logins without a pause":                 {plain(noPause), "I3 I2"},
		"an unclear login counted as refused":            {plain(unclearRefused), "I3 I5"},
		"a denied check read as a verdict":               {plain(deniedIsInactive), "I7"},
		"a refresh before the token's end, to learn":     {plain(earlyRefresh), "I7"},
		"a token handed out that a check called invalid": {plain(invalidOn), "I1"},
		"new credentials counted against their host":     {plain(mistakesCount), "I3"},
	}
}

// answered lets the response to each request of a path be changed.
func answered(p *Ports, path string, change func(r *http.Request, response *http.Response, body string)) {
	exchanged(p, func(inner reltioauth.Transport, r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		if err != nil || r.URL.Path != path {
			return response, err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(strings.NewReader(string(body)))
		change(r, response, string(body))
		return response, nil
	})
}

// knownWords: a 400 to a login counts as refused only with the word for it.
func knownWords(p *Ports) {
	w := p.By.w
	answered(p, "/oauth/token", func(r *http.Request, response *http.Response, body string) {
		user := credentialsOf(r) != 0 && w.clientOf(r).Type == connection.Password
		if user && response.StatusCode == http.StatusBadRequest && !strings.Contains(body, "invalid_grant") {
			response.StatusCode = http.StatusServiceUnavailable
		}
	})
}

// deniedIsInactive: a check that the client may not make calls the token invalid.
func deniedIsInactive(p *Ports) {
	answered(p, "/oauth/checkToken", func(_ *http.Request, response *http.Response, _ string) {
		if response.StatusCode == http.StatusForbidden {
			const invalid = `{"error":"invalid_token"}`
			response.StatusCode, response.ContentLength = http.StatusBadRequest, int64(len(invalid))
			response.Header = http.Header{"Content-Type": {"application/json"}}
			response.Body = io.NopCloser(strings.NewReader(invalid))
		}
	})
}

// loginStore lets single methods be changed.
type loginStore struct {
	lockout.Store
	count  func(lockout.Try) lockout.Try
	settle func(lockout.Outcome) lockout.Outcome
}

func (s *loginStore) CountLogin(ctx context.Context, t lockout.Try) (lockout.Record, error) {
	if s.count != nil {
		t = s.count(t)
	}
	return s.Store.CountLogin(ctx, t)
}

func (s *loginStore) SettleLogin(ctx context.Context, t lockout.Try, o lockout.Outcome) error {
	if s.settle != nil {
		o = s.settle(o)
	}
	return s.Store.SettleLogin(ctx, t, o)
}

// noPause: the next login after an unclear one comes as after any failure.
func noPause(p *Ports) {
	p.Lockouts = &loginStore{Store: p.Lockouts, count: func(t lockout.Try) lockout.Try {
		t.Forced = true
		return t
	}}
	written(p, func(g grant.Grant) grant.Grant {
		if at := p.Now().Add(30 * time.Second); g.Status == grant.StatusFailing && g.RetryAt.After(at) {
			g.RetryAt = at
			g = g.Indexed(p.Now())
		}
		return g
	})
}

// unclearRefused: whatever gives no token has refused the user.
func unclearRefused(p *Ports) {
	p.Lockouts = &loginStore{Store: p.Lockouts, settle: func(o lockout.Outcome) lockout.Outcome {
		if o == lockout.Unclear {
			return lockout.Refused
		}
		return o
	}}
}

// earlyRefresh: a refresh is believed to leave the old token valid until it was
// seen not to.
func earlyRefresh(p *Ports) {
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		g.RefreshMode = grant.Overlap
		return g
	}}
}

// invalidOn: what a check said concerns renewals alone.
func invalidOn(p *Ports) {
	if p.By.kind != "issue" {
		return
	}
	p.Grants = &grants{Store: p.Grants, get: func(g grant.Grant) grant.Grant {
		if g.CheckVerdict == grant.Inactive {
			g.CheckVerdict = grant.Unchecked
		}
		return g
	}}
}

// mistakesCount: each refusal of credentials counts against the host.
func mistakesCount(p *Ports) {
	s, w := p.Grants, p.By.w
	p.Grants = &grants{Store: s, put: func(ctx context.Context, held lease.Lease, g grant.Grant) error {
		if g.LastError == apierr.CredentialsRejected && g.Refusals > 0 {
			if _, err := p.RateLimits.Refused(ctx, w.conns[g.Connection].host.name, g.Connection, p.Now()); err != nil {
				return err
			}
		}
		return s.PutGrant(ctx, held, g)
	}}
}
