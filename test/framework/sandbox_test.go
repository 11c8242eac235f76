package framework

import (
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// sandbox is the server that stands in for the framework in all other tests.
type sandbox struct {
	*reltioauthtest.Server
	address string
	now     settings
}

// startSandbox starts a sandbox, until the test ends.
func startSandbox(t *testing.T, s settings) server {
	t.Helper()
	b := &sandbox{Server: reltioauthtest.New(reltioauthtest.Config{Now: time.Now, RateLimit: -1}), now: s}
	var err error
	if b.address, err = b.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	b.apply()
	return b
}

func (b *sandbox) url() string { return b.address }

func (b *sandbox) change(_ *testing.T, change func(*settings)) {
	change(&b.now)
	b.apply()
}

func (b *sandbox) forget(*testing.T) { b.Restart() }

func (b *sandbox) kill(t *testing.T, token string) {
	t.Helper()
	if !b.Kill(reltioauth.Fingerprint(reltioauth.NewSecret(token))) {
		t.Error("there was no such token")
	}
}

// apply makes the server's settings the framework's.
func (b *sandbox) apply() {
	b.Configure(func(c *reltioauthtest.Config) {
		c.Behaviour = reltioauthtest.Framework()
		c.Behaviour.CheckDenied = !b.now.CheckToken
		c.Behaviour.NoEntryPoint = b.now.BootEntryPoint
		c.Behaviour.ServerErrorAtRefresh = b.now.UserStoreThrowsOther
		c.Clients, c.Users = nil, nil
		for id, known := range b.now.Clients {
			styles := []reltioauth.ClientAuth{reltioauth.ClientAuthBasic}
			if b.now.FormAuthentication {
				styles = append(styles, reltioauth.ClientAuthPost)
			}
			c.Clients = append(c.Clients, reltioauthtest.Client{
				ID: id, Secret: reltioauth.NewSecret(known.Secret), ClientAuth: styles,
				GrantTypes: slices.Clone(known.Grants), Scopes: known.Scopes, RedirectURIs: known.Redirects,
				AccessTokenTTL:  time.Duration(known.AccessSeconds) * time.Second,
				RefreshTokenTTL: time.Duration(known.RefreshSeconds) * time.Second,
			})
		}
		for name, known := range b.now.Users {
			c.Users = append(c.Users, reltioauthtest.User{Username: name, Password: reltioauth.NewSecret(known.Password)})
		}
	})
	b.ReuseRefreshTokens(!b.now.RotateRefreshTokens)
	for name, known := range b.now.Users {
		b.SetUserState(name, known.state())
	}
	b.Outage(b.now.outage())
}

func (u user) state() reltioauthtest.UserState {
	switch {
	case u.Locked:
		return reltioauthtest.UserLocked
	case u.Disabled:
		return reltioauthtest.UserDisabled
	case u.Expired:
		return reltioauthtest.UserCredentialsExpired
	default:
		return reltioauthtest.UserActive
	}
}

// outage is that of the store that is down; the contract takes down one at a
// time.
func (s settings) outage() reltioauthtest.Outage {
	switch {
	case s.ClientStoreDown != "":
		return reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultClientStore, Body: s.ClientStoreDown}}
	case s.UserStoreDown != "":
		return reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUserStore, Body: s.UserStoreDown}}
	default:
		return reltioauthtest.Outage{}
	}
}
