package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// wired is a table whose DynamoDB is the handler, behind a client that repeats
// as the SDK does, but without its pauses.
func wired(t *testing.T, handler http.HandlerFunc) *dynamo.Table {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &dynamo.Table{
		Name: "tokens",
		Client: dynamodb.New(dynamodb.Options{
			Region:       "us-east-1",
			BaseEndpoint: aws.String(server.URL),
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxBackoff = time.Millisecond
			}),
			Credentials: engines.Credentials(),
		}),
	}
}

// calls are all methods, with what they send.
func calls(table *dynamo.Table) map[string]func(context.Context) error {
	g, _ := fullGrant()
	l := held(g)
	throttled := ratelimit.Throttle{Client: "c", Now: now()}
	return map[string]func(context.Context) error{
		"Grant":                     func(ctx context.Context) error { return err2(table.Grant(ctx, "acme", grant.Strong)) },
		"ReadBatch":                 func(ctx context.Context) error { return err2(table.ReadBatch(ctx, "acme", []string{"h:1"})) },
		"PutGrant":                  func(ctx context.Context) error { return table.PutGrant(ctx, l, g) },
		"DueGrants":                 func(ctx context.Context) error { return err2(table.DueGrants(ctx, grant.ShardDue, now(), nil, 1)) },
		"TakeLease":                 func(ctx context.Context) error { return err2(table.TakeLease(ctx, request("o"))) },
		"SeizeLease":                func(ctx context.Context) error { return err2(table.SeizeLease(ctx, request("o"))) },
		"AdoptLease":                func(ctx context.Context) error { return err2(table.AdoptLease(ctx, l, request("o"))) },
		"ExtendLease":               func(ctx context.Context) error { return err2(table.ExtendLease(ctx, l, 9, now())) },
		"ReleaseLease":              func(ctx context.Context) error { return table.ReleaseLease(ctx, l) },
		"CountLogin":                func(ctx context.Context) error { return err2(table.CountLogin(ctx, try())) },
		"Account":                   func(ctx context.Context) error { return err2(table.Account(ctx, "a")) },
		"a login that was not sent": func(ctx context.Context) error { return table.SettleLogin(ctx, try(), lockout.Nothing) },
		"a login that was accepted": func(ctx context.Context) error { return table.SettleLogin(ctx, try(), lockout.Accepted) },
		"MoveClaim":                 func(ctx context.Context) error { return table.MoveClaim(ctx, "a", "acme", "other") },
		"a claim that ends":         func(ctx context.Context) error { return table.MoveClaim(ctx, "a", "acme", "") },
		"Budget":                    func(ctx context.Context) error { return err2(table.Budget(ctx, "h:1")) },
		"Reserve":                   func(ctx context.Context) error { return err2(table.Reserve(ctx, "h:1", window())) },
		"Throttled":                 func(ctx context.Context) error { return err2(table.Throttled(ctx, "h:1", throttled)) },
		"Refused":                   func(ctx context.Context) error { return err2(table.Refused(ctx, "h:1", "acme", now())) },
		"Succeeded":                 func(ctx context.Context) error { return table.Succeeded(ctx, "h:1", "c") },
		"Unanswered":                func(ctx context.Context) error { return table.Unanswered(ctx, "h:1", now()) },
		"Answered":                  func(ctx context.Context) error { return table.Answered(ctx, "h:1") },
		"Probe":                     func(ctx context.Context) error { return err2(table.Probe(ctx, "h:1", now(), ratelimit.ProbeEvery)) },
		"Park":                      func(ctx context.Context) error { return table.Park(ctx, "acme", someParked()) },
		"Parked":                    func(ctx context.Context) error { return err2(table.Parked(ctx, "acme")) },
		"Unpark":                    func(ctx context.Context) error { return table.Unpark(ctx, "acme", 7) },
	}
}

func someParked() grant.RefreshToken {
	return grant.RefreshToken{Token: reltioauth.NewSecret(canary), LoggedInAt: now(), Epoch: 7, Identity: "i"}
}

// answer answers everything alike, after reading the request.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestFailuresOnTheWire(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"throttled": {
			answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"`+canary+`"}`),
			"ProvisionedThroughputExceededException",
		},
		"refused": {
			answer(400, `{"__type":"com.amazon.coral.validate#ValidationException","message":"The value `+canary+` is not valid"}`),
			"ValidationException",
		},
		"no table": {
			answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"`+canary+`"}`),
			"ResourceNotFoundException",
		},
		"an error of its own": {answer(500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"`+canary+`"}`), "InternalServerError"},
		"an unknown error":    {answer(503, `{"__type":"`+canary+` 1"}`), "an error without a known code"},
		"a page of a proxy":   {answer(502, `<html>`+canary+`</html>`), ""},
		"garbage":             {answer(200, canary+`{"Item":`), ""},
		"another shape":       {answer(200, `{"Item":{"access_token":{"S":{"`+canary+`":1}}},"Items":"`+canary+`","Responses":"`+canary+`","Attributes":["`+canary+`"],"Table":"`+canary+`","TableDescription":"`+canary+`"}`), ""},
		"cut off": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "1000")
				answer(200, `{"Item":{"access_token":{"S":"`+canary)(w, r)
			}, "",
		},
		"hung up": {func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, "no answer that can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := wired(t, test.handler)
			methods := calls(table)
			if name == "refused" {
				delete(methods, "ReadBatch") // it reads one by one then
			}
			for method, call := range methods {
				t.Run(method, func(t *testing.T) {
					t.Parallel()
					err := call(t.Context())
					wantUnavailable(t, err)
					if got := fmt.Sprint(err); test.want != "" && got != "StoreUnavailable: DynamoDB: "+test.want {
						t.Errorf("error %q, want %s", got, test.want)
					}
				})
			}
		})
	}
}

func hangUp(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// wantUnavailable wants the one type of failure, and nothing in it that was
// stored or sent, however it is printed.
func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	var e *apierr.Error
	if !errors.As(err, &e) || e.Type != apierr.StoreUnavailable {
		t.Fatalf("error %v, want %s", err, apierr.StoreUnavailable)
	}
	if printed := logtest.Printed(err); strings.Contains(printed, canary) {
		t.Errorf("the error shows what is secret: %s", printed)
	}
	var unread *smithy.DeserializationError
	if errors.As(err, &unread) {
		t.Error("the error carries the answer that could not be read")
	}
}

func TestRefusedGrantsAreNotShown(t *testing.T) {
	table := newTable(t)
	g, _ := fullGrant()
	put(t, table, g)
	g.Epoch--
	err := table.PutGrant(t.Context(), held(g), g)
	if !errors.Is(err, grant.ErrFenced) || strings.Contains(fmt.Sprintf("%#v", err), canary) || err.Error() != grant.ErrFenced.Error() {
		t.Errorf("error %v, want %v and nothing else", err, grant.ErrFenced)
	}
}

// DynamoDB shows the item that refused a write. Some engines that follow it do not: the
// adapter reads it, and sees here that its own first write has refused the second.
func TestARefusedWriteThatShowsNoItemIsReadAgain(t *testing.T) {
	var requests []string
	table := wired(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Header.Get("X-Amz-Target"))
		if len(requests) > 1 {
			answer(200, `{"Item":{"pk":{"S":"lease#acme"},"owner":{"S":"o"},"epoch":{"N":"1"},"until":{"N":"1"}}}`)(w, r)
			return
		}
		answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}`)(w, r)
	})
	if _, err := table.ExtendLease(t.Context(), lease.Lease{Connection: "acme", Owner: "o", Epoch: 1}, 1, now()); err != nil {
		t.Error(err)
	}
	if want := []string{"DynamoDB_20120810.UpdateItem", "DynamoDB_20120810.GetItem"}; !slices.Equal(requests, want) {
		t.Errorf("requests %v, want %v", requests, want)
	}
}

func TestADeadlineEndsEverything(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"half an answer": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"Item":{"access_token":{"S":"`+canary)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, call := range calls(wired(t, handler)) {
				t.Run(method, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					defer cancel()
					err := call(ctx)
					wantUnavailable(t, err)
					if name == "half an answer" && ctx.Err() == nil {
						return // the client may drop one that comes before it has quite sent its request
					}
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error("the deadline is not found in the error")
					}
					if want := "StoreUnavailable: DynamoDB: no answer in time"; err.Error() != want {
						t.Errorf("error %v, want %s", err, want)
					}
				})
			}
		})
	}
}

func TestADeadlineEndsTheRepeats(t *testing.T) {
	for name, body := range map[string]string{
		"throttled":           `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}`,
		"an error of its own": `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			ctx, cancel := context.WithCancel(t.Context())
			table := wired(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				cancel() // while it is answered
				answer(500, body)(w, r)
			})
			_, err := table.Grant(ctx, "acme", grant.Eventual)
			wantUnavailable(t, err)
			if got := requests.Load(); got != 1 {
				t.Errorf("%d requests, want none after the first", got)
			}
		})
	}
}

// With the client of the functions, which remembers what AWS said before the caller's
// time ended, the error names that code.
func TestADeadlineKeepsTheCode(t *testing.T) {
	for name, value := range map[string]string{"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	cfg, err := client.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Credentials = engines.Credentials()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var requests atomic.Int64
	table := wired(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			answer(500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`)(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	cfg.BaseEndpoint = table.Client.Options().BaseEndpoint
	table.Client = dynamodb.NewFromConfig(cfg, client.QuickReads)
	_, err = table.Grant(ctx, "acme", grant.Eventual)
	wantUnavailable(t, err)
	if want := "StoreUnavailable: DynamoDB: InternalServerError"; err.Error() != want || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %s and that the caller had left", err, want)
	}
}

func TestWhatFailsIsRepeated(t *testing.T) {
	var requests atomic.Int64
	table := wired(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) < 3 {
			answer(500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`)(w, r)
			return
		}
		answer(200, `{}`)(w, r)
	})
	if _, err := table.Grant(t.Context(), "acme", grant.Eventual); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("error %v after %d requests, want %v", err, requests.Load(), grant.ErrNotFound)
	}
}

// forward hands a request on to the table's own DynamoDB.
func forward(t *testing.T, direct *dynamo.Table, r *http.Request) *http.Response {
	t.Helper()
	endpoint := direct.Client.Options().BaseEndpoint
	onward, err := http.NewRequestWithContext(r.Context(), r.Method, *endpoint, r.Body)
	if err != nil {
		t.Error(err)
		return nil
	}
	onward.Header, onward.Host, onward.ContentLength = r.Header.Clone(), r.Host, r.ContentLength
	response, err := http.DefaultClient.Do(onward)
	if err != nil {
		t.Error(err)
		return nil
	}
	return response
}

// between is a table to which two ways lead: on the first, a hook may see each
// request before and after DynamoDB does; the second is direct.
func between(t *testing.T, before func(*http.Request), after func() (lost bool)) (table, direct *dynamo.Table) {
	t.Helper()
	direct = newTable(t)
	if direct.Client.Options().BaseEndpoint == nil {
		t.Skip("this DynamoDB is not on this machine")
	}
	table = wired(t, func(w http.ResponseWriter, r *http.Request) {
		before(r)
		response := forward(t, direct, r)
		if response == nil {
			return
		}
		defer func() { _ = response.Body.Close() }()
		if after() {
			hangUp(w)
			return
		}
		for name := range response.Header {
			w.Header().Set(name, response.Header.Get(name))
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	})
	table.Name = direct.Name
	return table, direct
}

// forgetful is a table on the way to which the next answer is lost when told
// so: after DynamoDB has done what it answers.
func forgetful(t *testing.T) (table, direct *dynamo.Table, lose func()) {
	t.Helper()
	var losing atomic.Bool
	table, direct = between(t, func(*http.Request) {}, func() bool { return losing.Swap(false) })
	return table, direct, func() { losing.Store(true) }
}

// interrupted is a table before which another writer does something just
// before the nth write arrives.
func interrupted(t *testing.T, nth int64, meanwhile func(direct *dynamo.Table) error) (table, direct *dynamo.Table) {
	t.Helper()
	var writes atomic.Int64
	table, direct = between(t, func(r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateItem") && writes.Add(1) == nth {
			if err := meanwhile(direct); err != nil {
				t.Error(err)
			}
		}
	}, func() bool { return false })
	return table, direct
}

func TestOthersThatComeBetween(t *testing.T) {
	at := func(i int) time.Time { return now().Add(time.Duration(i) * time.Minute) }
	throttled := func(client string, i int) ratelimit.Throttle { return ratelimit.Throttle{Client: client, Now: at(i)} }

	t.Run("a success before a second 429 is written", func(t *testing.T) {
		table, direct := interrupted(t, 1, func(direct *dynamo.Table) error { return direct.Succeeded(t.Context(), "h:1", "c") })
		if _, err := direct.Throttled(t.Context(), "h:1", throttled("a", 0)); err != nil {
			t.Fatal(err)
		}
		r, err := table.Throttled(t.Context(), "h:1", throttled("b", 1))
		if err != nil || r.Pause != time.Second || !slices.Equal(r.Throttled, []string{"b"}) || !r.OthersServed("b") {
			t.Errorf("%v, pause %v, %v; want b alone throttled, c served, and a pause that has not grown", r, r.Pause, err)
		}
	})
	t.Run("another's 429 before the first is written", func(t *testing.T) {
		table, _ := interrupted(t, 1, func(direct *dynamo.Table) error {
			return err2(direct.Throttled(t.Context(), "h:1", throttled("a", 0)))
		})
		r, err := table.Throttled(t.Context(), "h:1", throttled("b", 0))
		if err != nil || r.Pause != time.Second || len(r.Throttled) != 2 {
			t.Errorf("%v, pause %v, %v; want both, and one pause", r, r.Pause, err)
		}
	})
}

// A caller that has seen the host idle gets its slot in one write.
func TestAnIdleHostsSlotIsOneWrite(t *testing.T) {
	table, _ := interrupted(t, 2, func(*dynamo.Table) error {
		t.Error("a second request")
		return nil
	})
	w := window()
	w.Idle = true
	got, err := table.Reserve(t.Context(), "h:1", w)
	if err != nil || !got.Equal(now()) {
		t.Errorf("Reserve = %v, %v; want %v", got, err, now())
	}
}

func TestOthersThatComeBeforeASlotIsTaken(t *testing.T) {
	throttled := ratelimit.Throttle{Client: "a", Now: now()}
	t.Run("a pause before an idle host's slot is taken", func(t *testing.T) {
		table, direct := interrupted(t, 2, func(direct *dynamo.Table) error {
			return err2(direct.Throttled(t.Context(), "h:1", throttled))
		})
		_, err := table.Reserve(t.Context(), "h:1", window())
		var busy *ratelimit.LimitError
		if !errors.As(err, &busy) || !busy.Paused {
			t.Errorf("error %v, want a pause", err)
		}
		if r, err := direct.Budget(t.Context(), "h:1"); err != nil || !r.Next.IsZero() {
			t.Errorf("%v, %v; want no slot taken", r, err)
		}
	})
	t.Run("another before an idle host's slot is taken", func(t *testing.T) {
		table, _ := interrupted(t, 2, func(direct *dynamo.Table) error {
			return err2(direct.Reserve(t.Context(), "h:1", window()))
		})
		got, err := table.Reserve(t.Context(), "h:1", window())
		if want := now().Add(window().Interval); err != nil || !got.Equal(want) {
			t.Errorf("Reserve = %v, %v; want the slot after the other's, %v", got, err, want)
		}
	})
	t.Run("a pause before a busy host's slot is taken", func(t *testing.T) {
		table, direct := interrupted(t, 1, func(direct *dynamo.Table) error {
			return err2(direct.Throttled(t.Context(), "h:1", throttled))
		})
		if _, err := direct.Reserve(t.Context(), "h:1", window()); err != nil {
			t.Fatal(err)
		}
		_, err := table.Reserve(t.Context(), "h:1", window())
		var busy *ratelimit.LimitError
		if !errors.As(err, &busy) || !busy.Paused {
			t.Errorf("error %v, want a pause", err)
		}
	})
}

func TestOnlyStrongReadsAreStrong(t *testing.T) {
	var last struct{ ConsistentRead bool }
	table := wired(t, func(w http.ResponseWriter, r *http.Request) {
		last.ConsistentRead = false
		if err := json.NewDecoder(r.Body).Decode(&last); err != nil {
			t.Error(err)
		}
		answer(200, `{}`)(w, r)
	})
	for name, test := range map[string]struct {
		call func() error
		want bool
	}{
		"an eventual grant": {func() error { return err2(table.Grant(t.Context(), "acme", grant.Eventual)) }, false},
		"a strong grant":    {func() error { return err2(table.Grant(t.Context(), "acme", grant.Strong)) }, true},
		"a budget":          {func() error { return err2(table.Budget(t.Context(), "h:1")) }, true},
		"an account":        {func() error { return err2(table.Account(t.Context(), "a")) }, true},
		"one to settle":     {func() error { return table.SettleLogin(t.Context(), try(), lockout.Nothing) }, true},
	} {
		if err := test.call(); err != nil && !errors.Is(err, grant.ErrNotFound) {
			t.Error(err)
		}
		if last.ConsistentRead != test.want {
			t.Errorf("%s is read with ConsistentRead %v, want %v", name, last.ConsistentRead, test.want)
		}
	}
}

func TestLostAnswersOfLeases(t *testing.T) {
	for name, test := range map[string]struct {
		call  func(context.Context, *dynamo.Table, lease.Lease) (lease.Lease, error)
		epoch int64
	}{
		"TakeLease": {func(ctx context.Context, table *dynamo.Table, l lease.Lease) (lease.Lease, error) {
			r := request("o2")
			r.Now = l.Until
			r.Until = r.Now.Add(lease.Term)
			return table.TakeLease(ctx, r)
		}, 8},
		"SeizeLease": {func(ctx context.Context, table *dynamo.Table, _ lease.Lease) (lease.Lease, error) {
			return table.SeizeLease(ctx, request("o2"))
		}, 8},
		"AdoptLease": {func(ctx context.Context, table *dynamo.Table, l lease.Lease) (lease.Lease, error) {
			return table.AdoptLease(ctx, l, request("o2"))
		}, 8},
		"ExtendLease": {func(ctx context.Context, table *dynamo.Table, l lease.Lease) (lease.Lease, error) {
			return table.ExtendLease(ctx, l, 20, now())
		}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			table, direct, lose := forgetful(t)
			l, err := direct.TakeLease(t.Context(), request("o1"))
			if err != nil {
				t.Fatal(err)
			}
			lose()
			got, err := test.call(t.Context(), table, l)
			if err != nil || got.Epoch != test.epoch {
				t.Errorf("epoch %d, %v; want %d", got.Epoch, err, test.epoch)
			}
			if stored := item(t, direct, "lease#acme"); stored["epoch"] != fmt.Sprintf("N:%d", test.epoch) || stored["owner"] != "S:"+got.Owner {
				t.Errorf("stored %v, want %v", stored, got)
			}
		})
	}
}

func TestLostAnswersOfGrants(t *testing.T) {
	table, direct, lose := forgetful(t)
	g, want := fullGrant()
	lose()
	put(t, table, g)
	wantItem(t, direct, "grant#acme", want)
}

func TestLostAnswersOfRateLimits(t *testing.T) {
	table, _, lose := forgetful(t)
	lose()
	first, err := table.Reserve(t.Context(), "h:1", window())
	if err != nil {
		t.Fatal(err)
	}
	lose()
	second, err := table.Reserve(t.Context(), "h:1", window())
	if err != nil || second.Sub(first) < window().Interval {
		t.Errorf("slots %v and %v, %v; want them an interval apart", first, second, err)
	}
	lose()
	if may, err := table.Probe(t.Context(), "h:1", now(), ratelimit.ProbeEvery); may || err != nil {
		t.Errorf("Probe = %v, %v; want no probe rather than two", may, err)
	}
}
