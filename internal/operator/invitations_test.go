package operator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// invite makes a link and returns its text's hash and what the list shall say of it.
func (w *world) invite(name string, replaceUser bool) (hash string, want operator.OpenInvitation) {
	w.t.Helper()
	invited, err := w.operator.Connect(w.t.Context(), name, replaceUser)
	if err != nil {
		w.t.Fatal(err)
	}
	_, text, _ := strings.Cut(invited.Link.Reveal(), "invitation=")
	hash = authrequest.HashOf(reltioauth.NewSecret(text))
	return hash, operator.OpenInvitation{Connection: name, ID: hash[:12], ExpiresAt: invited.ExpiresAt, ReplaceUser: replaceUser}
}

// ask lists or withdraws.
func (w *world) ask(r operator.InvitationsRequest) []operator.OpenInvitation {
	w.t.Helper()
	got, err := w.operator.Invitations(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) wantInvitations(r operator.InvitationsRequest, want ...operator.OpenInvitation) {
	w.t.Helper()
	if diff := cmp.Diff(append([]operator.OpenInvitation{}, want...), w.ask(r), cmpopts.IgnoreUnexported(operator.OpenInvitation{})); diff != "" {
		w.t.Errorf("%+v (-want +got):\n%s", r, diff)
	}
}

func TestOnlyLinksThatStillWorkAreListed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		w.connect("beta", authorizationCode())
		w.wantInvitations(operator.InvitationsRequest{})
		w.invite("acme", false) // will have expired
		time.Sleep(2 * time.Hour)
		used, _ := w.invite("acme", false)
		_, late := w.invite("beta", false)
		time.Sleep(time.Hour)
		_, acme := w.invite("acme", true)
		time.Sleep(22 * time.Hour)
		if err := w.table.UseInvitation(t.Context(), used, time.Now()); err != nil {
			t.Fatal(err)
		}
		w.wantInvitations(operator.InvitationsRequest{}, acme, late)
		w.wantInvitations(operator.InvitationsRequest{Connection: "acme"}, acme)
		w.wantInvitations(operator.InvitationsRequest{ID: late.ID}, late)
	})
}

// An invitation that another program has made is withdrawn like one of the command.
func TestAWithdrawnLinkDoesNotWork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		w.connect("beta", authorizationCode())
		first, one := w.invite("acme", false)
		_, two := w.invite("acme", false)
		_, other := w.invite("beta", false)
		w.wantInvitations(operator.InvitationsRequest{Connection: "acme", ID: one.ID, Withdraw: true}, one)
		for _, err := range []error{
			w.table.UseInvitation(t.Context(), first, time.Now()),
			w.table.UseInvitation(t.Context(), first, time.Now().Add(time.Hour)),
		} {
			if err != authrequest.ErrUsed { //nolint:errorlint // a sentinel, unwrapped
				t.Errorf("a login with it: %v, want %v", err, authrequest.ErrUsed)
			}
		}
		w.wantInvitations(operator.InvitationsRequest{Connection: "acme", Withdraw: true}, two)
		w.wantInvitations(operator.InvitationsRequest{Connection: "acme", Withdraw: true}) // again: nothing is left
		w.wantInvitations(operator.InvitationsRequest{}, other)
		made := authrequest.Invitation{Hash: "h", Connection: "acme", Ends: time.Now().Add(time.Hour).Truncate(time.Second)}
		if err := w.table.PutInvitation(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		w.wantInvitations(operator.InvitationsRequest{Connection: "acme", Withdraw: true}, operator.OpenInvitation{
			Connection: "acme", ID: "h", ExpiresAt: made.Ends.UTC(),
		})
	})
}

// No form of a list has what a person needs to use a link, or its hash.
func TestAListHoldsNoLink(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		invited, err := w.operator.Connect(t.Context(), "acme", false)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(invited.Link.Reveal(), "invitation=")
		reply := w.operator.Do(t.Context(), operator.Call{Verb: operator.VerbInvitations, Connection: "acme"})
		data, err := json.Marshal(reply)
		if err != nil || reply.Error != nil {
			t.Fatal(err, reply.Error)
		}
		if strings.Contains(string(data), authrequest.HashOf(reltioauth.NewSecret(text))) {
			t.Error("JSON has the whole hash")
		}
		if strings.Contains(string(data)+fmt.Sprintf("%+v", reply.Result), text) {
			t.Error("the list has the link's text")
		}
	})
}

func TestInvitationsRefuses(t *testing.T) {
	bubble(t, func(_ *testing.T, w *world) {
		w.connect("acme", authorizationCode())
		for name, test := range map[string]struct {
			request operator.InvitationsRequest
			want    apierr.Type
		}{
			"a name that is none":      {operator.InvitationsRequest{Connection: "No"}, apierr.InvalidRequest},
			"an unknown name":          {operator.InvitationsRequest{Connection: "acne"}, apierr.UnknownConnection},
			"a withdrawal of all":      {operator.InvitationsRequest{Withdraw: true}, apierr.InvalidRequest},
			"an ID that no link has":   {operator.InvitationsRequest{Connection: "acme", ID: "abc"}, apierr.InvalidRequest},
			"withdrawal of a wrong ID": {operator.InvitationsRequest{Connection: "acme", ID: "abc", Withdraw: true}, apierr.InvalidRequest},
		} {
			_, err := w.operator.Invitations(w.t.Context(), test.request)
			if got := apierr.Of(err); err == nil || got.Type != test.want {
				w.t.Errorf("%s: %v, want %s", name, err, test.want)
			}
		}
	})
}
