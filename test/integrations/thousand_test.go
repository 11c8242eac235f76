package integrations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	tenantclient "github.com/reltio-tokens/reltio-tokens/docs/integrations/go"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/test/clients"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// goVariable makes the test binary a function in Go.
const goVariable = "RECIPETEST_GO"

// integrationInGo is app.py in Go, with the client of docs/integrations/go.
func integrationInGo() {
	client, err := tenantclient.New(context.Background(), os.Getenv("RELTIO_API"))
	if err != nil {
		panic(err)
	}
	lambda.Start(func(ctx context.Context, event struct{ Entities []string }) ([]json.RawMessage, error) {
		answers := make([]json.RawMessage, len(event.Entities))
		errs := make([]error, len(event.Entities))
		places := make(chan struct{}, 10)
		var all sync.WaitGroup
		for i, name := range event.Entities {
			places <- struct{}{}
			all.Go(func() {
				answers[i], errs[i] = client.Entity(ctx, name)
				<-places
			})
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
		return answers, nil
	})
}

func inGo(t testing.TB) lambdahost.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return lambdahost.Function{Command: []string{self}, Env: map[string]string{goVariable: "1"}}
}

// integrations are all that the pages show, by their connection. That of the
// page for Go names its own.
var integrations = map[string]language{
	"acme-prod":        inGo,
	"python-lambda":    python("lambda"),
	"python-extension": withExtension(python("extension")),
	"node-lambda":      node("lambda"),
	"node-extension":   withExtension(node("extension")),
	"java":             java,
}

// titles are the integrations' names on the page of figures.
var titles = map[string]string{
	"acme-prod":        "Go",
	"python-lambda":    "Python",
	"python-extension": "Python, extension",
	"node-lambda":      "Node.js",
	"node-extension":   "Node.js, extension",
	"java":             "Java",
}

// java is a function with the package for Java.
func java(t testing.TB) lambdahost.Function {
	t.Helper()
	dir := engines.Tool(t, "packages", "PACKAGE_JAVA")
	path := strings.Join([]string{dir + "/classes", dir + "/dist/*", dir + "/lib/*"}, string(os.PathListSeparator))
	return lambdahost.Function{Command: []string{"java", "-cp", path, "com.reltiotokens.Function"}}
}

// noJava is why there is no package for Java: scripts/packages needs both.
func noJava() error {
	_, noCompiler := exec.LookPath("javac")
	_, noMaven := exec.LookPath("mvn")
	return errors.Join(noCompiler, noMaven)
}

// life is that of the tokens.
const life = 12 * time.Second

// caller is an integration that was deployed.
type caller struct {
	host   *lambdahost.Host
	name   string
	port   string // of its extension
	tenant *tenant
	asked  *atomic.Int32
	log    logtest.Buffer
}

// A thousand calls while the token is replaced, is revoked twice and expires: none
// fails, and issue is asked a handful of times.
func TestAThousandCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test needs engines and clients, and waits until tokens have ended")
	}
	s := start(t, life, slices.Collect(maps.Keys(integrations))...)
	began := time.Now()
	var callers []*caller
	for name, language := range integrations {
		if err := noJava(); err != nil && name == "java" {
			t.Logf("java is left out: %v", err)
			continue
		}
		c := &caller{host: s.Host, name: name, tenant: startTenant(t, s, 300, 600)}
		var lambdaAPI string
		lambdaAPI, c.asked = counted(t, s.LambdaURL)
		f := language(t)
		c.port = f.Env["RELTIO_TOKENS_PORT"]
		deploy(t, s.Host, f, name, lambdaAPI, c.tenant.url, &c.log)
		callers = append(callers, c)
	}
	each := func(phase string, what func(*testing.T, *caller)) {
		t.Run(phase, func(t *testing.T) {
			for _, c := range callers {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					what(t, c)
				})
			}
		})
	}
	each("replaced, and dead", func(t *testing.T, c *caller) {
		c.call(t, 250)
		replace(t, s, c.name)
		c.call(t, 250) // the old token is revoked after 50 of them; there is a newer one
		c.call(t, 250) // the newest token is revoked after 100 of them
	})
	for _, c := range callers {
		waitForTheEnd(t, s, c.tenant.current())
	}
	each("ended", func(t *testing.T, c *caller) { c.call(t, 250) })

	most := 4 + 2*int(time.Since(began)/life)
	table := "| Integration | calls | failed | sent again after a 401 | invocations of `issue` |\n|---|---|---|---|---|\n"
	slices.SortFunc(callers, func(a, b *caller) int { return strings.Compare(a.name, b.name) })
	for _, c := range callers {
		answered, refused := c.tenant.seen()
		if answered != 1000 || refused < 2 || refused > 20 {
			t.Errorf("%s: the tenant answered %d calls and refused %d, want 1000 and as many as were under way twice", c.name, answered, refused)
		}
		if got := int(c.asked.Load()); got > most {
			t.Errorf("%s: issue was invoked %d times, want %d at most", c.name, got, most)
		}
		if c.port != "" {
			c.strangers(t)
		}
		c.host.Recycle(c.name)
		if strings.Contains(c.log.String(), c.tenant.current().Reveal()) {
			t.Errorf("%s: a token is in the log", c.name)
		}
		t.Logf("%s: issue was invoked %d times", c.name, c.asked.Load())
		table += fmt.Sprintf("| %s | %d | %d | %d | %d |\n", titles[c.name], answered, 1000-answered, refused, c.asked.Load())
	}
	if !t.Failed() && len(callers) == len(integrations) {
		clients.WriteSection(t, root, "calls", table)
	}
	t.Logf("%d times 1000 calls in %.1f s", len(callers), time.Since(began).Seconds())
}

// call calls the tenant so many times, in one invocation.
func (c *caller) call(t testing.TB, times int) {
	t.Helper()
	event := struct {
		Entities []string `json:"entities"`
	}{make([]string, times)}
	for i := range event.Entities {
		event.Entities[i] = fmt.Sprint(i)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.host.Invoke(t.Context(), lambdahost.Invocation{Function: c.name, Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct{ URI string }
	if err := json.Unmarshal(result.Payload, &answers); err != nil || result.FunctionError != "" {
		t.Fatalf("%s %s\n%s", result.FunctionError, result.Payload, c.log.String())
	}
	for i, answer := range answers {
		if want := fmt.Sprintf("entities/%d", i); answer.URI != want {
			t.Errorf("answer %q, want %q", answer.URI, want)
		}
	}
	if len(answers) != times {
		t.Errorf("%d answers, want %d", len(answers), times)
	}
}

// replace brings a new token while the old one is valid.
func replace(t testing.TB, s *stack.Stack, name string) {
	t.Helper()
	result, err := s.Host.Invoke(t.Context(), lambdahost.Invocation{
		Function: "rotate:live", Payload: []byte(`{"connection":"` + name + `","force":true}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(result.Payload, []byte(`"outcome":"renewed"`)) {
		t.Fatalf("rotate: %s", result.Payload)
	}
}

// waitForTheEnd returns when a token has ended, by the clock of the processes,
// which no test can move.
func waitForTheEnd(t testing.TB, s *stack.Stack, token reltioauth.Secret) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for s.Sandbox.Valid(token) {
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// strangers ask a function's extension, and are refused.
func (c *caller) strangers(t testing.TB) {
	t.Helper()
	e := c.host.Environments(c.name)[0]
	e.Thaw()
	defer e.Freeze()
	for _, session := range []string{"", "another function's"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+c.port+"/token?connection="+c.name, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if session != "" {
			request.Header.Set("X-Reltio-Tokens-Session", session)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusForbidden || bytes.Contains(body, []byte("access_token")) {
			t.Errorf("session %q: status %d, want 403", session, response.StatusCode)
		}
	}
}
