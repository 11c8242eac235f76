package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// command is the operator's, built once.
var command = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "reltio-tokens")
	build, err := stack.Go(context.Background(), "cmd/reltio-tokens", "build", "-buildvcs=false", "-o", path)
	if err != nil {
		return "", err
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// operate runs the operator's command.
func (w *world) operate(t *testing.T, args ...string) string {
	t.Helper()
	path, err := command()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	variables := w.Variables(nil, stack.DynamoDB, stack.SecretsManager)
	variables["AUTH_HOSTS"] = w.functions["rotate"].Env["AUTH_HOSTS"]
	cmd.Env = w.awsEnvironment()
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("reltio-tokens %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// awsEnvironment is how clients of AWS find Lambda, and nothing of this machine's
// own configuration.
func (w *world) awsEnvironment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + folder,
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_LAMBDA=" + w.LambdaURL,
	}
}

// deleteSecret takes a secret away, as an operator would.
func (w *world) deleteSecret(t *testing.T, name string) {
	t.Helper()
	_, err := w.SecretsManager.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(w.Secrets.Prefix + "/" + name),
	})
	if err != nil {
		t.Fatal(err)
	}
}
