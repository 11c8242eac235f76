package operator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
)

// Invitations are the invitations in the store. All methods are as
// authrequest.Store and authrequest.Directory have them.
type Invitations interface {
	authrequest.Directory
	PutInvitation(ctx context.Context, i authrequest.Invitation) error
	UseInvitation(ctx context.Context, hash string, now time.Time) error
}

// OpenInvitation is a link that a person can still use, without the link: the store
// has only the hash of its text.
type OpenInvitation struct {
	Connection string `json:"connection"`
	// ID names the invitation. It is no part of the link.
	ID string `json:"id"`
	// ExpiresAt is the link's deadline, UTC, in whole seconds.
	ExpiresAt time.Time `json:"expires_at"`
	// ReplaceUser says that another user than the first one may log in.
	ReplaceUser bool `json:"replace_user"`

	hash string
}

// InvitationsRequest selects open invitations.
type InvitationsRequest struct {
	// Connection is empty for all connections.
	Connection string
	// ID selects one invitation; empty: all.
	ID string
	// Withdraw uses them up, so that no link works any more. It needs a Connection.
	Withdraw bool
}

// Invitations returns the open invitations that the request selects, by connection
// and deadline, after Withdraw those that were withdrawn. An invitation that a login
// is using at that moment is not open. It fails with UnknownConnection if nothing
// has the name, and with InvalidRequest if no open invitation has the ID.
func (o *Service) Invitations(ctx context.Context, r InvitationsRequest) ([]OpenInvitation, error) {
	if r.Connection == "" && r.Withdraw {
		return nil, apierr.New(apierr.InvalidRequest, "connection: is missing: whose invitations are withdrawn?")
	}
	if r.Connection != "" {
		if err := named(r.Connection); err != nil {
			return nil, err
		}
	}
	all, err := o.AuthRequests.Invitations(ctx)
	if err != nil {
		return nil, err
	}
	open := r.open(all, o.Now())
	if len(open) == 0 && r.Connection != "" {
		if _, err := (reader{o}).see(ctx, r.Connection); err != nil {
			return nil, err
		}
	}
	switch {
	case len(open) == 0 && r.ID != "":
		return nil, apierr.New(apierr.InvalidRequest, "id: no open invitation has it")
	case r.Withdraw:
		return withdraw(ctx, o.AuthRequests, open, o.Now)
	}
	return open, nil
}

// open are the invitations that are open at now and that the request selects.
func (r InvitationsRequest) open(all []authrequest.Invitation, now time.Time) []OpenInvitation {
	open := []OpenInvitation{}
	for _, i := range all {
		if !i.Usable(now) || (r.Connection != "" && i.Connection != r.Connection) || (r.ID != "" && i.ID() != r.ID) {
			continue
		}
		open = append(open, OpenInvitation{
			Connection: i.Connection, ID: i.ID(), ExpiresAt: i.Ends.UTC(), ReplaceUser: i.ReplaceUser, hash: i.Hash,
		})
	}
	slices.SortFunc(open, func(a, b OpenInvitation) int {
		return cmp.Or(strings.Compare(a.Connection, b.Connection), a.ExpiresAt.Compare(b.ExpiresAt), strings.Compare(a.ID, b.ID))
	})
	return open
}

// withdraw uses invitations up. One that a login has used since it was read is left
// out.
func withdraw(ctx context.Context, store Invitations, open []OpenInvitation, now func() time.Time) ([]OpenInvitation, error) {
	withdrawn := []OpenInvitation{}
	for _, i := range open {
		switch err := store.UseInvitation(ctx, i.hash, now()); {
		case errors.Is(err, authrequest.ErrUsed):
		case err != nil:
			return withdrawn, err
		default:
			withdrawn = append(withdrawn, i)
		}
	}
	return withdrawn, nil
}
