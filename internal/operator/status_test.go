package operator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func secret(text string) reltioauth.Secret { return reltioauth.NewSecret(text) }

// state is the one state of a status.
func (w *world) state(name string) operator.State {
	w.t.Helper()
	r, err := w.operator.Status(w.t.Context(), name)
	if err != nil || len(r.Connections) != 1 {
		w.t.Fatalf("%d states, %v", len(r.Connections), err)
	}
	return r.Connections[0]
}

func TestStatusOfAHealthyConnection(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		began := time.Now()
		w.rotate(false)
		time.Sleep(10*time.Minute + 500*time.Millisecond)
		g := w.grant()
		left, expires, ends := int64(49*60+58), g.ExpiresAt.Truncate(time.Second), g.RefreshExpiresAt.Truncate(time.Second)
		due := g.Due().Truncate(time.Second)
		want := operator.State{
			Connection: "acme", GrantType: connection.Password, RefreshMode: grant.AtEnd, LoginMode: grant.Unknown,
			Status: grant.StatusOK, ExpiresIn: &left, ExpiresAt: &expires, RefreshExpiresAt: &ends, NextDueAt: &due,
			Version: 1, Fingerprint: g.Fingerprint, Client: connection.Hash("auth.reltio.com:443", "client-1"),
		}
		got := w.state("acme")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if ends.Sub(began).Round(time.Hour) != 28*24*time.Hour {
			t.Errorf("the refresh token ends %v", ends)
		}
	})
}

func TestStatusSaysWhatIsWrong(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connectText("malformed", `{"grant_type":"password","c4n4ry":1}`)
		w.connect("fresh", clientCredentials())
		w.connect("person", authorizationCode())
		w.connect("deleted", clientCredentials())
		w.connect("acme", wrongPassword())
		for _, name := range []string{"deleted", "person"} {
			if _, err := w.operator.Rotate(t.Context(), name, false); err != nil {
				t.Fatal(err)
			}
		}
		w.disconnect("deleted")
		w.rotate(false)
		w.rotate(true)

		r, err := w.operator.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		type line struct {
			Name   string
			Status grant.Status
			Last   apierr.Type
			Secret apierr.Type
			Needs  bool
		}
		var got []line
		for _, s := range r.Connections {
			l := line{Name: s.Connection, Status: s.Status, Needs: s.NeedsSomebody}
			if s.LastError != nil {
				l.Last = s.LastError.Type
			}
			if s.SecretError != nil {
				l.Secret = s.SecretError.Type
			}
			got = append(got, l)
		}
		want := []line{
			{"acme", grant.StatusCredentialsRejected, apierr.CredentialsRejected, "", true},
			{"deleted", grant.StatusOK, "", apierr.UnknownConnection, false},
			{"fresh", operator.New, "", "", false},
			{"malformed", operator.New, "", apierr.InvalidConnection, true},
			{"person", grant.StatusReauthorize, apierr.ReauthorizationRequired, "", true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !r.NeedsSomebody() || (operator.Report{}).NeedsSomebody() {
			t.Error("who needs somebody?")
		}
		// A malformed secret with a valid token shows both.
		w.connect("fresh", clientCredentials())
		_, _ = w.operator.Rotate(t.Context(), "fresh", false)
		w.connectText("fresh", "[]")
		if s := w.state("fresh"); s.SecretError == nil || s.ExpiresIn == nil || s.GrantType != "" || !s.NeedsSomebody {
			t.Errorf("%+v, want its token and what is wrong with its secret", s)
		}
	})
}

// A refusal whose next try the rate limit postponed: two errors, of which callers
// and operators get the last one, with its own text.
func TestStatusOfAPostponedFailure(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		w.rotate(false)
		g := w.grant().Failed(grant.StatusFailing, apierr.New(apierr.CredentialsRejected, "refused"), time.Now(), 0, 0)
		g = g.Postponed(apierr.Limited(7*time.Second), time.Now().Add(7*time.Second))
		want := &rotateapi.Error{Type: apierr.RateLimited, Message: "retry after 7 s"}
		for _, status := range []grant.Status{grant.StatusFailing, grant.StatusPaused} {
			g.Status = status
			w.put(g)
			if diff := cmp.Diff(want, w.state("acme").LastError); diff != "" {
				t.Errorf("%s: (-want +got):\n%s", status, diff)
			}
		}
	})
}

func TestStatusByName(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, name := range []string{"a", "b", "c"} {
			w.connect(name, clientCredentials())
		}
		r, err := w.operator.Status(t.Context(), "c", "a")
		if err != nil || len(r.Connections) != 2 || r.Connections[0].Connection != "c" || r.Connections[1].Connection != "a" {
			t.Errorf("%+v, %v; want c and a", r.Connections, err)
		}
		_, err = w.operator.Status(t.Context(), "a", "nope")
		w.wantError(err, apierr.UnknownConnection)
		if !strings.Contains(err.Error(), "nope") {
			t.Errorf("error %v, want one that says which", err)
		}
		_, err = w.operator.Status(t.Context(), "a", "No")
		w.wantError(err, apierr.InvalidRequest)
	})
}

// The memory of a deleted connection is none.
func TestStatusOfADeletedConnection(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		w.rotate(false)
		w.disconnect("acme")
		w.rotate(true)
		if s := w.state("acme"); s.SecretMissingSince == nil {
			t.Error("it does not say that the secret is missing")
		}
		time.Sleep(time.Minute)
		w.rotate(true) // the second look believes it
		_, err := w.operator.Status(t.Context(), "acme")
		w.wantError(err, apierr.UnknownConnection)
		r, err := w.operator.Status(t.Context())
		if err != nil || len(r.Connections) != 0 {
			t.Errorf("%+v, %v; want none", r.Connections, err)
		}
	})
}

func TestStatusOfManyConnections(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var want []string
		for i := range 1100 {
			name := fmt.Sprintf("c-%04d", i)
			want = append(want, name)
			if i%2 == 0 {
				w.connect(name, clientCredentials())
			}
			w.put(grant.Grant{Connection: name, Status: grant.StatusOK}) // the others are in the index alone
		}
		r, err := w.operator.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range r.Connections {
			got = append(got, s.Connection)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d connections, want %d in order", len(got), len(want))
		}
	})
}

// Always the same keys, null where there is nothing.
func TestStatusAsJSON(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		report, err := w.operator.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(report)
		want := `{"at":"2000-01-01T00:00:00Z","connections":[{"connection":"acme","grant_type":"client_credentials",` +
			`"client":"` + connection.Hash("auth.reltio.com:443", "client-1") + `",` +
			`"refresh_mode":"at_end","login_mode":"unknown","status":"new","expires_in":null,"expires_at":null,` +
			`"refresh_expires_at":null,"next_due_at":null,"last_error":null,"refusal":null,"failing_since":null,"secret_versions_a_day":0,"secret_error":null,"version":0,` +
			`"fingerprint":"","parked_since":null,"secret_missing_since":null,"unsent_events":null,"unread":null,"not_looked_at":false,"needs_somebody":false}]}`
		if err != nil || string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// broken fails each call of a kind.
type broken struct {
	operator.Connections
	list, read error
}

func (b broken) List(ctx context.Context) ([]string, error) {
	if b.list != nil {
		return nil, b.list
	}
	return b.Connections.List(ctx)
}

func (b broken) Connection(ctx context.Context, name string) (connection.Source, error) {
	if b.read != nil {
		return connection.Source{}, b.read
	}
	return b.Connections.Connection(ctx, name)
}

func (b broken) ConnectionVersion(ctx context.Context, name string) (string, error) {
	source, err := b.Connection(ctx, name)
	return source.Version, err
}

// What a store cannot answer is said, never guessed.
func TestStoresThatDoNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		down := apierr.Wrap(apierr.StoreUnavailable, "down", errors.New("c4n4ry"))
		w.connect("acme", wrongPassword())
		all := func(name string) {
			t.Helper()
			ctx, o := t.Context(), w.operator
			_, err := o.Status(ctx)
			w.wantError(err, apierr.StoreUnavailable)
			_, err = o.Check(ctx, "acme")
			w.wantError(err, apierr.StoreUnavailable)
			_, err = o.ResumeAll(ctx)
			w.wantError(err, apierr.StoreUnavailable)
			for _, do := range []func(context.Context, string) (operator.Change, error){o.Pause, o.Unpause, o.Resume} {
				_, err = do(ctx, "acme")
				w.wantError(err, apierr.StoreUnavailable)
				if strings.Contains(fmt.Sprint(err), "c4n4ry") {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		secrets := w.operator.Connections
		w.operator.Connections = broken{Connections: secrets, read: down}
		all("the secrets")
		w.operator.Connections = broken{Connections: secrets, list: down}
		_, err := w.operator.Status(t.Context())
		w.wantError(err, apierr.StoreUnavailable)
		w.operator.Connections = secrets

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, do := range []func(context.Context, string) (operator.Change, error){w.operator.Pause, w.operator.Unpause, w.operator.Resume} {
			_, err := do(ended, "acme") // the table fails for a caller that has left
			w.wantError(err, apierr.StoreUnavailable)
		}
		_, err = w.operator.Check(ended, "acme")
		w.wantError(err, apierr.StoreUnavailable)

		// The counter cannot be cleared: nothing is resumed.
		w.rotate(false)
		w.rotate(true)
		w.operator.Connections = broken{Connections: secrets, read: down}
		_, err = w.operator.Resume(t.Context(), "acme")
		w.wantError(err, apierr.StoreUnavailable)
		if g := w.grant(); g.LastError != apierr.CredentialsRejected {
			t.Errorf("error %q: it was resumed", g.LastError)
		}
	})
}

func TestCheck(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", wrongPassword())
		w.connect("code", authorizationCode())
		w.connect("client", clientCredentials())
		id := connection.Hash("auth.reltio.com:443", "ann")
		want := operator.Checked{
			Connection: "acme", OK: true, Problems: []string{}, GrantType: connection.Password, Host: "auth.reltio.com:443",
			Account: &operator.Claim{ID: id},
		}
		check := func(name string) operator.Checked {
			t.Helper()
			c, err := w.operator.Check(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		compare := func(when string, want, got operator.Checked) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		compare("never used", want, check("acme"))
		if w.requests() != 0 {
			t.Error("it asked Reltio")
		}
		w.rotate(false)
		w.rotate(true)
		want.Account.HeldBy, want.Account.RefusedLogins = "acme", 2
		want.OK, want.Server = false, w.state("acme").Refusal
		compare("refused twice", want, check("acme"))

		w.connect("acme", password())
		want.Account.RefusedLogins = 0
		want.OK, want.Server = true, nil
		compare("with new credentials", want, check("acme"))

		for _, name := range []string{"code", "client"} {
			if c := check(name); !c.OK || c.Account != nil {
				t.Errorf("%s: %+v, want ok and no account", name, c)
			}
		}
	})
}

func TestCheckSaysWhoHasTheAccount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("owner", password())
		w.connect("acme", with(password(), "username", "ANN"))
		_, _ = w.operator.Rotate(t.Context(), "owner", false)
		for name, test := range map[string]struct {
			change func()
			held   bool
		}{
			"the owner names it":         {func() {}, true},
			"the owner is malformed":     {func() { w.connectText("owner", "{}") }, true},
			"the owner names another":    {func() { w.connect("owner", with(password(), "username", "ben")) }, false},
			"the owner's secret is gone": {func() { w.disconnect("owner") }, false},
		} {
			test.change()
			c, err := w.operator.Check(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			if c.OK == test.held || c.Account == nil || c.Account.HeldBy != "owner" {
				t.Errorf("%s: %+v, want held %v", name, c, test.held)
			}
			if test.held && !slices.Equal(c.Problems, []string{"username: its account belongs to connection owner"}) {
				t.Errorf("%s: problems %v", name, c.Problems)
			}
			w.connect("owner", password())
		}
	})
}

func TestCheckSaysEveryProblem(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connectText("acme", `{"grant_type":"password","client_id":"c4n4ry","password":7,"auth_url":"https://c4n4ry.example.com","pkce":true,"C4N4RY":1}`)
		c, err := w.operator.Check(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"client_secret: ", "password: ", "username: ", "auth_url: its host is not in AUTH_HOSTS", "pkce: "} {
			if !slices.ContainsFunc(c.Problems, func(p string) bool { return strings.HasPrefix(p, field) }) {
				t.Errorf("problems %q, want one with %q", c.Problems, field)
			}
		}
		if text := strings.Join(c.Problems, ""); c.OK || strings.Contains(strings.ToLower(text), "c4n4ry") {
			t.Errorf("ok %v, problems %q; want no value", c.OK, c.Problems)
		}
		_, err = w.operator.Check(t.Context(), "nope")
		w.wantError(err, apierr.UnknownConnection)
		_, err = w.operator.Check(t.Context(), "No")
		w.wantError(err, apierr.InvalidRequest)
	})
}

func TestCalls(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.connect("person", authorizationCode())
		for _, test := range []struct {
			call operator.Call
			want any
		}{
			{operator.Call{Verb: operator.VerbAbout}, operator.About{}},
			{operator.Call{Verb: operator.VerbStatus}, operator.Report{}},
			{operator.Call{Verb: operator.VerbCheck, Connection: "acme"}, operator.Checked{}},
			{operator.Call{Verb: operator.VerbRotate, Connection: "acme", Force: true}, rotateapi.Result{}},
			{operator.Call{Verb: operator.VerbPause, Connection: "acme"}, operator.Change{}},
			{operator.Call{Verb: operator.VerbUnpause, Connection: "acme"}, operator.Change{}},
			{operator.Call{Verb: operator.VerbResume, Connection: "acme"}, operator.Change{}},
			{operator.Call{Verb: operator.VerbResumeAll}, []operator.Change{}},
			{operator.Call{Verb: operator.VerbSharing, Connection: "acme"}, []string{}},
			{operator.Call{Verb: operator.VerbDisconnect, Connection: "acme", DeleteSecret: true}, operator.Disconnected{}},
			{operator.Call{Verb: operator.VerbAdd, Connection: "acme", Secret: operator.ClearText{Secret: reltioauth.NewSecret(passwordSecret)}}, operator.Added{}},
			{operator.Call{Verb: operator.VerbConnect, Connection: "person"}, operator.Invited{}},
		} {
			reply := w.operator.Do(t.Context(), test.call)
			if got, want := fmt.Sprintf("%T", reply.Result), fmt.Sprintf("%T", test.want); reply.Error != nil || got != want {
				t.Errorf("%s: a %s, %v; want a %s", test.call.Verb, got, reply.Error, want)
			}
		}
		_, err := w.operator.Do(t.Context(), operator.Call{Verb: "dance"}).Unpack()
		w.wantError(err, apierr.InvalidRequest)
		reply := w.operator.Do(t.Context(), operator.Call{Verb: operator.VerbPause, Connection: "nope"})
		text, err := json.Marshal(reply)
		if err != nil || !strings.Contains(string(text), `"error":{"type":"UnknownConnection","message":"no connection has this name"}`) {
			t.Errorf("%s, %v", text, err)
		}
		if result, err := (operator.Reply[int]{Result: 7}).Unpack(); result != 7 || err != nil {
			t.Errorf("%d, %v", result, err)
		}
	})
}

// Whatever is done to whatever connection, nothing that comes back holds a
// secret.
func TestNothingSecretComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.connect("wrong", with(wrongPassword(), "password", "c4n4ry-password"))
		w.connectText("malformed", `{"c4n4ry_field":"c4n4ry","client_secret":"c4n4ry"`)
		var seen strings.Builder
		for _, verb := range []operator.Verb{
			operator.VerbRotate, operator.VerbStatus, operator.VerbCheck, operator.VerbPause, operator.VerbUnpause, operator.VerbResume, operator.VerbResumeAll, "c4n4ry",
			operator.VerbAdd, operator.VerbConnect, operator.VerbAbout,
		} {
			for _, name := range []string{"acme", "wrong", "malformed", "C4N4RY", "c4n4ry"} {
				reply := w.operator.Do(t.Context(), operator.Call{
					Verb: verb, Connection: name, Secret: operator.ClearText{Secret: reltioauth.NewSecret(`{"password":"c4n4ry-password"`)},
				})
				text, err := json.Marshal(reply)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&seen, "%s %+v\n", text, reply)
			}
		}
		current, err := w.secrets.Current(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		token := w.grant().AccessToken.Reveal()
		for _, name := range []string{"acme", "wrong", "malformed"} {
			reply := w.operator.Do(t.Context(), operator.Call{Verb: operator.VerbDisconnect, Connection: name, DeleteSecret: true})
			text, err := json.Marshal(reply)
			if err != nil || reply.Error != nil {
				t.Fatal(err, reply.Error)
			}
			fmt.Fprintf(&seen, "%s %+v\n", text, reply)
		}
		for _, held := range []string{token, current.Token.Reveal(), "client-secret-1", "password-1", "c4n4ry-password", "c4n4ry_field", "client_secret\":"} {
			if held == "" || strings.Contains(seen.String(), held) {
				t.Errorf("%q comes back in:\n%s", held, seen.String())
			}
		}
	})
}
