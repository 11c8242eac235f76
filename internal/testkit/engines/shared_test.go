package engines_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

func TestDynamoDBAnswers(t *testing.T) {
	if _, err := engines.DynamoDB(t).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Error(err)
	}
}

func TestMotoAnswers(t *testing.T) {
	endpoint := engines.Moto(t)
	if !engines.Answers(t.Context(), endpoint+"/moto-api/") {
		t.Errorf("moto does not answer at %s", endpoint)
	}
	if again := engines.Moto(t); again != endpoint {
		t.Errorf("a second moto at %s, want the one at %s", again, endpoint)
	}
}

func TestTableNames(t *testing.T) {
	t.Run("of any / length, ünïcødé "+strings.Repeat("x", 300), func(t *testing.T) {
		one, other := engines.TableName(t), engines.TableName(t)
		if one == other {
			t.Error("two tables have one name")
		}
		if len(one) < 3 || len(one) > 255 || strings.Trim(one, letters+strings.ToLower(letters)+"0123456789_.-") != "" {
			t.Errorf("%q names no table", one)
		}
	})
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// child is how this file starts itself, to be killed.
const child = "ENGINETEST_CHILD"

// TestEnginesEndWithTheirTests kills a process of tests that has started an
// engine.
func TestEnginesEndWithTheirTests(t *testing.T) {
	if os.Getenv(child) != "" {
		_, _ = os.Stdout.WriteString("endpoint=" + engines.Moto(t) + "\n")
		<-t.Context().Done() // until killed
		return
	}
	engines.Moto(t) // or skip
	command := exec.Command(os.Args[0], "-test.run=^TestEnginesEndWithTheirTests$")
	command.Env = append(os.Environ(), child+"=1")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := output.Read(line)
	endpoint, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "endpoint=")
	if err != nil || !ok {
		t.Fatalf("the child wrote %q, %v", line[:n], err)
	}
	if !engines.Answers(t.Context(), endpoint+"/moto-api/") {
		t.Error("the child's engine does not answer")
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for engines.Answers(ctx, endpoint+"/moto-api/") {
		select {
		case <-ctx.Done():
			t.Fatal("the engine lives on after its tests were killed")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
