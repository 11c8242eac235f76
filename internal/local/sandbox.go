package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/localapi"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// sandboxAPI serves POST /local/sandbox: the request is a localapi.Action, the
// response its Result.
type sandboxAPI struct {
	reltio  *reltioauthtest.Server
	table   *memstore.Table
	secrets *memstore.Secrets
}

// ServeHTTP implements http.Handler.
func (a sandboxAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var action localapi.Action
	if !fromProgram(w, r, "action", &action) {
		return
	}
	var result localapi.Result
	done, err := a.do(r.Context(), action)
	if err != nil {
		result.Refused = err.Error()
	} else {
		result.Done = done
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // a caller that is gone gets nothing
}

// do carries out an action, and says what it has done.
func (a sandboxAPI) do(ctx context.Context, action localapi.Action) (string, error) {
	lasts := time.Duration(action.ForMS) * time.Millisecond
	delay := time.Duration(action.DelayMS) * time.Millisecond
	switch action.Verb {
	case localapi.Kill:
		return a.kill(ctx, action.Connection)
	case localapi.Down:
		a.outage(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: http.StatusServiceUnavailable}, lasts)
		return "the authorization server responds 503 to everything" + until(lasts), nil
	case localapi.Slow:
		a.outage(reltioauthtest.Fault{Delay: delay}, lasts)
		return fmt.Sprintf("the authorization server responds after %s%s", delay, until(lasts)), nil
	case localapi.Throttle:
		a.outage(reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}, lasts)
		return "the authorization server responds 429 to token requests" + until(lasts), nil
	case localapi.Reset:
		a.reset()
		return "the sandbox is as it was at its start; tokens that were ended stay ended", nil
	}
	user, err := a.user(ctx, action.Connection)
	if err != nil {
		return "", err
	}
	switch action.Verb {
	case localapi.Lock:
		a.reltio.LockUser(user)
		return "the user " + user + " is locked", nil
	case localapi.ExpirePassword:
		a.reltio.SetUserState(user, reltioauthtest.UserCredentialsExpired)
		return "the password of the user " + user + " has expired", nil
	case localapi.MFA:
		a.secondFactor(user, reltioauth.NewSecret("no-code-is-right"))
		a.reltio.KillUserTokens(user)
		return "the user " + user + " needs a second factor, and its tokens have ended", nil
	default:
		return "", fmt.Errorf("the sandbox cannot %q", action.Verb)
	}
}

// kill ends the connection's access token.
func (a sandboxAPI) kill(ctx context.Context, name string) (string, error) {
	g, err := a.table.Grant(ctx, name, grant.Strong)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return "", err
	}
	if err != nil || !a.reltio.Kill(reltioauth.Fingerprint(g.AccessToken)) {
		return "", fmt.Errorf("%s has no valid token: ask issue for one first", name)
	}
	return fmt.Sprintf("the token %s of %s has ended: Reltio refuses it from now on", reltioauth.Fingerprint(g.AccessToken), name), nil
}

// outage makes the server fail, for a time or until the next action.
func (a sandboxAPI) outage(fault reltioauthtest.Fault, lasts time.Duration) {
	outage := reltioauthtest.Outage{Fault: fault}
	if lasts > 0 {
		outage.Until = time.Now().Add(lasts)
	}
	a.reltio.Outage(outage)
}

func until(lasts time.Duration) string {
	if lasts == 0 {
		return ", until reset"
	}
	return fmt.Sprintf(", for %s", lasts)
}

// reset ends outages, and makes every user able to log in.
func (a sandboxAPI) reset() {
	a.reltio.Outage(reltioauthtest.Outage{})
	for _, user := range []string{demoUser, demoPerson} {
		a.reltio.SetUserState(user, reltioauthtest.UserActive)
		a.secondFactor(user, reltioauth.Secret{})
	}
}

func (a sandboxAPI) secondFactor(user string, code reltioauth.Secret) {
	a.reltio.Configure(func(c *reltioauthtest.Config) {
		for i := range c.Users {
			if c.Users[i].Username == user {
				c.Users[i].TOTP = code
			}
		}
	})
}

// user is the user of the connection.
func (a sandboxAPI) user(ctx context.Context, name string) (string, error) {
	source, err := a.secrets.Connection(ctx, name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var fields struct {
		GrantType    string `json:"grant_type"`
		Username     string `json:"username"`
		ExpectedUser string `json:"expected_user"`
	}
	if err := json.Unmarshal([]byte(source.Value.Reveal()), &fields); err != nil {
		return "", fmt.Errorf("%s: its secret cannot be read", name)
	}
	switch fields.GrantType {
	case "password":
		return fields.Username, nil
	case "authorization_code":
		return cmp.Or(fields.ExpectedUser, demoPerson), nil
	default:
		return "", fmt.Errorf("%s has no user: its client logs in", name)
	}
}
