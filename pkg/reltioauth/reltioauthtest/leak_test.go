package reltioauthtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestNothingSecretIsPrinted(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	state := f.challenge().StateToken
	grant := f.codeOf(authorization())
	token := f.login()
	f.refresh(token)
	f.refused(reltioauth.PasswordGrant{Username: "ann", Password: secret("wrong-password")}, reltioauth.ErrInvalidGrant)
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: secret("wrong-token")}, reltioauth.ErrInvalidGrant)
	cfg := config()

	printed := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed += fmt.Sprintf(verb, f.Server) + fmt.Sprintf(verb, f.Requests()) + fmt.Sprintf(verb, cfg) + fmt.Sprintf(verb, &cfg)
	}
	for what, text := range map[string]string{
		"access token": token.AccessToken.Reveal(), "refresh token": token.RefreshToken.Reveal(),
		"state token": state.Reveal(), "code": grant.Code.Reveal(),
		"password": "ann-password", "wrong password": "wrong-password", "wrong token": "wrong-token",
		"client secret": "acme-secret", "second factor": "123456",
	} {
		if strings.Contains(printed, text) {
			t.Errorf("%s: printed", what)
		}
	}
}

// Two months of logins, refreshes, codes and browsers that never come back leave
// no more behind than a day.
func TestMemoryStaysFlat(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) {
		cfg.RateLimit, cfg.RateLimitPerClient, cfg.KeepRequests = 10, true, 10
		cfg.Behaviour = reltioauthtest.Behaviour{
			Login: reltioauthtest.NewToken, Refresh: reltioauthtest.NewToken, Code: reltioauthtest.NewToken,
			LoginRefreshToken: reltioauthtest.NewToken, RefreshTokens: reltioauthtest.Rotate, ReuseRevokes: true,
		}.OrDocumented()
		cfg.Clients[0].RefreshTokenTTL = 12 * time.Hour
	})
	most := 0
	for i := range 2000 {
		token := f.login()
		f.refresh(token)
		f.challenge()
		f.codeOf(authorization())
		f.must(reltioauth.ClientCredentialsGrant{Scope: []string{"", "read", "write"}[i%3]})
		other := f.Server.Client(fmt.Sprintf("stranger-%d", i))
		if _, err := other.Token(ctx(), annPassword()); code(err) != reltioauth.ErrInvalidClient {
			t.Fatal(err)
		}
		f.clock.Advance(45 * time.Minute)
		if i%100 == 0 {
			most = max(most, reltioauthtest.Remembered(f.Server))
		}
	}
	if most > 2000 {
		t.Errorf("things remembered: got up to %d of 20,000", most)
	}
}
