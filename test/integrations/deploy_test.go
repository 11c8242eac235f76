package integrations

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// What a caller's template has, whatever its tool.
func TestThePageOfTemplatesShowsThem(t *testing.T) {
	text := page(t, "deploy.md")
	for file, language := range map[string]string{"sam.yaml": "yaml", "caller.mjs": "js", "main.tf": "hcl"} {
		if !strings.Contains(text, "\n```"+language+"\n"+page(t, "deploy/"+file)+"```\n") {
			t.Errorf("deploy.md does not show %s as it is", file)
		}
		for _, name := range []string{"RELTIO_TOKENS_FUNCTION", "RELTIO_CONNECTION", "IssueAliasArn", "CallerPolicyArn"} {
			if !strings.Contains(page(t, "deploy/"+file), name) {
				t.Errorf("%s has no %s", file, name)
			}
		}
	}
}

// verifyTool is a program of scripts/verify, or that of this machine.
func verifyTool(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".cache", "verify", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(path); err == nil {
		return path
	}
	if path, err = exec.LookPath(name); err != nil {
		t.Skipf("%s is missing, so the template is not checked with it: scripts/verify %s", name, name)
	}
	return path
}

func TestTheSAMTemplateIsValid(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test needs sam and cfn-lint, which are slow; make test runs it")
	}
	dir := recipe(t, "deploy/sam.yaml")
	file := filepath.Join(dir, "sam.yaml")
	env := []string{"SAM_CLI_TELEMETRY=0", "__SAM_CLI_APP_DIR=" + dir, "AWS_DEFAULT_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key"}
	t.Run("cfn-lint", func(t *testing.T) { run(t, "", env, verifyTool(t, "cfn-lint"), "--template", file) })
	t.Run("sam validate", func(t *testing.T) { run(t, "", env, verifyTool(t, "sam"), "validate", "--template", file) })
}

// The provider for AWS comes from Terraform's registry, or from the folder that
// TERRAFORM_PLUGINS names.
func TestTheTerraformIsValid(t *testing.T) {
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is missing: the configuration is not checked")
	}
	dir := recipe(t, "deploy/main.tf")
	run(t, "", nil, terraform, "-chdir="+dir, "fmt", "-check", "-no-color")
	line := []string{"-chdir=" + dir, "init", "-input=false", "-backend=false", "-no-color"}
	if plugins := os.Getenv("TERRAFORM_PLUGINS"); plugins != "" {
		line = append(line, "-plugin-dir="+plugins)
	}
	if output, err := exec.CommandContext(t.Context(), terraform, line...).CombinedOutput(); err != nil {
		t.Skipf("the provider for AWS cannot be had here, so the configuration is not checked (TERRAFORM_PLUGINS may name a folder that has it): %v\n%s", err, output)
	}
	run(t, "", nil, terraform, "-chdir="+dir, "validate", "-no-color")
}

func TestTheCDKStackIsWhatItSays(t *testing.T) {
	modules := engines.Tool(t, "clients", "CDK")
	dir := recipe(t, "deploy/caller.mjs")
	program, err := os.ReadFile("testdata/cdk.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cdk.mjs": string(program), "integration/app.py": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	run(t, "", nil, "node", filepath.Join(dir, "cdk.mjs"))
}
