package operator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestAPausedConnectionAsksForNothingAndServesItsToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		before := w.grant()

		change := w.pause()
		if !change.Changed || change.Before != grant.StatusOK || change.Status != grant.StatusPaused || change.ExpiresIn == nil {
			t.Errorf("change %+v", change)
		}
		issued, err := w.operator.Issue(t.Context(), issueapi.Request{Connection: "acme"})
		if err != nil || issued.Fingerprint != before.Fingerprint {
			t.Errorf("issued %q (%v), want the living token %q", issued.Fingerprint, err, before.Fingerprint)
		}

		for range 3 {
			time.Sleep(time.Hour)
			if r := w.rotate(true); *r.Outcome != rotateapi.Unchanged || r.Error == nil || r.Error.Type != apierr.ConnectionPaused {
				t.Errorf("forced: %s, %v; want unchanged, ConnectionPaused", *r.Outcome, r.Error)
			}
			if swept := w.tick(); swept.Due != 0 {
				t.Errorf("a sweep found %d", swept.Due)
			}
		}
		_, err = w.operator.Issue(t.Context(), issueapi.Request{Connection: "acme"})
		w.wantError(err, apierr.ConnectionPaused)
		if w.requests() != 1 {
			t.Errorf("%d token requests, want the first alone", w.requests())
		}
	})
}

func TestUnpausedIsDueNow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
		w.rotate(true)
		if g := w.grant(); g.Failures != 1 {
			t.Fatalf("%d failures, want 1", g.Failures)
		}
		w.pause()
		time.Sleep(2 * time.Hour)
		w.server.Outage(reltioauthtest.Outage{})

		change := w.unpause()
		g := w.grant()
		if !change.Changed || g.Status != grant.StatusOK || g.Failures != 0 || !g.RetryAt.IsZero() || g.LastError != "" || g.LastErrorMessage != "" {
			t.Errorf("change %+v, grant %s with %d failures, retry at %v, error %q", change, g.Status, g.Failures, g.RetryAt, g.LastError)
		}
		if !w.indexed() {
			t.Error("it is not due now")
		}
		if swept := w.tick(); swept.Renewed != 1 {
			t.Errorf("the tick renewed %d, want 1", swept.Renewed)
		}
	})
}

// A valid token does not hide an unpaused grant from the index.
func TestUnpausedWithAValidTokenIsDueNow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		w.pause()
		if g := w.grant(); g.Shard != "" || !g.DueAt.IsZero() {
			t.Errorf("paused, and indexed in %q at %v", g.Shard, g.DueAt)
		}
		w.unpause()
		if g := w.grant(); g.Shard != grant.ShardDue || g.DueAt.After(time.Now()) {
			t.Errorf("indexed in %q at %v, want now", g.Shard, g.DueAt)
		}
	})
}

// What a renewal under way writes after the pause is refused: it would undo the
// pause.
func TestPauseFencesARenewalUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		w.server.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(reltioauthtest.Request) reltioauthtest.Fault {
				return reltioauthtest.Fault{Delay: 2 * time.Second}
			}
		})
		outcome := make(chan rotateapi.Outcome)
		go func() { outcome <- *w.rotate(true).Outcome }()
		time.Sleep(time.Second) // its request is at the server

		w.pause()
		if got := <-outcome; got != rotateapi.Contended {
			t.Errorf("the renewal ended %s, want contended", got)
		}
		if g := w.grant(); g.Status != grant.StatusPaused || g.Version != 1 {
			t.Errorf("status %s, version %d; want paused and the token before", g.Status, g.Version)
		}
		// The refresh token that it was given is not lost.
		w.unpause()
		w.server.Configure(func(c *reltioauthtest.Config) { c.Fault = nil })
		if r := w.rotate(true); r.Error != nil {
			t.Errorf("after the pause: %v", r.Error)
		}
	})
}

func TestChangesCanBeRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		for _, step := range []struct {
			name    string
			do      func() operator.Change
			changed bool
			status  grant.Status
		}{
			{"unpause of a healthy one", w.unpause, false, grant.StatusOK},
			{"resume of a healthy one", w.resume, false, grant.StatusOK},
			{"pause", w.pause, true, grant.StatusPaused},
			{"pause again", w.pause, false, grant.StatusPaused},
			{"unpause", w.unpause, true, grant.StatusOK},
			{"unpause again", w.unpause, false, grant.StatusOK},
		} {
			epoch := w.grant().Epoch
			change := step.do()
			if change.Changed != step.changed || change.Status != step.status || w.grant().Status != step.status {
				t.Errorf("%s: %+v, want changed %v and %s", step.name, change, step.changed, step.status)
			}
			if written := w.grant().Epoch != epoch; written != step.changed {
				t.Errorf("%s: written %v, want %v", step.name, written, step.changed)
			}
		}
	})
}

func TestChangesOfWhatIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		verbs := map[string]func(context.Context, string) (operator.Change, error){
			"pause": w.operator.Pause, "unpause": w.operator.Unpause, "resume": w.operator.Resume,
		}
		for verb, do := range verbs {
			_, err := do(t.Context(), "acme")
			w.wantError(err, apierr.UnknownConnection)
			_, err = do(t.Context(), "No Name!")
			w.wantError(err, apierr.InvalidRequest)
			if _, err := w.table.Grant(t.Context(), "acme", grant.Strong); !errors.Is(err, grant.ErrNotFound) {
				t.Errorf("%s made a grant", verb)
			}
		}
		w.wantError(func() error { _, err := w.operator.Rotate(t.Context(), "", true); return err }(), apierr.InvalidRequest)
		w.wantError(func() error {
			_, err := w.operator.Issue(t.Context(), issueapi.Request{Connection: "A"})
			return err
		}(), apierr.InvalidRequest)
	})
}

// The memory of a connection that was deleted is no connection, until its
// secret is back.
func TestChangesOfADeletedConnection(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connectAndForget()
		_, err := w.operator.Pause(t.Context(), "acme")
		w.wantError(err, apierr.UnknownConnection)

		w.connect("acme", password())
		if c := w.resume(); !c.Changed || !w.grant().TTL.IsZero() {
			t.Errorf("change %+v, deleted at %v; want it to stay", c, w.grant().TTL)
		}
		if swept := w.tick(); swept.Renewed != 1 {
			t.Errorf("the tick renewed %d, want 1", swept.Renewed)
		}
	})
}

// A connection can be paused before any caller asks for it, and then it makes no
// login.
func TestPauseBeforeTheFirstUse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		if c := w.unpause(); c.Changed || c.Status != operator.New {
			t.Errorf("unpause: %+v", c)
		}
		if c := w.resume(); c.Changed || c.Status != operator.New {
			t.Errorf("resume: %+v", c)
		}
		if c := w.pause(); !c.Changed || c.Before != operator.New {
			t.Errorf("pause: %+v", c)
		}
		_, err := w.operator.Issue(t.Context(), issueapi.Request{Connection: "acme"})
		w.wantError(err, apierr.ConnectionPaused)
		if w.requests() != 0 {
			t.Errorf("%d token requests", w.requests())
		}
		w.unpause()
		if swept := w.tick(); swept.Renewed != 1 {
			t.Errorf("unpaused: the tick renewed %d, want 1", swept.Renewed)
		}
	})
}

// Without a resume a wrong password is tried twice, whatever else happens; each
// resume allows two more.
func TestResumeWithTheSameWrongPassword(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", wrongPassword())
		w.rotate(false)
		for range 10 {
			w.pause()
			w.unpause()
			w.tick()
			w.rotate(true)
		}
		w.wantRefused(2)

		for resumes := 1; resumes <= 2; resumes++ {
			change := w.resume()
			if !change.Changed || change.Status != grant.StatusCredentialsRejected {
				t.Errorf("change %+v", change)
			}
			if swept := w.tick(); swept.Failed != 1 {
				t.Errorf("the next tick tried %d, want 1", swept.Failed)
			}
			for range 10 {
				w.tick()
				w.rotate(true)
			}
			w.wantRefused(2 + 2*resumes)
			if g := w.grant(); g.Status != grant.StatusCredentialsRejected {
				t.Errorf("status %s", g.Status)
			}
		}
	})
}

// Whatever a check said of its token, a resumed connection may be tried, also one
// that is never tried by itself; and what the check said stands.
func TestResumeAfterACheck(t *testing.T) {
	waiting := []grant.Status{grant.StatusCredentialsRejected, grant.StatusMFARequired, grant.StatusInvalidConnection}
	for _, status := range waiting {
		for _, verdict := range []grant.Verdict{grant.Unchecked, grant.Active, grant.Inactive, grant.Unclear} {
			bubble(t, func(t *testing.T, w *world) {
				now := time.Now()
				w.connect("acme", password())
				w.put(grant.Grant{
					Connection: "acme", Status: status, TriedAt: now.Add(-time.Minute), Refusals: 20, Throttles: 2,
				}.CheckedAs(verdict, now))
				w.resume()
				g := w.grant()
				if !g.TryDue(now) || g.Refusals != 0 || g.Throttles != 0 {
					t.Errorf("%s, verdict %q: tried at %v, %d refusals, %d throttles; want one that may be tried, and no counts",
						status, verdict, g.TriedAt, g.Refusals, g.Throttles)
				}
				if g.CheckVerdict != verdict || !g.CheckedAt.Equal(now) {
					t.Errorf("%s: verdict %q of %v, want %q of %v", status, g.CheckVerdict, g.CheckedAt, verdict, now)
				}
			})
		}
	}
}

func TestResumeAfterTheServerMendedThePassword(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.server.SetPassword("ann", secret("other"))
		w.rotate(false)
		w.rotate(true)
		w.server.SetPassword("ann", secret("password-1"))
		for range 10 {
			w.tick()
		}
		if g := w.grant(); g.Status != grant.StatusCredentialsRejected {
			t.Fatalf("status %s", g.Status)
		}
		requests := w.requests()

		w.resume()
		if g := w.grant(); g.LastError != "" || g.Failures != 0 || !g.RetryAt.IsZero() || !g.TriedAt.IsZero() || !w.indexed() {
			t.Errorf("error %q, %d failures, retry at %v, tried at %v, due %v", g.LastError, g.Failures, g.RetryAt, g.TriedAt, w.indexed())
		}
		if swept := w.tick(); swept.Renewed != 1 || w.requests() != requests+1 {
			t.Errorf("the next tick renewed %d with %d requests, want 1 with 1", swept.Renewed, w.requests()-requests)
		}
		// That it was rejected was told; so is that it is over.
		want := []grant.EventType{grant.CredentialsRejected, grant.Recovered}
		if !slices.Equal(w.events, want) {
			t.Errorf("events %v, want %v", w.events, want)
		}
	})
}

// If Reltio leaves no time for the login that follows a refused refresh token,
// the operator's request is not done; the next sweep continues with it.
func TestResumeOutlivesAThrottle(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.Behaviour.Login = reltioauthtest.NewToken })
		w.connect("acme", password())
		w.rotate(false)
		w.server.SetPassword("ann", secret("other"))
		w.server.KillUserTokens("ann")
		w.rotate(true)
		time.Sleep(time.Minute)
		w.rotate(true)
		if g := w.grant(); g.Status != grant.StatusCredentialsRejected || g.RefreshFingerprint == "" {
			t.Fatalf("status %s, refresh token %q", g.Status, g.RefreshFingerprint)
		}
		time.Sleep(time.Hour)
		w.server.SetPassword("ann", secret("password-1"))
		w.server.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(r reltioauthtest.Request) (f reltioauthtest.Fault) {
				if r.GrantType == "password" {
					f.Kind = reltioauthtest.FaultRateLimit
				}
				return f
			}
		})
		w.resume()
		if swept := w.tick(); swept.Renewed != 0 {
			t.Fatalf("renewed while the server was busy: %+v", swept)
		}
		w.server.Configure(func(c *reltioauthtest.Config) { c.Fault = nil })
		time.Sleep(grant.LookEvery)
		if swept := w.tick(); swept.Renewed != 1 {
			t.Errorf("the next look: %+v, want one renewed", swept)
		}
	})
}

func TestResumeOfAClientThatIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", with(clientCredentials(), "client_secret", "wrong"))
		w.rotate(false)
		for end := time.Now().Add(2 * time.Hour); time.Now().Before(end); time.Sleep(time.Minute) {
			w.tick()
		}
		if g := w.grant(); g.Status != grant.StatusCredentialsRejected || !g.RefusedForLong() {
			t.Fatalf("status %s after %d refusals in a row, want one that is tried hourly", g.Status, g.Refusals)
		}
		time.Sleep(time.Until(w.grant().TriedAt.Add(10 * time.Minute)))
		requests := w.requests()
		w.tick()
		if w.requests() != requests {
			t.Fatal("a try within the hour")
		}
		w.resume()
		w.tick()
		if w.requests() != requests+1 {
			t.Errorf("%d tries after the resume, want 1", w.requests()-requests)
		}
	})
}

func TestResumeDoesNotTakeAnothersAccount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("owner", wrongPassword())
		w.connect("acme", wrongPassword())
		_, _ = w.operator.Rotate(t.Context(), "owner", true)
		_, _ = w.operator.Rotate(t.Context(), "owner", true)
		w.rotate(true)
		if g := w.grant(); g.Status != grant.StatusInvalidConnection {
			t.Fatalf("status %s", g.Status)
		}
		w.resume()
		w.tick()
		w.rotate(true)
		w.wantRefused(2)
		if g := w.grant(); g.Status != grant.StatusInvalidConnection {
			t.Errorf("status %s", g.Status)
		}
	})
}

func TestResumeOfAMalformedSecret(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connectText("acme", "{")
		w.rotate(false)
		if c := w.resume(); !c.Changed || c.Status != grant.StatusInvalidConnection {
			t.Errorf("change %+v", c)
		}
	})
}

func TestAPausedConnectionIsNotResumed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.pause()
		_, err := w.operator.Resume(t.Context(), "acme")
		w.wantError(err, apierr.ConnectionPaused)
	})
}

func TestResumeAll(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for name, status := range map[string]grant.Status{
			"ok": grant.StatusOK, "failing": grant.StatusFailing, "limit": grant.StatusTokenLimit,
			"rejected": grant.StatusCredentialsRejected, "mfa": grant.StatusMFARequired,
			"person": grant.StatusReauthorize, "invalid": grant.StatusInvalidConnection, "paused": grant.StatusPaused,
		} {
			w.connect(name, clientCredentials())
			w.put(grant.Grant{Connection: name, Status: status, Failures: 3, RetryAt: time.Now().Add(time.Hour), LastError: apierr.RateLimited})
		}
		w.connect("new", clientCredentials())
		changes, err := w.operator.ResumeAll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, c.Connection)
		}
		if want := []string{"failing", "invalid", "limit", "mfa", "person", "rejected"}; !slices.Equal(got, want) {
			t.Errorf("resumed %v, want %v", got, want)
		}
		if swept := w.tick(); swept.Due != len(got) || swept.Renewed != len(got) {
			t.Errorf("the next tick renewed %d of %d, want all %d", swept.Renewed, swept.Due, len(got))
		}
	})
}

// rival is a table in which another holder seizes the lease between any two
// steps, a number of times.
type rival struct {
	*world
	times int
}

func (r *rival) SeizeLease(ctx context.Context, q lease.Request) (lease.Lease, error) {
	held, err := r.table.SeizeLease(ctx, q)
	if err == nil && r.times > 0 {
		r.times--
		g := r.grant()
		g.Failures++
		r.put(g)
	}
	return held, err
}

func (r *rival) TakeLease(ctx context.Context, q lease.Request) (lease.Lease, error) {
	return r.table.TakeLease(ctx, q)
}

func (r *rival) AdoptLease(ctx context.Context, given lease.Lease, q lease.Request) (lease.Lease, error) {
	return r.table.AdoptLease(ctx, given, q)
}

func (r *rival) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
	return r.table.ExtendLease(ctx, held, epoch, until)
}

func (r *rival) ReleaseLease(ctx context.Context, held lease.Lease) error {
	return r.table.ReleaseLease(ctx, held)
}

func TestAChangeBesideOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		w.operator.Leases = &rival{w, 2}
		if c := w.pause(); !c.Changed {
			t.Errorf("change %+v", c)
		}
		w.operator.Leases = &rival{w, 3}
		_, err := w.operator.Unpause(t.Context(), "acme")
		w.wantError(err, apierr.StoreUnavailable)
		if g := w.grant(); g.Status != grant.StatusPaused {
			t.Errorf("status %s", g.Status)
		}
	})
}

// A lease's record that was lost, or is behind its grant, does not stop an
// operator.
func TestAChangeWithALeaseBehindItsGrant(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		for range 5 {
			w.pause()
			w.unpause()
		}
		restored := newWorld(t) // the same grant, without its lease
		restored.secrets = w.secrets
		g := w.grant()
		if err := restored.table.PutGrant(t.Context(), lease.Lease{Connection: "acme", Owner: "before", Epoch: g.Epoch}, g); err != nil {
			t.Fatal(err)
		}
		restored.operator.Connections = w.secrets
		if c := restored.pause(); !c.Changed || restored.grant().Epoch <= g.Epoch {
			t.Errorf("change %+v, epoch %d, want one above %d", c, restored.grant().Epoch, g.Epoch)
		}
		// A record that is behind.
		next := restored.grant()
		ahead := lease.Lease{Connection: "acme", Owner: "ahead", Epoch: next.Epoch + 10}
		if err := restored.table.PutGrant(t.Context(), ahead, next); err != nil {
			t.Fatal(err)
		}
		if c := restored.unpause(); !c.Changed || restored.grant().Epoch <= ahead.Epoch {
			t.Errorf("change %+v, epoch %d, want one above %d", c, restored.grant().Epoch, ahead.Epoch)
		}
	})
}

// Afterwards the lease is free: the next renewal need not wait for its end.
func TestTheLeaseIsGivenBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.pause()
		w.unpause()
		if r := w.rotate(false); *r.Outcome != rotateapi.Renewed {
			t.Errorf("at once: %s, want renewed", *r.Outcome)
		}
	})
}
