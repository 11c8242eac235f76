package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func invitationPromises() promises {
	ends := start().Add(time.Hour).Truncate(time.Second)
	invited := authrequest.Invitation{Hash: "i1", Connection: "acme", ReplaceUser: true, Ends: ends}
	return promises{
		"an invitation comes back as it was put": func(t *testing.T, s Store) {
			noError(t, s.PutInvitation(t.Context(), invited))
			got, err := s.Invitation(t.Context(), "i1")
			noError(t, err)
			if diff := cmp.Diff(invited, got); diff != "" {
				t.Error(diff)
			}
		},
		"an unknown one is not found": func(t *testing.T, s Store) {
			_, err := s.Invitation(t.Context(), "none")
			wantError(t, err, authrequest.ErrNotFound)
			wantError(t, s.UseInvitation(t.Context(), "none", start()), authrequest.ErrUsed)
			noError(t, s.ReturnInvitation(t.Context(), "none", start()))
		},
		"it is used once, though many try": func(t *testing.T, s Store) {
			noError(t, s.PutInvitation(t.Context(), invited))
			var used atomic.Int64
			race(func(int) {
				if s.UseInvitation(t.Context(), "i1", start()) == nil {
					used.Add(1)
				}
			})
			if got := used.Load(); got != 1 {
				t.Errorf("used %d times, want once", got)
			}
		},
		"it ends": func(t *testing.T, s Store) {
			noError(t, s.PutInvitation(t.Context(), invited))
			wantError(t, s.UseInvitation(t.Context(), "i1", ends), authrequest.ErrUsed)
			noError(t, s.UseInvitation(t.Context(), "i1", ends.Add(-time.Millisecond)))
		},
		"it is given back by the one who used it": func(t *testing.T, s Store) {
			noError(t, s.PutInvitation(t.Context(), invited))
			noError(t, s.UseInvitation(t.Context(), "i1", start()))
			noError(t, s.ReturnInvitation(t.Context(), "i1", start().Add(time.Millisecond)))
			wantError(t, s.UseInvitation(t.Context(), "i1", start()), authrequest.ErrUsed)
			noError(t, s.ReturnInvitation(t.Context(), "i1", start()))
			noError(t, s.UseInvitation(t.Context(), "i1", start()))
		},
	}
}

func directoryPromises() promises {
	ends := start().Add(time.Hour).Truncate(time.Second)
	listed := func(t *testing.T, s Store) []authrequest.Invitation {
		t.Helper()
		got, err := s.Invitations(t.Context())
		noError(t, err)
		slices.SortFunc(got, func(a, b authrequest.Invitation) int { return strings.Compare(a.Hash, b.Hash) })
		return got
	}
	return promises{
		"an empty store has none": func(t *testing.T, s Store) {
			if got := listed(t, s); len(got) != 0 {
				t.Errorf("%+v, want none", got)
			}
		},
		"all are listed, the used ones too, and nothing else": func(t *testing.T, s Store) {
			var want []authrequest.Invitation
			for i := range 30 {
				one := authrequest.Invitation{Hash: fmt.Sprintf("i%02d", i), Connection: "acme", ReplaceUser: i%2 == 0, Ends: ends}
				noError(t, s.PutInvitation(t.Context(), one))
				want = append(want, one)
			}
			noError(t, s.UseInvitation(t.Context(), "i03", start()))
			want[3].UsedAt = start()
			noError(t, s.PutRequest(t.Context(), pendingRequest()))
			held, err := s.TakeLease(t.Context(), ask("acme", "owner-1"))
			noError(t, err)
			noError(t, s.PutGrant(t.Context(), held, grant.Grant{Connection: "acme", AccessToken: reltioauth.NewSecret("token")}))
			if diff := cmp.Diff(want, listed(t, s)); diff != "" {
				t.Error(diff)
			}
		},
	}
}

// pendingRequest is one whose person has not come back yet.
func pendingRequest() authrequest.Request {
	return authrequest.Request{
		Hash: "r1", Connection: "acme", Invitation: "i1", Binding: "b1", Verifier: reltioauth.NewSecret("verifier"),
		RedirectURI: "https://callback.example/callback", Second: true,
		Ends: start().Add(authrequest.RequestLife).Truncate(time.Second),
	}
}

func requestPromises() promises {
	pending := pendingRequest()
	return promises{
		"a request comes back as it was put": func(t *testing.T, s Store) {
			noError(t, s.PutRequest(t.Context(), pending))
			got, err := s.Request(t.Context(), "r1")
			noError(t, err)
			if diff := cmp.Diff(pending, got); diff != "" {
				t.Error(diff)
			}
		},
		"an unknown one is not found": func(t *testing.T, s Store) {
			_, err := s.Request(t.Context(), "none")
			wantError(t, err, authrequest.ErrNotFound)
			wantError(t, s.ConsumeRequest(t.Context(), "none", start()), authrequest.ErrUsed)
			noError(t, s.ReturnRequest(t.Context(), "none", start()))
			noError(t, s.FinishRequest(t.Context(), "none", "done"))
			_, err = s.Request(t.Context(), "none")
			wantError(t, err, authrequest.ErrNotFound)
		},
		"it is consumed once, though many try": func(t *testing.T, s Store) {
			noError(t, s.PutRequest(t.Context(), pending))
			var consumed atomic.Int64
			race(func(int) {
				if s.ConsumeRequest(t.Context(), "r1", start()) == nil {
					consumed.Add(1)
				}
			})
			if got := consumed.Load(); got != 1 {
				t.Errorf("consumed %d times, want once", got)
			}
		},
		"it ends": func(t *testing.T, s Store) {
			noError(t, s.PutRequest(t.Context(), pending))
			wantError(t, s.ConsumeRequest(t.Context(), "r1", pending.Ends), authrequest.ErrUsed)
			noError(t, s.ConsumeRequest(t.Context(), "r1", pending.Ends.Add(-time.Millisecond)))
		},
	}
}

func outcomePromises() promises {
	pending := pendingRequest()
	return promises{
		"it is given back until it has an outcome": func(t *testing.T, s Store) {
			noError(t, s.PutRequest(t.Context(), pending))
			noError(t, s.ConsumeRequest(t.Context(), "r1", start()))
			noError(t, s.ReturnRequest(t.Context(), "r1", start().Add(time.Millisecond)))
			wantError(t, s.ConsumeRequest(t.Context(), "r1", start()), authrequest.ErrUsed)
			noError(t, s.ReturnRequest(t.Context(), "r1", start()))
			noError(t, s.ConsumeRequest(t.Context(), "r1", start()))
			noError(t, s.FinishRequest(t.Context(), "r1", "done"))
			noError(t, s.ReturnRequest(t.Context(), "r1", start()))
			got, err := s.Request(t.Context(), "r1")
			noError(t, err)
			if got.Outcome != "done" || !got.ConsumedAt.Equal(start()) {
				t.Errorf("outcome %q, consumed at %v, want it finished", got.Outcome, got.ConsumedAt)
			}
		},
		"only a consumed one has an outcome": func(t *testing.T, s Store) {
			noError(t, s.PutRequest(t.Context(), pending))
			noError(t, s.FinishRequest(t.Context(), "r1", "done"))
			if got, err := s.Request(t.Context(), "r1"); err != nil || got.Outcome != "" {
				t.Errorf("outcome %q (%v), want none", got.Outcome, err)
			}
		},
	}
}
