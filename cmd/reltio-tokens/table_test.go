package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// everything is a report with every status, mode and grant type.
func everything() operator.Report {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	ends := now.Add(20 * 24 * time.Hour)
	seconds := func(d time.Duration) *int64 { s := int64(d / time.Second); return &s }
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	is := func(t apierr.Type, message string) *rotateapi.Error {
		return &rotateapi.Error{Type: t, Message: message}
	}
	return operator.Report{At: now, Connections: []operator.State{
		{
			Connection: "acme-code", GrantType: connection.AuthorizationCode, Status: grant.StatusOK,
			RefreshMode: grant.Overlap, LoginMode: grant.Unknown, ExpiresIn: seconds(52 * time.Minute),
			RefreshExpiresAt: &ends, NextDueAt: in(38 * time.Minute),
		},
		{
			Connection: "acme-client", GrantType: connection.ClientCredentials, Status: grant.StatusOK,
			RefreshMode: grant.Unknown, LoginMode: grant.AtEnd, ExpiresIn: seconds(42 * time.Second), NextDueAt: in(43 * time.Second),
		},
		{
			Connection: "acme-password", GrantType: connection.Password, Status: grant.StatusFailing,
			RefreshMode: grant.AtEnd, LoginMode: grant.Overlap, ExpiresIn: seconds(3*time.Hour + 5*time.Minute),
			RefreshExpiresAt: &ends, NextDueAt: in(-time.Minute), LastError: is(apierr.ReltioUnavailable, "Reltio answered 503"),
		},
		{
			Connection: "acme-parked", GrantType: connection.AuthorizationCode, Status: grant.StatusFailing,
			RefreshMode: grant.AtEnd, LoginMode: grant.Unknown, ExpiresIn: seconds(52 * time.Minute), ParkedSince: in(-time.Hour),
			RefreshExpiresAt: &ends, NextDueAt: in(5 * time.Minute), LastError: is(apierr.StoreUnavailable, "Secrets Manager: AccessDeniedException"),
		},
		{
			Connection: "deleted", Status: grant.StatusOK, RefreshMode: grant.Unknown, LoginMode: grant.Unknown,
			NextDueAt: in(0), SecretError: is(apierr.UnknownConnection, "its secret is missing"),
		},
		{
			Connection: "invalid", Status: grant.StatusInvalidConnection, RefreshMode: grant.Unknown, LoginMode: grant.Unknown,
			NextDueAt: in(4 * time.Minute), LastError: is(apierr.InvalidConnection, "username: is required"),
			SecretError: is(apierr.InvalidConnection, "password: is required"), NeedsSomebody: true,
		},
		{
			Connection: "limit", GrantType: connection.ClientCredentials, Status: grant.StatusTokenLimit,
			RefreshMode: grant.Unknown, LoginMode: grant.Unknown, NextDueAt: in(5 * time.Minute), LastError: is(apierr.TokenLimitReached, ""),
		},
		{
			Connection: "mfa", GrantType: connection.Password, Status: grant.StatusMFARequired, NeedsSomebody: true,
			RefreshMode: grant.Unknown, LoginMode: grant.Unknown, NextDueAt: in(5 * time.Minute), LastError: is(apierr.MFARequired, "the user needs a second factor"),
			Refusal: &operator.Refused{Reason: operator.ReasonSecondFactor},
		},
		{
			Connection: "new", GrantType: connection.Password, Status: operator.New, RefreshMode: grant.Unknown, LoginMode: grant.Unknown,
		},
		{
			Connection: "paused", GrantType: connection.Password, Status: grant.StatusPaused,
			RefreshMode: grant.Overlap, LoginMode: grant.Overlap, ExpiresIn: seconds(30 * 24 * time.Hour), RefreshExpiresAt: &ends,
		},
		{
			Connection: "person", GrantType: connection.AuthorizationCode, Status: grant.StatusReauthorize, NeedsSomebody: true,
			RefreshMode: grant.Unknown, LoginMode: grant.Unknown, NextDueAt: in(2 * time.Minute),
			LastError: is(apierr.ReauthorizationRequired, "a person must log in at Reltio"),
		},
		{
			Connection: "rejected", GrantType: connection.Password, Status: grant.StatusCredentialsRejected, NeedsSomebody: true,
			RefreshMode: grant.Unknown, LoginMode: grant.Unknown, NextDueAt: in(time.Minute),
			LastError: is(apierr.CredentialsRejected, "Reltio refused the user; stopped to prevent a lock-out (invalid_grant, HTTP 400)"),
			Refusal:   &operator.Refused{Code: "invalid_grant", Status: 400, Description: "User account is locked", Reason: operator.ReasonUserLocked},
		},
		{
			Connection: "unknown", Status: grant.StatusUnknown, RefreshMode: grant.Unknown, LoginMode: grant.Unknown,
		},
	}}
}

// golden compares with a file; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestTheTableOfStatus(t *testing.T) {
	var plain, colour screen
	colour.colour = true
	plain.table(everything(), false)
	golden(t, "status.txt", plain.out.String())
	colour.table(everything(), false)
	golden(t, "status-colour.txt", colour.out.String())
	bare := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[2m", "", "\x1b[0m", "")
	if diff := cmp.Diff(plain.out.String(), bare.Replace(colour.out.String())); diff != "" {
		t.Errorf("colours move the columns:\n%s", diff)
	}
}

// A wide table has the reason and the server's words, and is the plain one
// before them.
func TestTheWideTableOfStatus(t *testing.T) {
	var wide screen
	wide.table(everything(), true)
	golden(t, "status-wide.txt", wide.out.String())
}

func TestTheTableOfNothing(t *testing.T) {
	var s screen
	s.table(operator.Report{}, false)
	if want := "CONNECTION  GRANT TYPE  MODES  STATUS  TOKEN LEFT  REFRESH UNTIL  NEXT DUE  LAST ERROR\n"; s.out.String() != want {
		t.Errorf("%q, want the heads alone", s.out.String())
	}
}

// A file that is no terminal has no colours, and neither has one whose owner
// wants none.
func TestColours(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if coloured(file, env(nil)) {
		t.Error("a file has colours")
	}
	device, err := os.Open(os.DevNull) // as good a character device as a terminal
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = device.Close() }()
	for name, test := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"a terminal":       {nil, true},
		"NO_COLOR":         {map[string]string{"NO_COLOR": "1"}, false},
		"a dumb terminal":  {map[string]string{"TERM": "dumb"}, false},
		"an empty setting": {map[string]string{"NO_COLOR": ""}, true},
	} {
		if got := coloured(device, env(test.env)); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestRotated(t *testing.T) {
	for name, test := range map[string]struct {
		result   rotateapi.Result
		out, err string
		fails    bool
	}{
		"renewed":     {rotateapi.Single(rotateapi.Renewed, nil), "acme: renewed\n", "", false},
		"unchanged":   {rotateapi.Single(rotateapi.Unchanged, nil), "acme: unchanged: it was not due, or Reltio gave the same token again\n", "", false},
		"contended":   {rotateapi.Single(rotateapi.Contended, nil), "", "acme: contended: it is being renewed at this moment\n", true},
		"left over":   {rotateapi.Single(rotateapi.LeftOver, nil), "", "acme: left_over: nothing was asked of Reltio; the next tick tries again\n", true},
		"no outcome":  {rotateapi.Result{}, "", "acme: left_over: nothing was asked of Reltio; the next tick tries again\n", true},
		"failed":      {rotateapi.Single(rotateapi.Failed, apierr.New(apierr.ReltioUnavailable, "m")), "", "acme: failed: ReltioUnavailable: m\n", true},
		"reauthorize": {rotateapi.Single(rotateapi.Reauthorize, apierr.New(apierr.ReauthorizationRequired, "m")), "", "acme: reauthorize: ReauthorizationRequired: m\n  reltio-tokens connect NAME makes a link for the person\n", true},
		"limited":     {rotateapi.Single(rotateapi.LeftOver, apierr.New(apierr.RateLimited, "m")), "", "acme: left_over: RateLimited: m\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			var s screen
			err := s.rotated("acme", test.result)
			if (err != nil) != test.fails || s.out.String() != test.out || s.err.String() != test.err {
				t.Errorf("%v\nout: %s\nerr: %s", err, s.out.String(), s.err.String())
			}
		})
	}
}

func TestCheckOfAParkedRefreshToken(t *testing.T) {
	since := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	var s screen
	s.checked(operator.Checked{Connection: "acme", OK: true, GrantType: connection.AuthorizationCode, Host: "auth.reltio.com:443", ParkedSince: &since})
	want := "acme: ok\n  grant type  authorization_code\n  host        auth.reltio.com:443\n" +
		"  parked      since 2026-11-23T15:00:00Z: Secrets Manager does not take its refresh token, doctor says what to do\n"
	if got := s.out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What could not be read is said in the row of its connection, and in the end.
func TestNotReadIsSaid(t *testing.T) {
	down := &rotateapi.Error{Type: apierr.StoreUnavailable, Message: "Secrets Manager: AccessDeniedException"}
	late := &rotateapi.Error{Type: apierr.StoreUnavailable, Message: "not looked at: no time was left"}
	r := operator.Report{Connections: []operator.State{
		{Connection: "fine", Status: grant.StatusOK},
		{Connection: "late", Status: operator.Unread, Unread: late, SecretError: late, NotLookedAt: true},
		{Connection: "sealed", Status: grant.StatusOK, SecretError: down},
		{Connection: "unread", Status: operator.Unread, Unread: down},
	}}
	s := &screen{}
	s.table(r, false)
	if err := s.notRead(r); err == nil {
		t.Error("it is no failure")
	}
	for _, want := range []string{
		"late        -           -/-    unread  -           -              -         not looked at: no time was left\n",
		"secret: StoreUnavailable: Secrets Manager: AccessDeniedException\n",
		"unread      -           -/-    unread  -           -              -         StoreUnavailable: Secrets Manager: AccessDeniedException\n",
	} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, s.out.String())
		}
	}
	if got, want := s.err.String(), "reltio-tokens: 3 of 4 connections could not be read\n  1 were not looked at: give it more time with --timeout\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
