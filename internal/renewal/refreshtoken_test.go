package renewal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func rotating(b *reltioauthtest.Behaviour) { b.RefreshTokens = reltioauthtest.Rotate }

// due lets the token end.
func (w *world) due() {
	w.t.Helper()
	time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
}

// putRefreshToken adds a version as another writer would.
func (w *world) putRefreshToken(r grant.RefreshToken) string {
	w.t.Helper()
	version, err := w.secrets.Put(w.t.Context(), "acme", r)
	if err != nil {
		w.t.Fatal(err)
	}
	return version
}

func TestRefreshTokenIsStoredBeforeTheAccessToken(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(rotating)
		w.started(password())
		w.due()
		w.out.forget()
		w.expect(w.acme(), rotateapi.Renewed, "")
		want := []string{sendToken, tokenPut, putGrant}
		if diff := cmp.Diff(want, w.out.only(sendToken, tokenPut, putGrant)); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		g, r := w.grant("acme"), w.refreshToken()
		if g.SecretVersion != r.Version || g.RefreshFingerprint != r.Fingerprint() || r.Epoch != g.Epoch {
			t.Errorf("grant points at %s (epoch %d), Secrets Manager holds %s (epoch %d)", g.SecretVersion, g.Epoch, r.Version, r.Epoch)
		}
	})
}

func TestUnchangedRefreshTokenIsNotWrittenAgain(t *testing.T) {
	for name, behave := range map[string]func(*reltioauthtest.Behaviour){
		"repeated": func(*reltioauthtest.Behaviour) {},
		"left out": func(b *reltioauthtest.Behaviour) { b.OmitRefreshTokenOnRefresh = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(behave)
				before := w.started(password())
				for range 48 {
					w.due()
					w.expect(w.acme(), rotateapi.Renewed, "")
				}
				if n := w.out.count(tokenPut); n != 1 {
					t.Errorf("%d writes to Secrets Manager, want 1", n)
				}
				if g := w.grant("acme"); g.SecretVersion != before.SecretVersion || !g.LoggedInAt.Equal(before.LoggedInAt) {
					t.Errorf("points at %s of %v, want %s of %v", g.SecretVersion, g.LoggedInAt, before.SecretVersion, before.LoggedInAt)
				}
			})
		})
	}
}

// An answer that cannot be used may hold the only refresh token there is.
func TestRefreshTokenOfAnUnusableAnswerIsStored(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"garbage in expires_in":  {`{"access_token":"a","refresh_token":"r2","expires_in":"soon"}`, "r2"},
		"negative expires_in":    {`{"access_token":"a","refresh_token":"r2","expires_in":-1}`, "r2"},
		"zero expires_in":        {`{"access_token":"a","refresh_token":"r2","expires_in":0}`, "r2"},
		"no access token":        {`{"refresh_token":"r2","expires_in":3600}`, "r2"},
		"bad access token":       {`{"access_token":"a b","refresh_token":"r2","expires_in":3600}`, "r2"},
		"cut off behind it":      {`{"access_token":"a","refresh_token":"r2","expir`, "r2"},
		"cut off before it":      {`{"access_token":"a","refr`, ""},
		"bad, and without one":   {`{"access_token":"a","expires_in":"soon"}`, ""},
		"bad refresh token":      {`{"access_token":"a","refresh_token":"r 2","expires_in":3600}`, ""},
		"refresh token repeated": {`{"refresh_token":"r2","access_token":"a","refresh_token":"r3","expires_in":3600}`, ""},
	} {
		for _, step := range []string{"refresh", "login"} {
			t.Run(name+", "+step, func(t *testing.T) {
				bubble(t, func(w *world) {
					before := w.started(halfDay())
					if step == "login" {
						w.toRelogin()
						before = w.grant("acme")
					}
					w.due()
					w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: c.body}, reltioauthtest.OpToken)
					w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
					g, want := w.status(grant.StatusFailing), before.RefreshFingerprint
					if c.want != "" {
						want = reltioauth.Fingerprint(reltioauth.NewSecret(c.want))
					}
					if got := w.refreshToken().Fingerprint(); got != want || g.RefreshFingerprint != want {
						t.Errorf("Secrets Manager holds %s, grant %s, want %s", got, g.RefreshFingerprint, want)
					}
					version := before.Version
					if name == "zero expires_in" { // a token in its last second, given twice
						version++
					}
					if g.Version != version || g.Valid(time.Now()) {
						t.Errorf("version %d, want %d", g.Version, version)
					}
				})
			})
		}
	}
}

// expires_in of a good answer.
func TestExpiresIn(t *testing.T) {
	for name, c := range map[string]struct {
		behave func(*reltioauthtest.Behaviour)
		life   time.Duration // 0: not accepted
	}{
		"missing":   {func(b *reltioauthtest.Behaviour) { b.OmitExpiresIn = true }, 300 * time.Second},
		"null":      {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "null" }, 300 * time.Second},
		"text":      {func(b *reltioauthtest.Behaviour) { b.ExpiresInString = true }, 3599 * time.Second},
		"fraction":  {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "59.9" }, 59 * time.Second},
		"one":       {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "1" }, time.Second},
		"enormous":  {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "1e300" }, 31 * 24 * time.Hour},
		"zero":      {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "0" }, 0},
		"below one": {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "0.5" }, 0},
		"negative":  {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "-5" }, 0},
		"garbage":   {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = `"soon"` }, 0},
		"a list":    {func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = `[3600]` }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(c.behave)
				w.connect("acme", clientCredentials())
				report := w.acme()
				g := w.grant("acme")
				if c.life == 0 {
					w.expect(report, rotateapi.Failed, apierr.ReltioUnavailable)
					requests := 1
					if name == "zero" || name == "below one" { // asked for again, once
						requests = 2
					}
					w.wantRequests(requests)
					if g.Valid(time.Now()) {
						t.Error("the token is handed out")
					}
					return
				}
				if report.Outcome != rotateapi.Renewed || g.Life() != c.life {
					t.Errorf("outcome %s, life %v, want %v", report.Outcome, g.Life(), c.life)
				}
				if missing := name == "missing" || name == "null"; g.ExpiresInMissing != missing {
					t.Errorf("expires_in missing %t, want %t", g.ExpiresInMissing, missing)
				}
			})
		})
	}
}

// The table fails after Reltio has answered.
func TestTableFailsAfterTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		lasts  func() func() bool
		stored bool
	}{
		"once":     {func() func() bool { return times(1) }, true},
		"for 4 s":  {func() func() bool { return until(time.Now().Add(4 * time.Second)) }, true},
		"for good": {func() func() bool { return always }, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(rotating)
				w.started(password())
				w.due()
				w.out.fail(c.lasts(), putGrant)
				report := w.acme()
				if c.stored {
					w.expect(report, rotateapi.Renewed, "")
				} else {
					w.expect(report, rotateapi.Failed, apierr.StoreUnavailable)
				}
				if report.Unstored == c.stored {
					t.Errorf("unstored %t", report.Unstored)
				}
				// Whatever happened, the next renewal goes on from Secrets Manager.
				w.heal()
				w.due()
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.status(grant.StatusOK)
				if got := w.asked(time.Now())[0]; got != "refresh_token" {
					t.Errorf("asked with %s", got)
				}
			})
		})
	}
}

func TestStoreFailsBeforeSending(t *testing.T) {
	for _, op := range []string{readGrant, takeLease, extendLease, readSecret, readBudget, tokenCurrent, reserve} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.due()
				before := w.requests()
				w.out.fail(always, op)
				report := w.acme()
				w.expect(report, rotateapi.Failed, apierr.StoreUnavailable)
				w.wantRequests(before)
				w.heal()
				if known := op != readGrant && op != takeLease; known {
					g := w.status(grant.StatusFailing)
					if g.LastError != apierr.StoreUnavailable || !g.RetryAt.After(time.Now()) {
						t.Errorf("last error %s, retry at %v", g.LastError, g.RetryAt)
					}
				} else if op == readGrant && !report.Unstored {
					t.Error("the table does not have it, and that is not reported")
				}
				time.Sleep(time.Minute)
				w.expect(w.acme(), rotateapi.Renewed, "")
			})
		})
	}
}

// The pointer's version and the newest one: the higher epoch goes first, the
// other when it is refused.
func TestTwoVersions(t *testing.T) {
	foreign := func(epoch int64) grant.RefreshToken {
		return grant.RefreshToken{Token: reltioauth.NewSecret("not-a-token"), LoggedInAt: time.Now(), Epoch: epoch}
	}
	t.Run("the newest has the lower epoch", func(t *testing.T) {
		bubble(t, func(w *world) {
			g := w.started(password())
			w.putRefreshToken(foreign(0))
			w.due()
			began := time.Now()
			w.expect(w.acme(), rotateapi.Renewed, "")
			w.wantAsked(began, "refresh_token")
			if next := w.grant("acme"); next.RefreshFingerprint != g.RefreshFingerprint || next.SecretVersion != g.SecretVersion {
				t.Errorf("refresh token %s, want the old one", next.RefreshFingerprint)
			}
		})
	})
	for _, fields := range []map[string]any{password(), authorizationCode()} {
		t.Run("the newest has the higher epoch and is refused", func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(fields)
				w.putRefreshToken(foreign(70))
				w.due()
				began := time.Now()
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.wantAsked(began, "refresh_token", "refresh_token")
				// What is accepted comes first from now on.
				next, r := w.grant("acme"), w.refreshToken()
				if next.RefreshFingerprint != g.RefreshFingerprint || r.Fingerprint() != g.RefreshFingerprint || r.Epoch != 71 {
					t.Errorf("Secrets Manager holds %s of epoch %d, want %s of 71", r.Fingerprint(), r.Epoch, g.RefreshFingerprint)
				}
				if !r.LoggedInAt.Equal(g.LoggedInAt) {
					t.Errorf("logged in at %v, want %v still", r.LoggedInAt, g.LoggedInAt)
				}
				w.due()
				began = time.Now()
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.wantAsked(began, "refresh_token")
			})
		})
	}
	t.Run("both are refused", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.server.Kill(w.started(authorizationCode()).RefreshFingerprint)
			w.putRefreshToken(foreign(70))
			w.due()
			began := time.Now()
			w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
			w.wantAsked(began, "refresh_token", "refresh_token")
		})
	})
}

// So it is while the grant waits for a person: at the second look the newest version
// is used, though it is older than the grant's last write.
func TestVersionNotFoundWhileAPersonIsAskedFor(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(authorizationCode())
		w.due()
		g := w.grant("acme")
		g.Status, g.SecretVersion = grant.StatusReauthorize, "purged"
		if err := w.table.PutGrant(w.t.Context(), w.seize(), g.Indexed(time.Now())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lease.Term)
		w.expect(w.force(), rotateapi.Failed, apierr.StoreUnavailable)
		w.status(grant.StatusReauthorize)
		time.Sleep(time.Minute + time.Second)
		w.expect(w.force(), rotateapi.Renewed, "")
	})
}
