package faultinject

import (
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

func TestWhichOutagesAreTried(t *testing.T) {
	write := Operation{Service: stack.DynamoDB, Name: "UpdateItem grant#", Nth: 1}
	read := Operation{Service: stack.SecretsManager, Name: "GetSecretValue grants/", Nth: 1}
	c := Course{
		Walk: &Walk{Flow: &Flow{Name: "a walk", Function: rotate}}, Operations: []Operation{write, read},
		services: []stack.Service{stack.DynamoDB}, frozen: []stack.Service{stack.Lambda},
	}
	titles := map[string]int{}
	for _, o := range c.Outages() {
		titles[o.Title()]++
	}
	for title, want := range map[string]int{
		"a walk | UpdateItem grant# | 400 ConditionalCheckFailedException | once":                             1,
		"a walk | UpdateItem grant# | 400 ConditionalCheckFailedException | once, after the effect":           1,
		"a walk | UpdateItem grant# | 400 ConditionalCheckFailedException | for a minute":                     0,
		"a walk | UpdateItem grant# | 400 ThrottlingException | for 3 s":                                      1,
		"a walk | UpdateItem grant# | 400 ThrottlingException | for 3 s, after the effect":                    0,
		"a walk | UpdateItem grant# | 400 ProvisionedThroughputExceededException | for 3 s, after the effect": 1,
		"a walk | UpdateItem grant# | 400 ProvisionedThroughputExceededException | for good":                  1,
		"a walk | UpdateItem grant# | no answer | for a minute":                                               1,
		"a walk | UpdateItem grant# | no answer | once, after the effect":                                     1,
		"a walk | GetSecretValue grants/ | 400 DecryptionFailure | once":                                      1,
		"a walk | GetSecretValue grants/ | 400 DecryptionFailure | once, after the effect":                    0,
		"a walk | GetSecretValue grants/ | 400 ResourceNotFoundException | once":                              1,
		"a walk | any | kept connections reset | for 3 s":                                                     1,
		"a walk | any | kept connections silent | for 3 s":                                                    1,
		"a walk | Lambda | kept connections reset at their next use | frozen for 10 s":                        1,
		"a walk | Lambda | kept connections silent | frozen for 2 min":                                        1,
	} {
		if titles[title] != want {
			t.Errorf("%d outages %q, want %d", titles[title], title, want)
		}
	}
	for title, n := range titles {
		if n > 1 {
			t.Errorf("%q is tried %d times", title, n)
		}
	}
	c.Walk.Function = callback
	for _, o := range c.Outages() {
		if o.Length == ForGood {
			t.Errorf("a callback: %s", o.Title())
		}
	}
}

func TestOutagesThatShareAStack(t *testing.T) {
	one, other := &Walk{Flow: &Flow{Name: "one"}}, &Walk{Flow: &Flow{Name: "other"}}
	var outages []Outage
	for range 11 {
		outages = append(outages, Outage{Walk: one, Length: Once}, Outage{Walk: other, Length: Seconds})
	}
	outages = append(outages, Outage{Walk: one, Length: Minute}, Outage{Walk: one, Length: Once, Fault: Fault{Kind: Silent}})
	all := jobs(outages)
	met := map[int]bool{}
	for _, job := range all {
		for _, k := range job {
			if met[k] || outages[k].Walk != outages[job[0]].Walk {
				t.Errorf("job %v: outage %d is there twice, or of another walk", job, k)
			}
			met[k] = true
		}
	}
	if len(met) != len(outages) || len(all) != 6 || len(all[0]) != 1 || len(all[1]) != 1 {
		t.Errorf("%d outages in the jobs %v", len(met), all)
	}
}

func TestHowLongATroubleLasts(t *testing.T) {
	start := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		trouble *trouble
		want    string // of a request each second: x meets it
	}{
		"once":      {&trouble{once: true}, "x----"},
		"for 2 s":   {&trouble{lasts: 2 * time.Second}, "xxx--"},
		"until end": {&trouble{}, "xxxxx"},
		"kept":      {&trouble{Fault: Fault{Kind: KeptSilent}, set: start}, "-----"},
	} {
		test.trouble.function, test.trouble.service, test.trouble.name = rotate, stack.DynamoDB, "Query"
		got := ""
		for i := range 5 {
			now := start.Add(time.Duration(i) * time.Second)
			for _, other := range []string{"GetItem grant#", "Query"} {
				switch meets := test.trouble.meets(rotate, stack.DynamoDB, other, now, now); {
				case other != "Query" && meets, other == "Query" && test.trouble.meets(issue, stack.DynamoDB, other, now, now):
					t.Errorf("%s: another's request meets it", name)
				case other == "Query" && meets:
					got += "x"
				case other == "Query":
					got += "-"
				}
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// What a broken connection costs is how much later the request comes again, once.
func TestWhatABrokenConnectionCosts(t *testing.T) {
	start := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	var broken trouble
	broken.repeated("a", at(0))
	broken.meet("a", at(1))
	broken.repeated("b", at(2))
	broken.repeated("a", at(3))
	broken.repeated("a", at(9))
	broken.meet("c", at(10))
	broken.repeated("c", at(11))
	broken.meet("never again", at(12))
	if got, want := broken.costs(), 3*time.Second; got != want {
		t.Errorf("it cost %v, want %v", got, want)
	}
}

// A connection that is kept meets what a new one does not.
func TestKeptConnections(t *testing.T) {
	upstream := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, "fine")
	}), ReadHeaderTimeout: time.Second}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = upstream.Serve(l) }()
	t.Cleanup(func() { _ = upstream.Close() })
	w := newWire(time.Now)
	t.Cleanup(w.close)
	url := w.via(issue, stack.DynamoDB, "http://"+l.Addr().String())
	for _, kind := range []Kind{KeptReset, KeptForgotten, KeptSilent} {
		client := &http.Client{Transport: &http.Transport{}, Timeout: 300 * time.Millisecond}
		post := func() error {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.NopCloser(strings.NewReader("{}")))
			if err != nil {
				return err
			}
			r.Header.Set("X-Amz-Target", "DynamoDB_20120810.Query")
			response, err := client.Do(r)
			if err != nil {
				return err
			}
			defer func() { _ = response.Body.Close() }()
			_, err = io.Copy(io.Discard, response.Body)
			return err
		}
		if err := post(); err != nil {
			t.Fatal(err)
		}
		trouble := &trouble{function: issue, service: stack.DynamoDB, Fault: Fault{Kind: kind}}
		w.trouble(trouble)
		kept := post() // Go opens another if it notices the RST in time
		if err := post(); err != nil {
			t.Errorf("%s: a new connection: %v", kind, err)
		}
		if kind != KeptReset && kept == nil || !trouble.struck() {
			t.Errorf("%s: a kept connection: %v", kind, kept)
		}
		w.trouble()
	}
}

func TestWhatOutagesHaveInCommonIsOneRow(t *testing.T) {
	walk := &Walk{Flow: &Flow{Name: "a walk", Function: rotate}}
	c := Course{Walk: walk, Operations: []Operation{{Service: stack.DynamoDB, Name: "Query", Nth: 1}}, Seen: "-"}
	var results []OutageResult
	for _, o := range c.Outages() {
		r := OutageResult{Outage: o, Seen: "-", Next: "renewed"}
		switch {
		case o.Code == "ThrottlingException":
			r.Next = "contended; renewed"
		case o.Code == "OptInRequired" && o.Length == Once:
			r.Problems = []string{"I5: a person is asked for"}
		case o.Kind == Silent:
			r.Missed = true
		}
		results = append(results, r)
	}
	var got strings.Builder
	if err := errors.Join(SummarizeOutages(&got, []Course{c}, results), WriteOutages(&got, []Course{c}, results)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"after 1 all was not well. 3 more did not meet",
		"| Query | 400 ThrottlingException | once; for 3 s | - | contended; renewed | kept |\n",
		"| Query | 403 OptInRequired | once | - | renewed | I5: a person is asked for |\n",
		"| a walk | ",
		"\n- a walk | Query | 403 OptInRequired | once | - | renewed | I5: a person is asked for\n",
		"| dynamodb:Query | 400 ProvisionedThroughputExceededException, ",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no %q in\n%s", want, got.String())
		}
	}
	if !regexp.MustCompile(`\| Query \| all others \(\d+\) \| once \| - \| renewed \| kept \|`).MatchString(got.String()) {
		t.Errorf("no row of all others in\n%s", got.String())
	}
}

// A code of each class, at what matters most. `make faults` has the others.
func TestNobodyIsNeededWhateverIsAnswered(t *testing.T) {
	b := started(t)
	courses, err := b.Courses(t.Context(), Walks()[:1])
	if err != nil {
		t.Fatal(err)
	}
	var outages []Outage
	few := regexp.MustCompile(`\| (GetSecretValue connections/|PutSecretValue grants/|UpdateItem grant#|any) \| ` +
		`(400 AccessDeniedException|400 ResourceNotFoundException|kept connections reset|connection reset) \| (once|for 3 s)`)
	for _, o := range courses[0].Outages() {
		if few.MatchString(o.Title()) {
			outages = append(outages, o)
		}
	}
	results, err := b.RunOutages(t.Context(), outages, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if len(r.Problems) > 0 || r.Missed {
			t.Errorf("%s (missed: %t)\n%s", r.Line(), r.Missed, r.Log)
		}
	}
	t.Logf("%d outages", len(results))
}
