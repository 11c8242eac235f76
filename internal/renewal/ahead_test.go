package renewal_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// partly leaves parts of each batch unread.
type partly struct {
	grant.BatchReader
	leave func(*grant.Batch)
}

func (p partly) ReadBatch(ctx context.Context, name string, hosts []string) (grant.Batch, error) {
	b, err := p.BatchReader.ReadBatch(ctx, name, hosts)
	p.leave(&b)
	return b, err
}

// hosts are so many that a connection may name, its own among them.
func hosts(n int) connection.Hosts {
	all := connection.Hosts{host}
	for i := range n - 1 {
		all = append(all, fmt.Sprintf("auth-%d.reltio.com:443", i))
	}
	return all
}

// What is read together with the grant is not read again; what is not is read by
// itself. The host's record is read once more, after the token is stored.
func TestWhatIsReadAhead(t *testing.T) {
	type reads struct{ grants, parked, hosts int }
	all := func(*grant.Batch) {}
	for name, c := range map[string]struct {
		hosts int
		leave func(*grant.Batch)
		want  reads
	}{
		"everything":            {1, all, reads{1, 0, 1}},
		"of four hosts":         {4, all, reads{1, 0, 1}},
		"too many hosts":        {5, all, reads{1, 0, 2}},
		"all but the grant":     {1, func(b *grant.Batch) { b.Grant = nil }, reads{2, 0, 1}},
		"all but what's parked": {1, func(b *grant.Batch) { b.Parked = nil }, reads{1, 1, 1}},
		"all but the host":      {1, func(b *grant.Batch) { b.Hosts = nil }, reads{1, 0, 2}},
		"nothing":               {1, func(b *grant.Batch) { *b = grant.Batch{} }, reads{2, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				time.Sleep(2 * time.Hour)
				w.out.forget()
				w.renewer.Hosts, w.renewer.Batches = hosts(c.hosts), partly{w.out, c.leave}
				w.expect(w.acme(), rotateapi.Renewed, "")
				if got := (reads{w.out.count(readGrant), w.out.count(readParked), w.out.count(readBudget)}); got != c.want {
					t.Errorf("single reads %+v, want %+v", got, c.want)
				}
			})
		})
	}
}

// After a wait for the due moment the host's record is read again: the host may be
// throttled since.
func TestWhatWasReadBeforeAWaitIsReadAgain(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		time.Sleep(time.Until(g.Due().Add(-2 * time.Second)))
		w.out.forget()
		w.expect(w.acme(), rotateapi.Renewed, "")
		if parked, hosts := w.out.count(readParked), w.out.count(readBudget); parked != 1 || hosts != 2 {
			t.Errorf("parked tokens were read %d times and hosts %d times, want 1 and 2", parked, hosts)
		}
	})
}

// A table whose batch cannot be read is one that cannot be read.
func TestABatchThatFails(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.out.fail(always, readGrant)
		if r := w.acme(); r.Outcome != rotateapi.Failed || r.TokenRequests != 0 {
			t.Errorf("outcome %s, %d token requests", r.Outcome, r.TokenRequests)
		}
	})
}
