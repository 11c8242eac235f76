package secrets

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// label is the description that an operator sees next to a secret in the
// console.
const label = "Reltio tokens"

// write adds a version, makes it the current one and returns its name. A secret
// that does not exist is created, under the key that the function key returns.
// token names the version; nil: a random name. If another process creates the
// secret meanwhile, the version is added to that secret.
func (m Manager) write(ctx context.Context, id, text string, token *string, key func() (string, error)) (string, error) {
	version, err := m.add(ctx, id, text, token)
	if !errors.Is(err, errMissing) {
		return version, err
	}
	kmsKeyID, err := key()
	if err != nil {
		return "", err
	}
	version, err = m.create(ctx, id, text, token, kmsKeyID)
	if exists := (*types.ResourceExistsException)(nil); errors.As(err, &exists) {
		return m.add(ctx, id, text, token)
	}
	return version, err
}

func (m Manager) add(ctx context.Context, id, text string, token *string) (string, error) {
	out, err := m.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:           aws.String(id),
		SecretString:       aws.String(text),
		ClientRequestToken: token,
		VersionStages:      []string{stageCurrent},
	})
	if err != nil {
		return "", m.state(ctx, id, err)
	}
	return aws.ToString(out.VersionId), nil
}

func (m Manager) create(ctx context.Context, id, text string, token *string, kmsKeyID string) (string, error) {
	in := &secretsmanager.CreateSecretInput{
		Name:               aws.String(id),
		Description:        aws.String(label),
		SecretString:       aws.String(text),
		ClientRequestToken: token,
	}
	if kmsKeyID != "" {
		in.KmsKeyId = aws.String(kmsKeyID)
	}
	out, err := m.Client.CreateSecret(ctx, in)
	if err != nil {
		return "", m.state(ctx, id, err)
	}
	return aws.ToString(out.VersionId), nil
}
