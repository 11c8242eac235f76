package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// named is the connection of the programs below: they know nothing else.
const named = "acme-prod"

// A connection's name gives a program the token and the address to use it at. The
// programs use the packages as they are installed, in an empty folder, and what
// `make run` starts.
func TestANameIsEnough(t *testing.T) {
	for name, command := range map[string]func(testing.TB) []string{
		"go": func(t testing.TB) []string { return []string{goProgram(t)} },
		"python": func(t testing.TB) []string {
			return []string{engines.Tool(t, "packages", "PACKAGE_PYTHON"), absolute(t, "test/clients/testdata/entity.py")}
		},
		"python, extension": func(t testing.TB) []string {
			return []string{engines.Tool(t, "packages", "PACKAGE_PYTHON"), absolute(t, "test/clients/testdata/entity.py")}
		},
		"node": func(t testing.TB) []string {
			return []string{"node", inEmptyFolder(t, "entity.mjs", engines.Tool(t, "packages", "PACKAGE_NODE"))}
		},
		"node, extension": func(t testing.TB) []string {
			return []string{"node", inEmptyFolder(t, "entity.mjs", engines.Tool(t, "packages", "PACKAGE_NODE"))}
		},
		"java": func(t testing.TB) []string { return byMaven(t, "Entity.java") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := command(t)
			s := localtest.Start(t, local.Config{})
			env := append(environment(t, s.LambdaURL), trusting(t, startTenant(t, s))...)
			if strings.HasSuffix(name, "extension") {
				env = append(env, "RELTIO_TOKENS_VIA=extension", "RELTIO_TOKENS_PORT="+startExtension(t, s))
			}
			printed := run(t, env, nil, append(line, named)...)
			if !bytes.Contains(printed, []byte("entities/1")) {
				t.Errorf("it printed %s", printed)
			}
		})
	}
}

// goProgram builds the program in Go.
func goProgram(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "entity")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./testdata/entity").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return binary
}

// startTenant starts a tenant's API that knows the token of the connection, which
// it adds to the stack as an operator does, with its address.
func startTenant(t testing.TB, s *local.Stack) *httptest.Server {
	t.Helper()
	var token string
	tenant := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || token == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"uri":%q}`, strings.TrimPrefix(r.URL.Path, "/reltio/api/T/"))
	}))
	t.Cleanup(tenant.Close)
	fields := local.Secrets()["demo-client-credentials"]
	fields["auth_url"], fields["api_url"] = s.ReltioURL, tenant.URL+"/reltio/api/T"
	secret, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	call := operator.Call{Verb: operator.VerbAdd, Connection: named, Secret: operator.ClearText{Secret: reltioauth.NewSecret(string(secret))}}
	post(t, s.LambdaURL+"/local/operate", call)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(post(t, s.LambdaURL+"/2015-03-31/functions/issue/invocations", map[string]string{"connection": named}), &answer); err != nil {
		t.Fatal(err)
	}
	token = answer.AccessToken
	return tenant
}

// post sends JSON to the stack.
func post(t testing.TB, address string, body any) []byte {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", address, response.StatusCode, err)
	}
	return answer
}

// trusting is the environment in which each language trusts a server.
func trusting(t testing.TB, server *httptest.Server) []string {
	t.Helper()
	dir := t.TempDir()
	file, store := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.p12")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"SSL_CERT_FILE=" + file, "NODE_EXTRA_CA_CERTS=" + file}
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		return env // there is no Java then
	}
	line := []string{"-importcert", "-noprompt", "-alias", "server", "-file", file, "-keystore", store, "-storetype", "PKCS12", "-storepass", "changeit"}
	if output, err := exec.CommandContext(t.Context(), keytool, line...).CombinedOutput(); err != nil {
		t.Fatalf("keytool: %v\n%s", err, output)
	}
	return append(env, "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore="+store+" -Djavax.net.ssl.trustStorePassword=changeit")
}

// startExtension starts the extension's binary as Lambda does, and returns its
// port.
func startExtension(t testing.TB, s *local.Stack) string {
	t.Helper()
	api := stack.StartExtensionsAPI(t)
	binary, err := stack.CompileExtension(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(stack.FreePort(t))
	env := append(environment(t, s.LambdaURL), "AWS_LAMBDA_RUNTIME_API="+api.Address, "RELTIO_TOKENS_FUNCTION=issue", "RELTIO_TOKENS_PORT="+port)
	ctx, cancel := context.WithCancel(t.Context())
	done, err := stack.StartExtension(ctx, binary, env, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-done //nolint:errcheck // it was killed
	})
	<-api.Ready
	return port
}
