package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// readBatch reads acme's batch and says which of its parts are there.
func readBatch(t *testing.T, response string) (grant.Batch, []string) {
	t.Helper()
	table := wired(t, answer(200, response))
	b, err := table.ReadBatch(t.Context(), "acme", []string{"a:1", "b:1"})
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	if b.Grant != nil {
		parts = append(parts, "grant")
	}
	if b.Parked != nil {
		parts = append(parts, "parked")
	}
	for _, host := range []string{"a:1", "b:1"} {
		if _, ok := b.Hosts[host]; ok {
			parts = append(parts, host)
		}
	}
	return b, parts
}

// What DynamoDB has not processed is missing; what it has processed and did not find
// is read as nothing.
func TestWhatABatchLeavesUnread(t *testing.T) {
	key := func(pk string) string { return `{"pk":{"S":"` + pk + `"}}` }
	for name, test := range map[string]struct {
		unprocessed []string
		found       []string
		want        []string
	}{
		"nothing found":       {nil, nil, []string{"grant", "parked", "a:1", "b:1"}},
		"all found":           {nil, []string{"grant#acme", "parked#acme", "budget#a:1", "budget#b:1"}, []string{"grant", "parked", "a:1", "b:1"}},
		"without the grant":   {[]string{"grant#acme"}, nil, []string{"parked", "a:1", "b:1"}},
		"without the parked":  {[]string{"parked#acme"}, []string{"grant#acme"}, []string{"grant", "a:1", "b:1"}},
		"without a host":      {[]string{"budget#b:1"}, nil, []string{"grant", "parked", "a:1"}},
		"nothing processed":   {[]string{"grant#acme", "parked#acme", "budget#a:1", "budget#b:1"}, nil, nil},
		"a key not asked for": {[]string{"grant#other"}, []string{"grant#other"}, []string{"grant", "parked", "a:1", "b:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var unprocessed, found []string
			for _, pk := range test.unprocessed {
				unprocessed = append(unprocessed, key(pk))
			}
			for _, pk := range test.found {
				found = append(found, key(pk))
			}
			b, parts := readBatch(t, `{"Responses":{"tokens":[`+strings.Join(found, ",")+`]},
				"UnprocessedKeys":{"tokens":{"Keys":[`+strings.Join(unprocessed, ",")+`]}}}`)
			if diff := cmp.Diff(test.want, parts); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			if len(test.found) == 0 && b.Grant != nil && !errors.Is(b.Grant.Err, grant.ErrNotFound) {
				t.Errorf("grant: error %v, want %v", b.Grant.Err, grant.ErrNotFound)
			}
		})
	}
}

// A wrong attribute concerns the item that has it and no other one: the grant's and
// the parked token's are named, and a host's record is left to a read of its own, which mends it.
func TestAWrongAttributeInABatch(t *testing.T) {
	for name, test := range map[string]struct {
		item, grant, parked string
		want                []string
	}{
		"grant":  {`{"pk":{"S":"grant#acme"},"expires_at":{"S":"` + canary + `"}}`, "expires_at", "", []string{"grant", "parked", "a:1", "b:1"}},
		"parked": {`{"pk":{"S":"parked#acme"},"epoch":{"S":"` + canary + `"}}`, "", "epoch", []string{"grant", "parked", "a:1", "b:1"}},
		"host":   {`{"pk":{"S":"budget#a:1"},"tat":{"S":"` + canary + `"}}`, "", "", []string{"grant", "parked", "b:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, parts := readBatch(t, `{"Responses":{"tokens":[`+test.item+`]}}`)
			if diff := cmp.Diff(test.want, parts); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			for _, part := range []struct {
				err   error
				names string
			}{{b.Grant.Err, test.grant}, {b.Parked.Err, test.parked}} {
				if part.names == "" {
					if !errors.Is(part.err, grant.ErrNotFound) {
						t.Errorf("error %v, want %v", part.err, grant.ErrNotFound)
					}
					continue
				}
				wantUnavailable(t, part.err)
				if !strings.Contains(part.err.Error(), part.names) {
					t.Errorf("error %v, want one that names %s", part.err, part.names)
				}
			}
		})
	}
}

// A role of an older stack may read items one by one only, and some engines that follow
// DynamoDB know no batches. A batch that is put off is an error, as a read is.
func TestABatchThatIsRefusedIsEmpty(t *testing.T) {
	for code, refused := range map[string]bool{
		"AccessDeniedException":                  true,
		"UnknownOperationException":              true,
		"ValidationException":                    true,
		"ResourceNotFoundException":              false,
		"InvalidEndpointException":               false,
		"ThrottlingException":                    false,
		"ProvisionedThroughputExceededException": false,
		"RequestLimitExceeded":                   false,
	} {
		t.Run(code, func(t *testing.T) {
			table := wired(t, answer(400, `{"__type":"com.amazon.coral.service#`+code+`","Message":"`+canary+`"}`))
			b, err := table.ReadBatch(t.Context(), "acme", []string{"a:1"})
			if b.Grant != nil || b.Parked != nil || len(b.Hosts) > 0 || (err == nil) != refused {
				t.Errorf("got %+v, %v, want an empty batch, and an error unless it is refused", b, err)
			}
		})
	}
}

// A batch is one request, with strongly consistent reads, and names no key twice, which
// DynamoDB would refuse.
func TestABatchOnTheWire(t *testing.T) {
	var requests []string
	table := wired(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			RequestItems map[string]struct {
				ConsistentRead bool
				Keys           []map[string]map[string]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !in.RequestItems["tokens"].ConsistentRead {
			t.Errorf("request %+v, %v, want strongly consistent reads", in, err)
		}
		var keys []string
		for _, key := range in.RequestItems["tokens"].Keys {
			keys = append(keys, key["pk"]["S"])
		}
		requests = append(requests, r.Header.Get("X-Amz-Target")+" "+strings.Join(keys, " "))
		answer(200, `{}`)(w, r)
	})
	if _, err := table.ReadBatch(context.Background(), "acme", []string{"b:1", "a:1", "B:1"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"DynamoDB_20120810.BatchGetItem budget#a:1 budget#b:1 grant#acme parked#acme"}
	if diff := cmp.Diff(want, requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
