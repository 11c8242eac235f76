package renewal

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// learn asks whether the old token is still active, if the renewal may show the
// mode. The mode is AtEnd only if the server definitely refuses the old token and
// accepts the new one. Without a definite response, or while the host is throttled,
// nothing is learned. known says that the host's record was read after the token was
// stored.
func (r *run) learn(ctx context.Context, about *lesson, known bool) {
	if about == nil {
		return
	}
	if !known && (reader{r}).lookHost(ctx) != nil {
		return
	}
	r.observed()
	_, paused := r.o.host.ThrottledUntil(r.o.now)
	if paused || r.fits(ctx, 2*checkTime+storeTime) != nil {
		return
	}
	mode, ok := r.ask(ctx, about.old.AccessToken)
	if !ok {
		return
	}
	ctx, cancel := r.storing(ctx)
	defer cancel()
	// The renewal is stored already; a lost observation is made another time.
	_ = r.write(ctx, r.o.grant.WithMode(about.refresh, mode, r.Now()))
}

// ask returns the mode that the old token's state shows; false if nothing is shown.
func (r *run) ask(ctx context.Context, old reltioauth.Secret) (grant.Mode, bool) {
	client := r.client()
	before, err := client.Introspect(ctx, old)
	if err != nil {
		return "", false
	}
	if before.Active {
		return grant.Overlap, true
	}
	info, err := client.Introspect(ctx, r.o.grant.AccessToken)
	return grant.AtEnd, err == nil && info.Active
}
