package holder_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// bus records the events that it takes.
type bus struct {
	events []grant.Event
	err    error
}

func (b *bus) Publish(_ context.Context, e grant.Event) error {
	if b.err == nil {
		b.events = append(b.events, e)
	}
	return b.err
}

// frozen is a store whose responses come long after they were given.
type frozen struct {
	*memstore.Table
	pause time.Duration
}

func (f frozen) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	l, err := f.Table.TakeLease(ctx, r)
	time.Sleep(f.pause)
	return l, err
}

func config(table *memstore.Table, b *bus) holder.Config {
	return holder.Config{
		Grants: table, Leases: table, Now: time.Now, Doubts: true,
		Events: b, AuthRequests: table, CallbackURL: "https://callback.example", Links: &holder.Links{},
	}
}

// seeded stores a grant under a lease of its own.
func seeded(t *testing.T, c holder.Config, g grant.Grant) {
	t.Helper()
	h, err := c.Seize(t.Context(), g.Connection, 0)
	if err == nil {
		_, _, err = h.Read(t.Context())
	}
	if err == nil {
		err = h.PutIndexed(t.Context(), g)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Release(t.Context(), time.Second)
}

// All who hold a lease may write although the lease's record was lost, and fence
// off the holder before them.
func TestTheEpochRisesAboveTheGrants(t *testing.T) {
	ways := map[string]func(c holder.Config) (*holder.Holder, error){
		"taken":  func(c holder.Config) (*holder.Holder, error) { return c.Take(t.Context(), "acme", 0) },
		"seized": func(c holder.Config) (*holder.Holder, error) { return c.Seize(t.Context(), "acme", 0) },
		"adopted": func(c holder.Config) (*holder.Holder, error) {
			given, err := c.Take(t.Context(), "acme", 0)
			if err != nil {
				return nil, err
			}
			return c.Adopt(t.Context(), given.Lease())
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := config(&memstore.Table{}, &bus{})
				h, err := way(c)
				if err != nil {
					t.Fatal(err)
				}
				stored := lease.Lease{Connection: "acme", Owner: "earlier", Epoch: h.Lease().Epoch + 40}
				if err := c.Grants.PutGrant(t.Context(), stored, grant.Grant{Connection: "acme"}); err != nil {
					t.Fatal(err)
				}
				g, exists, err := h.Read(t.Context())
				if err != nil || !exists || h.Lease().Epoch != stored.Epoch+1 || h.Wrote(g) {
					t.Fatalf("epoch %d, exists %t, %v; want %d", h.Lease().Epoch, exists, err, stored.Epoch+1)
				}
				if err := h.Put(t.Context(), g); err != nil || !h.Wrote(h.Stored()) {
					t.Errorf("put: %v", err)
				}
				if err := c.Grants.PutGrant(t.Context(), stored, g); !errors.Is(err, grant.ErrFenced) {
					t.Errorf("the earlier holder's write: %v, want %v", err, grant.ErrFenced)
				}
			})
		})
	}
}

func TestALeaseTakenWhileFrozenIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(&memstore.Table{}, &bus{})
		c.Leases = frozen{c.Leases.(*memstore.Table), lease.Skew + time.Second}
		if _, err := c.Take(t.Context(), "acme", 0); !errors.Is(err, lease.ErrHeld) {
			t.Errorf("%v, want %v", err, lease.ErrHeld)
		}
	})
}

// Recovered is announced although the holder wrote a healthy grant in between: it
// is the state in which the holder found the grant that has ended.
func TestRecoveredIsAnnouncedFromWhatWasFound(t *testing.T) {
	for status, want := range map[grant.Status]int{
		grant.StatusCredentialsRejected: 1, grant.StatusReauthorize: 1, grant.StatusFailing: 0, grant.StatusOK: 0,
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bus{}
				c := config(&memstore.Table{}, b)
				seeded(t, c, grant.Grant{Connection: "acme", Identity: "one", Status: status, WarnedAt: time.Now()})
				h, err := c.Take(t.Context(), "acme", 0)
				if err != nil {
					t.Fatal(err)
				}
				g, _, err := h.Read(t.Context())
				if err == nil {
					err = h.Put(t.Context(), g.Reset("other"))
				}
				next := h.Stored()
				next.AccessToken, next.ExpiresAt = reltioauth.NewSecret("token"), time.Now().Add(time.Hour)
				if err == nil {
					err = h.Write(t.Context(), next, false)
				}
				if err == nil {
					err = h.Publish(t.Context(), time.Second)
				}
				if err != nil || len(b.events) != want || len(h.Stored().Unpublished) != 0 {
					t.Errorf("events %v, unpublished %v, %v; want %d", b.events, h.Stored().Unpublished, err, want)
				}
			})
		})
	}
}

// An event that cannot be sent stays, is tried again at growing pauses, and keeps
// its link.
func TestAnEventIsTriedAgainWithItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bus{err: apierr.New(apierr.StoreUnavailable, "the bus is down")}
		c := config(&memstore.Table{}, b)
		c.Links = &holder.Links{}
		h, err := c.Take(t.Context(), "acme", 0)
		if err == nil {
			_, _, err = h.Read(t.Context())
		}
		if err == nil {
			err = h.Write(t.Context(), grant.Grant{Connection: "acme", Status: grant.StatusReauthorize}, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, minutes := range []int{1, 2, 4, 8, 15, 15} {
			pause := time.Duration(minutes) * time.Minute
			if h.Publish(t.Context(), time.Second) == nil {
				t.Fatal("no error of an event that was not sent")
			}
			if got := time.Until(h.Stored().PublishAt); got != pause {
				t.Errorf("attempt %d: pause %v, want %v", i, got, pause)
			}
			if err := h.Publish(t.Context(), time.Second); err != nil {
				t.Errorf("tried before its pause ended: %v", err)
			}
			time.Sleep(pause)
		}
		b.err = nil
		if err := h.Publish(t.Context(), time.Second); err != nil || len(b.events) != 1 {
			t.Fatalf("events %v, %v", b.events, err)
		}
		if !strings.HasPrefix(b.events[0].Link, "https://callback.example/authorize?invitation=") {
			t.Error("the event has no link")
		}
	})
}

// After one failure all holders of one bus send nothing more.
func TestABusThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bus{err: apierr.New(apierr.StoreUnavailable, "the bus is down")}
		c := config(&memstore.Table{}, b)
		c.Bus = &holder.Bus{}
		for i, name := range []string{"acme", "beta"} {
			h, err := c.Take(t.Context(), name, 0)
			if err == nil {
				_, _, err = h.Read(t.Context())
			}
			if err == nil {
				err = h.Write(t.Context(), grant.Grant{Connection: name, Status: grant.StatusReauthorize}, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Publish(t.Context(), time.Second); (err != nil) != (i == 0) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
