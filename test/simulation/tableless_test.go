package simulation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// noTable is DynamoDB in an outage, as AWS's client reaches it.
type noTable struct {
	// silent: nothing responds, and each attempt ends after its time limit. Else each
	// gets the error.
	silent bool
	code   string
}

// Do implements aws.HTTPClient.
func (n noTable) Do(r *http.Request) (*http.Response, error) {
	if n.silent {
		limit := client.ResponseTimeout
		if !strings.HasPrefix(r.Header.Get("Amz-Sdk-Request"), "attempt=1;") {
			limit *= 3
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		<-ctx.Done()
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return nil, os.ErrDeadlineExceeded
	}
	status := http.StatusInternalServerError
	if n.code != "InternalServerError" {
		status = http.StatusBadRequest
	}
	time.Sleep(fastest)
	body := []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#` + n.code + `","message":"-"}`)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// lostGrants and lostLeases are the table that issue reads, which is gone for a while.
type lostGrants struct {
	grant.Store
	gone func(context.Context) bool
	lost *dynamo.Table
}

func (l *lostGrants) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	if l.gone(ctx) {
		return l.lost.Grant(ctx, name, c)
	}
	return l.Store.Grant(ctx, name, c)
}

type lostLeases struct {
	lease.Store
	gone func(context.Context) bool
	lost *dynamo.Table
}

func (l *lostLeases) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	if l.gone(ctx) {
		return l.lost.TakeLease(ctx, r)
	}
	return l.Store.TakeLease(ctx, r)
}

// lose lets processes lose the table while gone says so. Those of rotate, which do
// nothing without it, are refused at once.
func lose(how noTable, gone func() bool) func(*Ports) {
	lost := &dynamo.Table{Name: "tokens", Client: dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: how, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}, client.QuickReads)}
	now := func(ctx context.Context) bool {
		if c := callOf(ctx); c != nil && gone() {
			c.tableFailed = true
		}
		return gone()
	}
	return func(p *Ports) {
		if p.By.kind == "issue" {
			p.Grants, p.Leases = &lostGrants{p.Grants, now, lost}, &lostLeases{p.Leases, now, lost}
		}
	}
}

// hour is what callers of environments got while something lasted.
type hour struct {
	mu      sync.Mutex     // guards what follows
	got     map[string]int // a token, a token with its last warning, or an error's type
	longest time.Duration
}

func (h *hour) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%v, the longest call %s", h.got, h.longest.Round(10*time.Millisecond))
}

// only reports whether callers got nothing but these.
func (h *hour) only(what ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for got := range h.got {
		if !slices.Contains(what, got) {
			return false
		}
	}
	return len(h.got) > 0
}

// callEach lets a caller ask each of the environments once a minute until a moment.
func (w *World) callEach(all []*environment, until time.Time) *hour {
	h := &hour{got: map[string]int{}}
	for n, e := range all {
		w.running.Go(func() {
			ch := w.draw("minute", fmt.Sprint(n))
			for w.sleep(ch.between(0, time.Minute)); w.now().Before(until); w.sleep(time.Minute) {
				began := w.now()
				a, err := w.issue(e, w.connList[0], issue.Request{})
				h.note(a, err, w.now().Sub(began))
			}
		})
	}
	return h
}

func (h *hour) note(a issue.Answer, err error, took time.Duration) {
	what := "a token"
	switch {
	case err != nil:
		what = string(apierr.Of(err).Type)
	case len(a.Warnings) > 0:
		what += " with " + string(a.Warnings[len(a.Warnings)-1])
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got[what]++
	h.longest = max(h.longest, took)
}

// An hour without the table, whose last ten minutes are after the token's end. The
// environments that have read the token hand it out until then, with store_failing;
// those that have not, and all of them after its end, say that DynamoDB fails. When
// the table is back the first caller has the token renewed, with one request.
func TestAnHourWithoutTheTable(t *testing.T) {
	t.Parallel()
	const (
		each  = 50 // environments
		token = "a token"
		kept  = token + " with " + string(issueapi.StoreFailing)
		none  = string(apierr.StoreUnavailable)
	)
	for name, c := range map[string]struct {
		how        noTable
		warm, cold time.Duration // the longest call
	}{
		"errors":    {noTable{code: "InternalServerError"}, 2 * time.Second, 2 * time.Second},
		"throttled": {noTable{code: "ProvisionedThroughputExceededException"}, 2 * time.Second, 2 * time.Second},
		"stalls":    {noTable{silent: true}, 3 * time.Second, issue.Timeout + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var from, until time.Time
			gone := func() bool { now := time.Now(); return !now.Before(from) && now.Before(until) }
			script := func(o Operation) (f Fault) {
				if o.Op.system() == table && o.By.kind != "issue" && gone() {
					f.Kind = Before
				}
				return f
			}
			cfg := Config{Seed: 29, Exact: true, Loose: true, Script: script, Mutate: lose(c.how, gone)}
			scenario(t, cfg, same(1, Spec{Type: connection.ClientCredentials}), func(t *testing.T, w *World) {
				w.Tick()
				var warm, cold []*environment
				for range each {
					warm, cold = append(warm, w.environment()), append(cold, w.environment())
				}
				if before := w.callEach(warm, w.now().Add(10*time.Minute)); !w.later(10*time.Minute+time.Second) || !before.only(token) {
					t.Fatal(before)
				}
				end := w.Grant("c00000").ExpiresAt
				from, until = end.Add(-50*time.Minute), end.Add(10*time.Minute)
				w.disturb("storm", until.Add(3*tickEvery))
				w.Until(from.Add(31 * time.Second)) // what memory spares a read for is over
				warmly, coldly := w.callEach(warm, end.Add(-4*time.Second)), w.callEach(cold, end.Add(-25*time.Second))
				w.Until(end)
				t.Logf("until the token's end, warm: %s; cold: %s", warmly, coldly)
				if !warmly.only(kept) || !coldly.only(none) || warmly.longest > c.warm || coldly.longest > c.cold {
					t.Errorf("until the token's end, warm: %s; cold: %s", warmly, coldly)
				}
				after := w.callEach(append(warm, cold...), until.Add(-25*time.Second))
				w.Until(until)
				t.Logf("after it: %s", after)
				if !after.only(none) || after.longest > c.cold {
					t.Errorf("after its end: %s", after)
				}
				requests := w.Figures().Requests
				back := w.callEach(append(warm, cold...), until.Add(5*time.Minute))
				w.later(5*time.Minute + time.Second)
				t.Logf("the table is back: %s; %d token request", back, w.Figures().Requests-requests)
				if !back.only(token) || w.Figures().Requests != requests+1 {
					t.Errorf("the table is back: %s, %d token requests", back, w.Figures().Requests-requests)
				}
			})
		})
	}
}

// later runs the world for a while.
func (w *World) later(d time.Duration) bool {
	w.Until(w.now().Add(d))
	return true
}
