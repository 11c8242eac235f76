package secrets

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The methods of this file are for operators: the functions' roles allow none of them.

// recoveryDays is how long a deleted connection can be restored: the shortest
// that Secrets Manager offers.
const recoveryDays = 7

// How long a write is tried again: the first pause, and the last at most. All pauses
// together are less than four seconds.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 2 * time.Second
)

// PutConnection writes the connection's secret, creates it if it does not
// exist, restores it if it is scheduled for deletion, and returns its new
// version. Each call makes a new version, even of the same text. A secret that exists
// gets the Manager's tags that it has not, before the version is written.
//
// Seconds after a deletion not all of Secrets Manager knows the same of it, so what is
// refused as if the secret were deleted is tried again.
func (m Manager) PutConnection(ctx context.Context, name string, text reltioauth.Secret) (string, error) {
	id := m.connectionID(name)
	for wait := firstPause; ; wait *= 2 {
		version, err := m.putConnection(ctx, id, text)
		switch {
		case err == nil:
			return version, nil
		case !asDeleted(err), wait > lastPause, ratelimit.Sleep(ctx, wait) != nil:
			return "", unavailable(err)
		}
	}
}

func (m Manager) putConnection(ctx context.Context, id string, text reltioauth.Secret) (string, error) {
	d, err := m.describe(ctx, id)
	if errors.Is(err, errScheduled) {
		_, err = m.Client.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: aws.String(id)})
		if err != nil {
			return "", err
		}
	}
	if err == nil {
		if err := m.tag(ctx, id, d.tags); err != nil {
			return "", err
		}
	}
	return m.write(ctx, id, text.Reveal(), nil, func() (form, error) { return form{m.KMSKeyID, m.Tags}, nil })
}

// asDeleted reports whether a call was refused as those on a deleted secret are.
func asDeleted(err error) bool {
	invalid := (*types.InvalidRequestException)(nil)
	return errors.Is(err, errScheduled) || errors.As(err, &invalid)
}

// tag gives a secret the Manager's tags that it has not.
func (m Manager) tag(ctx context.Context, id string, has map[string]string) error {
	wanted := maps.Clone(m.Tags)
	maps.DeleteFunc(wanted, func(key, value string) bool {
		old, found := has[key]
		return found && old == value
	})
	if len(wanted) == 0 {
		return nil
	}
	_, err := m.Client.TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: aws.String(id), Tags: tagList(wanted)})
	return err
}

// ConnectionKey names the key that the connection's secret is encrypted with,
// as its creator named it; "" for the AWS account's own key for Secrets
// Manager. A missing secret is connection.ErrNotFound.
func (m Manager) ConnectionKey(ctx context.Context, name string) (string, error) {
	described, err := m.describe(ctx, m.connectionID(name))
	if err != nil {
		return "", connectionError(err)
	}
	return described.key, nil
}

// DeleteConnection schedules the connection's secret for deletion, seven days
// ahead; until then it can be restored. A missing one, or one scheduled
// already, is connection.ErrNotFound.
func (m Manager) DeleteConnection(ctx context.Context, name string) error {
	id := m.connectionID(name)
	_, err := m.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId:             aws.String(id),
		RecoveryWindowInDays: aws.Int64(recoveryDays),
	})
	if err != nil {
		return connectionError(m.state(ctx, id, err))
	}
	return nil
}

// DeleteGrant deletes the grant's secret at once and finally, scheduled for
// deletion or not, so that a connection of the same name can begin again. A
// missing one is no error.
func (m Manager) DeleteGrant(ctx context.Context, name string) error {
	_, err := m.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId:                   aws.String(m.grantID(name)),
		ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	if err != nil && !errors.Is(missing(err), errMissing) {
		return unavailable(err)
	}
	return nil
}

// List returns the names of all connections, sorted, without those scheduled
// for deletion. One just written may be missing for a moment.
func (m Manager) List(ctx context.Context) ([]string, error) {
	prefix := m.connectionID("")
	var names []string
	pages := secretsmanager.NewListSecretsPaginator(m.Client, &secretsmanager.ListSecretsInput{
		Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, entry := range page.SecretList {
			name, ours := strings.CutPrefix(aws.ToString(entry.Name), prefix)
			if ours && connection.ValidName(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}
