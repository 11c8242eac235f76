package handler_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// What the stores say when they refuse a refresh token.
const (
	storeError = "Secrets Manager: AccessDeniedException"
	tableWords = "the table: InternalServerError"
)

// readOnly is a store that takes no refresh token while it is closed.
type readOnly struct {
	*memstore.Secrets
	closed bool
}

// Put implements grant.RefreshTokenStore.
func (v *readOnly) Put(ctx context.Context, name string, r grant.RefreshToken) (string, error) {
	if v.closed {
		return "", apierr.Wrap(apierr.StoreUnavailable, storeError, errLeaky)
	}
	return v.Secrets.Put(ctx, name, r)
}

// noParking takes no refresh token.
type noParking struct{ *memstore.Table }

// Park implements grant.Parking.
func (noParking) Park(context.Context, string, grant.RefreshToken) error {
	return apierr.New(apierr.StoreUnavailable, tableWords)
}

// unstored are the attributes of a line about a refresh token that Secrets
// Manager did not take, with the line's level and metric.
func unstored(t *testing.T, line map[string]any) map[string]any {
	t.Helper()
	got := map[string]any{"level": line["level"], "metric": metrics(t, line)["Unstored"]}
	for _, key := range []string{"connection", "outcome", "error", "error_message", "vault_error", "parked", "lost"} {
		if value, ok := line[key]; ok {
			got[key] = value
		}
	}
	return got
}

// A refresh token that Secrets Manager does not take is one line at the level
// ERROR, with the connection and Secrets Manager's error, and counted, whatever
// the renewal's outcome. Rotate's response has it beside its outcome.
func TestARenewalWhoseRefreshTokenIsNotStored(t *testing.T) {
	tests := map[string]struct {
		// prepare makes what the renewal finds.
		prepare func(w *world, v *readOnly)
		answer  string
		want    map[string]any
	}{
		"the vault takes it": {
			func(_ *world, v *readOnly) { v.closed = false },
			`"outcome":"renewed","error":null`,
			map[string]any{"level": "INFO", "metric": 0.0, "connection": "acme", "outcome": "renewed"},
		},
		"it is parked": {
			func(*world, *readOnly) {},
			`"outcome":"renewed","error":{"type":"StoreUnavailable","message":"` + storeError + `"}`,
			map[string]any{
				"level": "ERROR", "metric": 1.0, "connection": "acme", "outcome": "renewed",
				"error": "StoreUnavailable", "error_message": storeError, "vault_error": storeError, "parked": true, "lost": false,
			},
		},
		"neither store takes it": {
			func(w *world, _ *readOnly) { w.rotate.Renewer.Parking = noParking{w.table} },
			`"outcome":"renewed","error":{"type":"StoreUnavailable","message":"` + storeError + `"}`,
			map[string]any{
				"level": "ERROR", "metric": 1.0, "connection": "acme", "outcome": "renewed",
				"error": "StoreUnavailable", "error_message": storeError, "vault_error": storeError, "parked": false, "lost": true,
			},
		},
		"it is parked still, and Reltio is away": {
			func(w *world, _ *readOnly) {
				_, _ = w.tell(`{"connection":"acme"}`)
				w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
			},
			`"outcome":"failed","error":{"type":"ReltioUnavailable"`,
			map[string]any{
				"level": "ERROR", "metric": 1.0, "connection": "acme", "outcome": "failed",
				"error": "ReltioUnavailable", "error_message": "connection refused", "vault_error": storeError, "parked": true, "lost": false,
			},
		},
		"it was parked, and the vault takes it now": {
			func(w *world, v *readOnly) {
				_, _ = w.tell(`{"connection":"acme"}`)
				v.closed = false
			},
			`"outcome":"renewed","error":null`,
			map[string]any{"level": "INFO", "metric": 0.0, "connection": "acme", "outcome": "renewed"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				v := &readOnly{Secrets: w.secrets, closed: true}
				w.rotate.Renewer.RefreshTokens = v
				w.connect("acme", byPassword)
				test.prepare(w, v)
				w.log.take(t)
				data, err := w.tell(`{"connection":"acme","force":true}`)
				if text := fmt.Sprint(string(data), err); !strings.Contains(text, test.answer) {
					t.Errorf("rotate: %s, want %s", text, test.answer)
				}
				all := of(w.log.take(t), "rotate")
				if len(all) != 1 {
					t.Fatalf("%d lines, want 1: %v", len(all), all)
				}
				got := unstored(t, all[0])
				if text, ok := got["error_message"].(string); ok && strings.Contains(text, "connection refused") {
					got["error_message"] = "connection refused"
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				w.wantNoToken(t, "acme")
			})
		})
	}
}

// wantNoToken fails if the log has a refresh token of the connection, or what a
// store's error wraps.
func (w *world) wantNoToken(t *testing.T, name string) {
	t.Helper()
	text := w.log.String()
	for _, read := range []func(context.Context, string) (grant.RefreshToken, error){w.table.Parked, w.secrets.Current} {
		if r, err := read(t.Context(), name); err == nil && !r.Token.IsZero() && strings.Contains(text, r.Token.Reveal()) {
			t.Error("the log has the refresh token")
		}
	}
	if strings.Contains(text, errLeaky.Error()) {
		t.Errorf("the log has the cause of a store's error: %s", text)
	}
}

// A sweep counts each, and no number of other failures takes the place of their lines.
func TestASweepWhoseRefreshTokensAreNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rotate.Renewer.RefreshTokens = &readOnly{Secrets: w.secrets, closed: true}
		for i := range 120 {
			name := fmt.Sprintf("bad-%03d", i)
			w.connect(name, `{"grant_type":"client_credentials"}`)
			_, _ = w.tell(`{"connection":"` + name + `"}`)
		}
		w.connect("last", byPassword)
		_, _ = w.tell(`{"connection":"last"}`)
		time.Sleep(2 * time.Hour)
		w.log.take(t)
		if _, err := w.tell(`{}`); err != nil {
			t.Fatal(err)
		}
		all := w.log.take(t)
		found := 0
		for _, line := range of(all, "renewal") {
			if line["connection"] == "last" {
				found++
				if line["level"] != "ERROR" || line["vault_error"] != storeError {
					t.Errorf("line %v, want an ERROR with what the vault said", line)
				}
			}
		}
		if found != 1 {
			t.Errorf("%d lines of the connection, want 1", found)
		}
		swept := of(all, "sweep")
		if len(swept) != 1 || metrics(t, swept[0])["Unstored"] != 1 {
			t.Errorf("lines %v, want one of the sweep that counts one", swept)
		}
		w.wantNoToken(t, "last")
	})
}

// A login through the callback: the person sees nothing of it while the table has the
// refresh token. Without, the login is undone, and can be done again.
func TestALoginWhoseRefreshTokenIsNotStored(t *testing.T) {
	tests := map[string]struct {
		prepare func(f *front, v *readOnly)
		status  int
		want    map[string]any
	}{
		"the vault takes it": {
			func(_ *front, v *readOnly) { v.closed = false }, http.StatusSeeOther,
			map[string]any{"level": "INFO", "metric": 0.0, "connection": "acme", "outcome": "done"},
		},
		"it is parked": {
			func(*front, *readOnly) {}, http.StatusSeeOther,
			map[string]any{
				"level": "ERROR", "metric": 1.0, "connection": "acme", "outcome": "done",
				"error": "StoreUnavailable", "error_message": storeError, "vault_error": storeError, "parked": true, "lost": false,
			},
		},
		"neither store takes it": {
			func(f *front, _ *readOnly) { f.callback.Flow.Parking = noParking{f.table} }, http.StatusInternalServerError,
			map[string]any{
				"level": "ERROR", "metric": 1.0, "connection": "acme", "outcome": "unstored",
				"error": "StoreUnavailable", "error_message": storeError, "vault_error": storeError, "parked": false, "lost": false,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lobby(t, func(f *front) {
				v := &readOnly{Secrets: f.secrets, closed: true}
				f.callback.Flow.RefreshTokens = v
				test.prepare(f, v)
				f.known()
				b := f.browser()
				back := b.login(b.leave(f.link()), "ann")
				f.log.take(t)
				b.get(back).want(test.status)
				all := of(f.log.take(t), "callback")
				if len(all) != 1 {
					t.Fatalf("%d lines, want 1: %v", len(all), all)
				}
				if diff := cmp.Diff(test.want, unstored(t, all[0])); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if strings.Contains(f.log.String(), errLeaky.Error()) {
					t.Error("the log has the cause of a store's error")
				}
			})
		})
	}
}
