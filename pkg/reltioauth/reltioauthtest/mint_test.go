package reltioauthtest_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestRandSource(t *testing.T) {
	run := func(seed byte) string {
		f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Rand = &counter{next: seed} })
		return f.clientCredentials().Fingerprint()
	}
	equal(t, "the same seed", run(1), run(1))
	equal(t, "another seed", run(1) == run(2), false)
}

// counter is a source of numbers that are not random at all.
type counter struct{ next byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// dry is a source that ends.
type dry struct{ left int }

func (d *dry) Read(p []byte) (int, error) {
	if d.left < len(p) {
		return 0, errors.New("dry")
	}
	d.left -= len(p)
	return len(p), nil
}

func TestRandSourceThatEnds(t *testing.T) {
	mfa := form("grant_type", "password", "username", "mia", "password", "mia-password")
	tests := map[string]struct {
		left int
		form url.Values
	}{
		"before the refresh token":   {0, passwordForm()},
		"before the access token":    {16, passwordForm()},
		"before the client's token":  {0, form("grant_type", "client_credentials")},
		"before the state token":     {0, mfa},
		"before a long access token": {16, passwordForm()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := setup(t, func(cfg *reltioauthtest.Config) {
				cfg.Rand = &dry{left: test.left}
				cfg.Behaviour.LongTokens = name == "before a long access token"
			})
			got := f.post("/oauth/token", test.form)
			equal(t, "status", got.status, 500)
			equal(t, "error", got.json(t)["error"], "server_error")
		})
	}
	for name, left := range map[string]int{"rotating": 32, "renewing": 48} {
		t.Run(name, func(t *testing.T) {
			f := setup(t, func(cfg *reltioauthtest.Config) {
				cfg.Rand = &dry{left: left}
				cfg.Behaviour = reltioauthtest.Behaviour{Refresh: reltioauthtest.NewToken, RefreshTokens: reltioauthtest.Rotate}.OrDocumented()
			})
			refresh := form("grant_type", "refresh_token", "refresh_token", f.login().RefreshToken.Reveal())
			equal(t, "status", f.post("/oauth/token", refresh).status, 500)
		})
	}
}
