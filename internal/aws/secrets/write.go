package secrets

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// label is the description that an operator sees next to a secret in the
// console.
const label = "Reltio tokens"

// form is what a secret is created with: its key and its tags.
type form struct {
	key  string
	tags map[string]string
}

// awsTag begins the keys of tags that AWS alone may give.
const awsTag = "aws:"

// given are the tags that a person or a program gave.
func given(tags []types.Tag) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		if key := aws.ToString(tag.Key); !strings.HasPrefix(key, awsTag) {
			all[key] = aws.ToString(tag.Value)
		}
	}
	return all
}

// tagList is tags as AWS takes them, in the order of their keys; nil for none.
func tagList(tags map[string]string) []types.Tag {
	var all []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return all
}

// write adds a version, makes it the current one and returns its name. A secret
// that does not exist is created, in the form that the function form returns; one that
// exists keeps its key and its tags. token names the version; nil: a random name. If
// another process creates the secret meanwhile, the version is added to that secret.
func (m Manager) write(ctx context.Context, id, text string, token *string, form func() (form, error)) (string, error) {
	version, err := m.add(ctx, id, text, token)
	if !errors.Is(err, errMissing) {
		return version, err
	}
	f, err := form()
	if err != nil {
		return "", err
	}
	version, err = m.create(ctx, id, text, token, f)
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

func (m Manager) create(ctx context.Context, id, text string, token *string, f form) (string, error) {
	in := &secretsmanager.CreateSecretInput{
		Name:               aws.String(id),
		Description:        aws.String(label),
		SecretString:       aws.String(text),
		ClientRequestToken: token,
		Tags:               tagList(f.tags),
	}
	if f.key != "" {
		in.KmsKeyId = aws.String(f.key)
	}
	out, err := m.Client.CreateSecret(ctx, in)
	if err != nil {
		return "", m.state(ctx, id, err)
	}
	return aws.ToString(out.VersionId), nil
}
