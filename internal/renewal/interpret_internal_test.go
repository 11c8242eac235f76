package renewal

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// says is an answer with a status and an OAuth error.
func says(status int, code reltioauth.ErrorCode) error {
	return &reltioauth.Error{Code: code, StatusCode: status, Sent: true}
}

// gives is a response with a token.
func gives(text, refreshToken string) response {
	t := &reltioauth.Token{AccessToken: reltioauth.NewSecret(text), IssuedAt: planned, ExpiresIn: time.Hour}
	r := response{token: t, verdict: accepted}
	if refreshToken != "" {
		t.RefreshToken = reltioauth.NewSecret(refreshToken)
		r.kept = grant.RefreshToken{Token: t.RefreshToken, LoggedInAt: planned, Epoch: 4, Version: "v2"}
	}
	return r
}

// refusing is a response that gives no token, as it was judged.
func refusing(k kind, user bool, err error) response {
	return response{err: err, verdict: judge(k, user, err)}
}

// followed says a result in words.
func followed(r result) string {
	text := ""
	if r.end != nil {
		text = told(action{end: r.end})
		if r.end.write != nil && r.end.write.Status != grant.StatusOK {
			text += " as " + string(r.end.write.Status)
		}
	}
	if !r.again {
		return text
	}
	phases := map[phase]string{continuing: "go on", repeating: "repeat"}
	if text != "" {
		text += ", "
	}
	return text + phases[r.progress.phase]
}

// readings is a table of interpretations: what was sent, what came, and what
// follows.
type readings map[string]struct {
	fields string
	step   kind
	came   response
	change func(o *observation, p *progress)
	want   string
}

func (rows readings) run(t *testing.T) {
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			o, p := observing(t, row.fields, theTokens), progress{}
			over(&o)
			s := step{kind: row.step}
			if len(o.tokens.usable) > 0 {
				s.refresh = o.tokens.usable[0]
			}
			if row.change != nil {
				row.change(&o, &p)
			}
			before := fmt.Sprintf("%+v %+v", o, p)
			if got := followed(interpret(o, p, s, row.came)); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if after := fmt.Sprintf("%+v %+v", o, p); after != before {
				t.Error("an interpretation has changed what it was made from")
			}
		})
	}
}

// What follows a response to a token request.
func TestInterpretTokenRequest(t *testing.T) {
	mine := parsed(t, byPassword)
	exhausted := response{account: lockout.Record{Attempts: 2}}
	with := func(r response, change func(r *response)) response { change(&r); return r }
	refused400 := refusing(login, true, says(http.StatusBadRequest, reltioauth.ErrInvalidGrant))
	unclear401 := refusing(login, true, says(http.StatusUnauthorized, reltioauth.ErrUnauthorized))
	deadRefresh := refusing(refresh, true, says(http.StatusBadRequest, reltioauth.ErrInvalidGrant))
	unclearRefresh := refusing(refresh, true, says(http.StatusForbidden, ""))
	noRefresh := func(o *observation, _ *progress) { o.tokens.usable = nil }
	readings{
		"a new token":                    {byPassword, refresh, gives("token-2", "refresh-1"), nil, "renewed"},
		"the same token, with time left": {byPassword, refresh, gives("token-1", "refresh-1"), func(o *observation, _ *progress) { o.grant.Fingerprint = gives("token-1", "").token.Fingerprint() }, "unchanged"},
		"the reported one again": {byPassword, refresh, gives("token-1", "refresh-1"), func(o *observation, p *progress) {
			o.grant.Fingerprint = gives("token-1", "").token.Fingerprint()
			p.token = inactive
		}, "unchanged, go on"},
		"the reported one again, revoked": {byPassword, refresh, gives("token-1", "refresh-1"), func(o *observation, p *progress) {
			o.grant.Fingerprint = gives("token-1", "").token.Fingerprint()
			p.token = revoked
		}, "unchanged"},
		"a token, and no store took the other":      {byPassword, refresh, with(gives("token-2", "refresh-2"), func(r *response) { r.keepErr = errStore }), func(o *observation, _ *progress) { o.tokens.unkept = errStore }, "renewed: StoreUnavailable"},
		"a login gave the refresh token again":      {byPassword, login, gives("token-2", "refresh-1"), func(o *observation, _ *progress) { o.grant.Relogin = grant.ReloginDue }, "renewed, go on"},
		"a login gave another refresh token":        {byPassword, login, gives("token-2", "refresh-2"), func(o *observation, _ *progress) { o.grant.Relogin = grant.ReloginDue }, "renewed"},
		"a user's first refusal":                    {byPassword, login, refused400, noRefresh, "failed: CredentialsRejected as failing"},
		"a user's last refusal":                     {byPassword, login, with(refused400, func(r *response) { r.account = exhausted.account }), noRefresh, "failed: CredentialsRejected as credentials_rejected"},
		"a user's refusal, the refresh token lives": {byPassword, login, refused400, nil, "go on"},
		"a user's refusal, and it was revoked":      {byPassword, login, refused400, func(o *observation, _ *progress) { o.grant.Relogin = grant.ReloginLogin }, "failed: CredentialsRejected as failing"},
		"a user's unclear response":                 {byPassword, login, unclear401, noRefresh, "failed: ReltioUnavailable as failing"},
		"a user's last unclear response": {byPassword, login, with(unclear401, func(r *response) {
			r.account = lockout.Record{Connection: "acme", CredentialsHash: mine.CredentialsHash(), Attempts: 1, Unclear: 4, TriedAt: planned}
		}), noRefresh, "failed: CredentialsRejected as credentials_rejected"},
		"unclear, as the refresh was":      {byPassword, login, unclear401, func(_ *observation, p *progress) { p.refused = refreshUnclear }, "failed: ReltioUnavailable as failing"},
		"a client's first refusal":         {byClient, login, refusing(login, false, says(http.StatusUnauthorized, reltioauth.ErrInvalidClient)), nil, "failed: CredentialsRejected as failing"},
		"a client's second refusal":        {byClient, login, refusing(login, false, says(http.StatusUnauthorized, reltioauth.ErrInvalidClient)), func(o *observation, _ *progress) { o.grant.Refusals = 1 }, "failed: CredentialsRejected as credentials_rejected"},
		"a client's unclear response":      {byClient, login, refusing(login, false, says(http.StatusForbidden, "")), nil, "failed: ReltioUnavailable as failing"},
		"a dead refresh token, a password": {byPassword, refresh, deadRefresh, nil, "go on"},
		"a dead refresh token, a person":   {byPerson, refresh, deadRefresh, nil, "reauthorize: ReauthorizationRequired as reauthorize"},
		"a dead refresh token, and another stored": {byPerson, refresh, deadRefresh, func(o *observation, _ *progress) {
			o.tokens.usable = append(o.tokens.usable, grant.RefreshToken{Token: reltioauth.NewSecret("refresh-0"), LoggedInAt: planned})
		}, "go on"},
		"an unclear refresh":                       {byPassword, refresh, unclearRefresh, nil, "failed: ReltioUnavailable as failing"},
		"a second unclear refresh, a password":     {byPassword, refresh, unclearRefresh, func(o *observation, _ *progress) { o.grant.Refusals = 1 }, "go on"},
		"a second unclear refresh, a person":       {byPerson, refresh, unclearRefresh, func(o *observation, _ *progress) { o.grant.Refusals = 1 }, "failed: ReltioUnavailable as failing"},
		"an unclear refresh, no login may be sent": {byPassword, refresh, unclearRefresh, func(o *observation, p *progress) { o.grant.Refusals, p.loginEnd = 1, o.claimed("other") }, "failed: InvalidConnection as invalid_connection"},
		"not supported":                            {byPassword, refresh, refusing(refresh, true, says(http.StatusBadRequest, reltioauth.ErrInvalidScope)), nil, "failed: InvalidConnection as invalid_connection"},
		"a second factor":                          {byPassword, login, refusing(login, true, says(http.StatusOK, reltioauth.ErrMFARequired)), noRefresh, "failed: MFARequired as mfa_required"},
		"a second factor, the refresh token lives": {byPassword, login, refusing(login, true, says(http.StatusOK, reltioauth.ErrMFARequired)), nil, "go on"},
		"throttled":                               {byPassword, refresh, refusing(refresh, true, says(http.StatusTooManyRequests, reltioauth.ErrRateLimited)), nil, "failed: RateLimited as failing"},
		"throttled, at the client's cap":          {byClient, login, with(refusing(login, false, says(http.StatusTooManyRequests, reltioauth.ErrRateLimited)), func(r *response) { r.capped = true }), nil, "failed: TokenLimitReached as token_limit"},
		"throttled, and not recorded":             {byClient, login, with(refusing(login, false, says(http.StatusTooManyRequests, reltioauth.ErrRateLimited)), func(r *response) { r.recordErr = errStore }), nil, "failed: StoreUnavailable as failing"},
		"a server error":                          {byPassword, login, refusing(login, true, says(http.StatusServiceUnavailable, "")), nil, "failed: ReltioUnavailable as failing"},
		"no connection":                           {byPassword, login, refusing(login, true, &reltioauth.Error{}), nil, "failed: ReltioUnavailable as failing"},
		"refused by a host that refuses everyone": {byClient, login, with(refusing(login, false, says(http.StatusUnauthorized, "")), func(r *response) { r.circuit = circuitHeld }), nil, "left_over: RateLimited"},
	}.run(t)
}

// What follows a request that was not sent.
func TestInterpretNotSent(t *testing.T) {
	not := func(err error) response { return response{notSent: err} }
	probing := func(_ *observation, p *progress) { p.probing = true }
	readings{
		"at the limit of unclear logins":      {byPassword, login, not(lockout.ErrAtLimit), nil, "go on"},
		"at the limit, no refresh token":      {byPassword, login, not(lockout.ErrAtLimit), func(o *observation, _ *progress) { o.tokens.usable = nil }, "failed: CredentialsRejected as credentials_rejected"},
		"at the limit, as the host's probe":   {byPassword, login, not(lockout.ErrAtLimit), probing, "left_over: RateLimited"},
		"too soon after an unclear login":     {byPassword, login, not(&lockout.PauseError{Until: planned.Add(time.Minute)}), func(o *observation, _ *progress) { o.tokens.usable = nil }, "failed: ReltioUnavailable as failing"},
		"too soon, as the host's probe":       {byPassword, login, not(&lockout.PauseError{Until: planned.Add(time.Minute)}), probing, "left_over: RateLimited"},
		"the account is another connection's": {byPassword, login, not(&lockout.ClaimedError{By: "other"}), func(o *observation, _ *progress) { o.tokens.usable = nil }, "failed: InvalidConnection as invalid_connection"},
		"the lease was lost":                  {byPassword, refresh, not(grant.ErrFenced), nil, "contended"},
		"no time":                             {byPassword, refresh, not(errNoTime), nil, "left_over"},
		"no slot":                             {byPassword, refresh, not(&ratelimit.LimitError{Until: planned.Add(6 * time.Second)}), nil, "left_over: RateLimited"},
		"a store failed":                      {byPassword, refresh, not(errStore), nil, "failed: StoreUnavailable as failing"},
	}.run(t)
}

// What follows a check or a revocation.
func TestInterpretChecks(t *testing.T) {
	came := func(err error) response { return response{err: err} }
	readings{
		"the token is active":          {byPassword, check, came(nil), nil, "unchanged"},
		"the token is inactive":        {byPassword, check, came(errInactive), nil, "go on"},
		"no verdict":                   {byPassword, check, came(says(http.StatusForbidden, "")), nil, "go on"},
		"throttled":                    {byPassword, check, came(says(http.StatusTooManyRequests, reltioauth.ErrRateLimited)), nil, "failed: ReltioUnavailable"},
		"no response":                  {byPassword, check, came(&reltioauth.Error{}), nil, "failed: ReltioUnavailable"},
		"the access token is revoked":  {byPassword, revokeAccess, came(nil), nil, "go on"},
		"it was inactive already":      {byPassword, revokeAccess, came(says(http.StatusBadRequest, reltioauth.ErrInvalidToken)), nil, "go on"},
		"it may not be revoked":        {byPassword, revokeAccess, came(says(http.StatusServiceUnavailable, "")), nil, "unchanged"},
		"the refresh token is revoked": {byPassword, revokeRefresh, came(nil), nil, "go on"},
		"its revocation is not known":  {byPassword, revokeRefresh, came(&reltioauth.Error{Sent: true}), nil, "failed: ReltioUnavailable as failing"},
	}.run(t)
}
