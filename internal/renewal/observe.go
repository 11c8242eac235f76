package renewal

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// publishTimeSingle bounds the sending of all events of a single renewal, for
// which a caller may wait.
const publishTimeSingle = time.Second

// The pauses before a write of what Reltio gave is tried again.
const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = 400 * time.Millisecond
)

// jittered takes up to half of a pause off, so that two callers do not retry in
// step.
func jittered(d time.Duration, chance float64) time.Duration {
	return d - time.Duration(float64(d)*chance/2)
}

// observed is the grant with what the response itself shows about the mode. It
// notes in the path whether a check has to follow.
func (p *path) observed(next grant.Grant, sent time.Time) grant.Grant {
	mode := p.old.ModeOf(p.oldRefresh)
	p.observation = p.old.Observe(next, mode, sent, p.reportedEver())
	if p.observation == grant.SameToken {
		return next.WithMode(p.oldRefresh, grant.AtEnd, sent)
	}
	if mode == grant.AtEnd && p.old.Valid(sent) {
		next.EarlyAskedAt = sent // this was the week's early renewal
	}
	return next
}

// reportedEver reports whether the renewal was for a reported token: the end of
// such a token has another cause than the renewal and shows nothing.
func (p *path) reportedEver() bool { return p.inactive || p.request.RejectedFingerprint != "" }

// observe checks whether the old token is still active, if the mode has to be
// observed now. The mode is AtEnd only if the server definitely refuses the old
// token and accepts the new one. Without a definite response, or while the host
// is throttled, nothing is observed.
func (p *path) observe(ctx context.Context) error {
	if p.observation != grant.AskAboutOld || p.readHost(ctx) != nil || p.fits(ctx, 2*checkTime+storeTime) != nil {
		return nil
	}
	mode, ok := p.askAboutOld(ctx)
	if !ok {
		return nil
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	// The renewal is stored already; a lost observation is made another time.
	_ = p.write(ctx, p.g.WithMode(p.oldRefresh, mode, p.Now()))
	return nil
}

func (p *path) askAboutOld(ctx context.Context) (grant.Mode, bool) {
	client := p.c.Client()
	client.Connect, client.Now = p.Connect, p.Now
	before, err := client.Introspect(ctx, p.old.AccessToken)
	if err != nil {
		return "", false
	}
	if before.Active {
		return grant.Overlap, true
	}
	return grant.AtEnd, active(ctx, &client, p.g.AccessToken)
}

func active(ctx context.Context, client *reltioauth.Client, token reltioauth.Secret) bool {
	info, err := client.Introspect(ctx, token)
	return err == nil && info.Active
}
