package operator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestConnectMakesALinkForADay(t *testing.T) {
	for _, replaceUser := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			w.connect("acme", authorizationCode())
			invited, err := w.operator.Connect(t.Context(), "acme", replaceUser)
			if err != nil {
				t.Fatal(err)
			}
			text, ours := strings.CutPrefix(invited.Link.Reveal(), "https://example.com/callbacks/authorize?invitation=")
			if !ours || !authrequest.ValidText(text) {
				t.Fatal("the link leads elsewhere")
			}
			i, err := w.table.Invitation(t.Context(), authrequest.HashOf(reltioauth.NewSecret(text)))
			if err != nil {
				t.Fatal(err)
			}
			if i.Connection != "acme" || i.ReplaceUser != replaceUser || !i.Ends.Equal(invited.ExpiresAt) || !i.Usable(time.Now()) {
				t.Errorf("invitation %+v", i)
			}
			if life := time.Until(i.Ends); life > 24*time.Hour || life < 24*time.Hour-time.Second {
				t.Errorf("it lives %s, want a day", life)
			}
			if w.requests() != 0 {
				t.Error("Reltio was asked")
			}
		})
	}
}

// A link is a secret that only JSON shows.
func TestALinkIsShownToWhoAskedAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		reply := w.operator.Do(t.Context(), operator.Call{Verb: operator.VerbConnect, Connection: "acme"})
		if text := fmt.Sprintf("%v %+v %#v", reply, reply.Result, reply.Result); strings.Contains(text, "invitation=") {
			t.Error("printing it shows the link")
		}
		data, err := json.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		var back operator.Reply[operator.Invited]
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		sent, ok := reply.Result.(operator.Invited)
		if !ok || !back.Result.Link.Equal(sent.Link.Secret) || back.Result.Link.IsZero() {
			t.Error("the link did not come over")
		}
		var call operator.Call
		if err := json.Unmarshal([]byte(`{"verb":"add","secret":7}`), &call); err == nil || strings.Contains(err.Error(), "7") {
			t.Errorf("a secret that is no text: %v", err)
		}
	})
}

func TestConnectRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("login", password())
		w.connect("client", clientCredentials())
		w.connect("paused", authorizationCode())
		w.connectText("malformed", "{}")
		if _, err := w.operator.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]apierr.Type{
			"nope": apierr.UnknownConnection, "No": apierr.InvalidRequest, "malformed": apierr.InvalidConnection,
			"paused": apierr.ConnectionPaused, "login": apierr.InvalidRequest, "client": apierr.InvalidRequest,
		} {
			_, err := w.operator.Connect(t.Context(), name, false)
			w.wantError(err, want)
			if want == apierr.InvalidRequest && name != "No" && !strings.Contains(err.Error(), "only authorization_code is connected by one") {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.operator.CallbackURL = ""
		_, err := w.operator.Connect(t.Context(), "acme", false)
		w.wantError(err, apierr.InvalidRequest)
	})
}
