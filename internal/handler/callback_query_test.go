package handler_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
)

func TestTwoCallbacksAtOnceExchangeOnce(t *testing.T) {
	lobby(t, func(f *front) {
		b, address := back(f)
		tabs := make([]*browser, 4)
		statuses := make([]int, len(tabs))
		var all sync.WaitGroup
		for i := range tabs {
			other := newFrontOver(f)
			tabs[i] = &browser{front: other, cookies: slices.Clone(b.cookies)}
			all.Go(func() { statuses[i] = tabs[i].get(address).StatusCode })
		}
		all.Wait()
		slices.Sort(statuses)
		lost := func(status int) bool { return status == 400 || status == 503 } // 503: overtaken at the last moment
		if statuses[0] != 303 || !lost(statuses[1]) || !lost(statuses[2]) || !lost(statuses[3]) || f.exchanges() != 1 {
			t.Errorf("statuses %v with %d token requests, want one 303 with 1", statuses, f.exchanges())
		}
		b.get(address).want(http.StatusSeeOther) // a reload afterwards
	})
}

// newFrontOver is another instance over the same stores.
func newFrontOver(f *front) *front {
	return &front{t: f.t, table: f.table, secrets: f.secrets, server: f.server, callback: f.callback, gateway: f.gateway, log: f.log, stage: f.stage}
}

// A login that could not be used because Reltio was busy is used by a reload.
func TestAReloadAfterBusy(t *testing.T) {
	lobby(t, func(f *front) {
		b, address := back(f)
		f.book(8 * time.Second)
		a := b.get(address).want(http.StatusServiceUnavailable)
		if got := a.Headers["Retry-After"]; got != "9" { // one after the slot that is taken
			t.Errorf("Retry-After %q, want 9", got)
		}
		time.Sleep(9 * time.Second)
		b.get(address).want(http.StatusSeeOther)
	})
}

// Every way in which a login can end has its own page.
func TestEveryOutcomeHasAPage(t *testing.T) {
	internal := pages.FailureOf(pages.Internal, "").Title
	statuses := map[authcode.Outcome]int{
		authcode.InvitationGone: 410, authcode.RequestGone: 400, authcode.WrongBrowser: 400, authcode.WrongServer: 400,
		authcode.Denied: 400, authcode.WrongUser: 403, authcode.UserUnknown: 502, authcode.ExchangeFailed: 502,
		authcode.Busy: 503, authcode.StoreFailing: 503, authcode.Paused: 503, authcode.Unstored: 500, authcode.Broken: 500,
	}
	for outcome, status := range statuses {
		if f := pages.FailureOf(string(outcome), ""); f.Title == internal || f.Status != status {
			t.Errorf("%s: %d %q, want %d", outcome, f.Status, f.Title, status)
		}
	}
}

// Whatever a browser brings: an answer, no panic, nothing of it shown, and no
// token request without a state that is known.
func FuzzCallbackQuery(f *testing.F) {
	for _, seed := range []string{
		"", "code=a&state=" + someText, "code=a&code=b", "error=access_denied&state=" + someText, "invitation=" + someText,
		"state=%00", "%zz", "a=1;b=2", "code=%F0%9F%92%A9&state=" + someText, "&&&=&", "iss=https://x&code=1&state=" + someText,
		"until=1", "code=<script>&state=" + someText, strings.Repeat("a=b&", 3000),
	} {
		for path := range uint8(4) {
			f.Add(path, seed)
		}
	}
	paths := []string{"/authorize", "/authorize/go", "/callback", "/done"}
	f.Fuzz(func(t *testing.T, path uint8, query string) {
		fr := newFront(t)
		a := fr.browser().get(paths[int(path)%len(paths)] + "?" + query)
		switch a.StatusCode {
		case 200, 400, 410, 414:
		default:
			t.Errorf("status %d", a.StatusCode)
		}
		if strings.Contains(a.Body, "<script") || a.location() != "" || fr.exchanges() != 0 {
			t.Errorf("a script, a redirect or a token request: %s", a.Body)
		}
		wantPolicy(t, a)
		if lines := of(fr.log.take(t), "callback"); len(lines) != 1 || lines[0]["outcome"] == "internal" {
			t.Errorf("lines %v", lines)
		}
	})
}
