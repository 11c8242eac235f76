package renewal

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The pauses before a write of what Reltio gave is tried again.
const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = 400 * time.Millisecond
)

// jittered takes up to half of a pause off, so that two do not keep step.
func jittered(d time.Duration, chance float64) time.Duration {
	return d - time.Duration(float64(d)*chance/2)
}

// taught is the grant with what the answer itself teaches, and remembers what
// has to be asked.
func (p *path) taught(next grant.Grant, sent time.Time) grant.Grant {
	mode := p.old.ModeOf(p.oldRefresh)
	p.lesson = p.old.Observe(next, mode, sent, p.reportedEver())
	if p.lesson == grant.SameToken {
		return next.WithMode(p.oldRefresh, grant.AtEnd, sent)
	}
	if mode == grant.AtEnd && p.old.Valid(sent) {
		next.EarlyAskedAt = sent // this was the early one of the week
	}
	return next
}

// reportedEver reports whether the renewal was for a reported token: one that
// died of something else teaches nothing.
func (p *path) reportedEver() bool { return p.dead || p.request.RejectedFingerprint != "" }

// learn asks what became of the old token, if that is worth knowing now: dead
// only if it is definitely refused while the new one is accepted. Without a
// definite answer, or while the host is paused, nothing is learned.
func (p *path) learn(ctx context.Context) error {
	if p.lesson != grant.AskAboutOld || p.readHost(ctx) != nil || p.fits(ctx, 2*checkTime+storeTime) != nil {
		return nil
	}
	mode, ok := p.askAboutOld(ctx)
	if !ok {
		return nil
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	// The renewal is stored already; a lesson lost is learned another time.
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
	return grant.AtEnd, alive(ctx, &client, p.g.AccessToken)
}

func alive(ctx context.Context, client *reltioauth.Client, token reltioauth.Secret) bool {
	info, err := client.Introspect(ctx, token)
	return err == nil && info.Active
}
