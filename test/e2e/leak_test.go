package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretsSeen knows every secret there was.
type secretsSeen struct {
	mu   sync.Mutex
	kind map[string]string
}

func (v *secretsSeen) put(kind, secret string) {
	const least = 12 // shorter texts turn up by chance
	if len(secret) < least {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kind == nil {
		v.kind = map[string]string{}
	}
	v.kind[secret] = kind
}

// found names the kinds of secrets that are in a text, in any of the ways in
// which they could be written there.
func (v *secretsSeen) found(text string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var kinds []string
	for secret, kind := range v.kind {
		for _, written := range []string{
			secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte("app:" + secret)),
		} {
			if strings.Contains(text, written) {
				kinds = append(kinds, kind)
				break
			}
		}
	}
	return kinds
}

func TestASecretIsFound(t *testing.T) {
	v := &secretsSeen{}
	v.put("password", "canary/ABCDEFGHIJ")
	for _, text := range []string{
		`{"msg":"canary/ABCDEFGHIJ"}`, "?p=canary%2FABCDEFGHIJ", "Basic " + base64.StdEncoding.EncodeToString([]byte("app:canary/ABCDEFGHIJ")),
	} {
		if got := v.found(text); len(got) != 1 || got[0] != "password" {
			t.Errorf("found %v", got)
		}
	}
	if got := v.found("canary"); len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

// platform is what Lambda itself writes.
var platform = regexp.MustCompile(`^(INIT_START|START|END|REPORT|EXTENSION|INIT_REPORT)\b`)

// dimensions of a metric: none, or the outcome. Anything with many values would
// cost by their number.
var dimensions = regexp.MustCompile(`"Dimensions":(\[\[[^\]]*\]\])`)

// finish ends the stack. An error says what is wrong with all that was written.
func (w *world) finish() error {
	hoarded := w.collectSecrets(context.Background())
	err := errors.Join(hoarded, w.close())
	text := w.log.String()
	if kinds := w.secrets.found(text); len(kinds) > 0 {
		err = errors.Join(err, fmt.Errorf("the log holds secrets: %v", kinds))
	}
	lines := 0
	for line := range strings.Lines(text) {
		switch {
		case platform.MatchString(line):
		case !json.Valid([]byte(line)):
			err = errors.Join(err, fmt.Errorf("a line of the log is no JSON: %s", line))
		default:
			lines++
		}
		for _, found := range dimensions.FindAllStringSubmatch(line, -1) {
			if found[1] != `[["Outcome"]]` && found[1] != "[[]]" {
				err = errors.Join(err, fmt.Errorf("a metric with the dimensions %s", found[1]))
			}
		}
	}
	if lines == 0 {
		err = errors.Join(err, errors.New("the log is empty: nothing was checked"))
	}
	return err
}

// collectSecrets adds what is stored to the secrets seen.
func (w *world) collectSecrets(ctx context.Context) error {
	pages := dynamodb.NewScanPaginator(w.DynamoDB, &dynamodb.ScanInput{TableName: aws.String(w.Table.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			for _, name := range []string{"access_token", "verifier"} {
				if s, ok := item[name].(*types.AttributeValueMemberS); ok {
					w.secrets.put(name, s.Value)
				}
			}
		}
	}
	secrets := secretsmanager.NewListSecretsPaginator(w.SecretsManager, &secretsmanager.ListSecretsInput{})
	for secrets.HasMorePages() {
		page, err := secrets.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, s := range page.SecretList {
			if !strings.HasPrefix(aws.ToString(s.Name), w.Secrets.Prefix+"/grants/") {
				continue
			}
			out, err := w.SecretsManager.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: s.ARN})
			if err != nil {
				return err
			}
			var held struct {
				RefreshToken string `json:"refresh_token"`
			}
			if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &held); err != nil {
				return err
			}
			w.secrets.put("refresh token", held.RefreshToken)
		}
	}
	return nil
}
