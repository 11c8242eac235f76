package operator

import (
	"context"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	// maxRefreshToken bounds a refresh token, in bytes.
	maxRefreshToken = 16 << 10
	// clocksApart is how far two clocks may differ.
	clocksApart = 10 * time.Second
)

// HandoverRequest asks to connect a connection by a refresh token that a person
// or a program got elsewhere.
type HandoverRequest struct {
	Connection   string
	RefreshToken reltioauth.Secret
	// LoggedInAt is when the login was that gave it: its life counts from there.
	// Zero: now.
	LoggedInAt time.Time
	// ReplaceUser lets another user take the place of the first one.
	ReplaceUser bool
}

// Handover tries the refresh token once, by a refresh, and stores it with the
// tokens that the server gives, as a person's login is stored. If the server
// refuses it, which is no error but in the result, nothing is stored.
//
// It fails with InvalidRequest if the grant type has no refresh tokens, if the
// refresh token is malformed or has ended, or if it is another user's.
func (o *Service) Handover(ctx context.Context, r HandoverRequest) (Tried, error) {
	a, err := changer{o}.attempt(ctx, r.Connection)
	if err != nil {
		return Tried{}, err
	}
	if !a.c.Refreshes() {
		return Tried{}, apierr.New(apierr.InvalidRequest, "grant_type: is "+string(a.c.GrantType)+", which has no refresh tokens")
	}
	now := a.Now()
	a.undated = r.LoggedInAt.IsZero()
	if a.undated {
		r.LoggedInAt = now
	}
	var problems []string
	if !tokenText(r.RefreshToken.Reveal()) {
		problems = append(problems, "refresh_token: must be 1 to 16384 printable ASCII characters without spaces")
	}
	switch {
	case r.LoggedInAt.After(now.Add(clocksApart)):
		problems = append(problems, "logged_in_at: must not be in the future")
	case !r.LoggedInAt.Add(a.c.RefreshTokenLife).After(now):
		problems = append(problems, "logged_in_at: a refresh token of that login ended at "+r.LoggedInAt.Add(a.c.RefreshTokenLife).UTC().Format(time.RFC3339))
	}
	if err := apierr.Fields(apierr.InvalidRequest, problems); err != nil {
		return Tried{}, err
	}
	a.given = grant.RefreshToken{Token: r.RefreshToken, LoggedInAt: r.LoggedInAt.UTC()}
	a.replaceUser = r.ReplaceUser
	return a.run(ctx)
}

// tokenText reports whether a text can be a refresh token.
func tokenText(text string) bool {
	return text != "" && len(text) <= maxRefreshToken &&
		!strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}
