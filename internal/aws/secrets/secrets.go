// Package secrets keeps connections and refresh tokens in AWS Secrets Manager.
//
// An operator writes one secret per connection, the service one per grant that
// has a refresh token:
//
//	<Prefix>/connections/<name>   what connection.Parse reads
//	<Prefix>/grants/<name>        {"refresh_token":"…","logged_in_at":"…","epoch":7}
//
// A Manager implements both over one client:
//
//	m := secrets.Manager{Client: client, Prefix: "reltio-tokens"}
//	source, err := m.Connection(ctx, "acme-prod")  // connection.ErrNotFound
//	token, err := m.Current(ctx, "acme-prod")      // grant.ErrNotFound
//	version, err := m.Put(ctx, "acme-prod", token) // a new version, the newest
//
// A grant's secret is created under the key of its connection's secret and with its
// tags, so that who may read the one may read the other, a rule about tags that took
// the one takes the other, and nothing has to be told which key and tags those are.
//
// Each method blocks on the network, retries as the client is configured to,
// and ends with its context. Each error that is not one of the two sentinels is
// an apierr.Error of type StoreUnavailable: its message is made of fixed words and
// of AWS's error code, never of what a secret holds.
//
// A secret that is scheduled for deletion is refused by Secrets Manager for
// reading and writing alike. A connection's counts as missing: the operator took
// it away. A grant's is StoreUnavailable with a message that says what to do,
// because a refresh token that may be restored must not be replaced by a login
// that is not needed. The service does not restore it by itself: what an
// operator deletes stays deleted until an operator decides.
package secrets

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// stageCurrent labels the newest version of a secret.
const stageCurrent = "AWSCURRENT"

// Manager reads connections and keeps refresh tokens. It holds no state and is
// safe for concurrent use.
type Manager struct {
	// Client is ready to use. Required.
	Client *secretsmanager.Client
	// Prefix stands before every secret's name. Required.
	Prefix string
	// KMSKeyID names the key of connections' secrets that the Manager creates;
	// empty: the AWS account's own key for Secrets Manager. A grant's secret has
	// the key of its connection's.
	KMSKeyID string
	// Tags are the tags that connections' secrets get when the Manager writes them,
	// beside those that they have. A grant's secret has its connection's.
	Tags map[string]string
}

var _ connection.Secrets = Manager{}

func (m Manager) connectionID(name string) string { return m.Prefix + "/connections/" + name }

func (m Manager) grantID(name string) string { return m.Prefix + "/grants/" + name }

// Connection implements connection.Secrets. A secret stored as binary is its
// bytes as text; one that never got a value is missing.
func (m Manager) Connection(ctx context.Context, name string) (connection.Source, error) {
	v, err := m.read(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(m.connectionID(name)),
		VersionStage: aws.String(stageCurrent),
	})
	if err != nil {
		return connection.Source{}, connectionError(err)
	}
	return connection.Source{Value: v.text, Version: v.version}, nil
}

// ConnectionVersion implements connection.Secrets.
func (m Manager) ConnectionVersion(ctx context.Context, name string) (string, error) {
	described, err := m.describe(ctx, m.connectionID(name))
	if err != nil {
		return "", connectionError(err)
	}
	if described.version == "" {
		return "", connection.ErrNotFound
	}
	return described.version, nil
}

func connectionError(err error) error {
	if errors.Is(err, errMissing) || errors.Is(err, errScheduled) {
		return connection.ErrNotFound
	}
	return unavailable(err)
}

// value is one version of a secret.
type value struct {
	text    reltioauth.Secret
	version string
}

// read gets one version: errMissing, errScheduled or the client's error.
func (m Manager) read(ctx context.Context, in *secretsmanager.GetSecretValueInput) (value, error) {
	out, err := m.Client.GetSecretValue(ctx, in)
	if err != nil {
		return value{}, m.state(ctx, aws.ToString(in.SecretId), err)
	}
	text := string(out.SecretBinary)
	if out.SecretString != nil {
		text = *out.SecretString
	}
	return value{text: reltioauth.NewSecret(text), version: aws.ToString(out.VersionId)}, nil
}

// description is what Secrets Manager says of a secret without showing it.
type description struct {
	// version is the one that is labelled current; "" if none is.
	version string
	// key is what the secret is encrypted with; "" for the AWS account's own
	// key for Secrets Manager.
	key string
	// tags are those that a person or a program gave it, without AWS's own.
	tags map[string]string
}

// describe asks about a secret: errMissing, errScheduled (and the description
// all the same) or the client's error.
func (m Manager) describe(ctx context.Context, id string) (description, error) {
	out, err := m.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(id)})
	if err != nil {
		return description{}, missing(err)
	}
	d := description{key: aws.ToString(out.KmsKeyId), tags: given(out.Tags)}
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, stageCurrent) {
			d.version = version
		}
	}
	if out.DeletedDate != nil {
		return d, errScheduled
	}
	return d, nil
}

// state turns the error of a call on a secret into errMissing or errScheduled,
// if that is what it means. Secrets Manager refuses a secret that is scheduled
// for deletion with a code that has other meanings too; taking one of those for
// a deletion would forget a connection, so the secret is asked.
func (m Manager) state(ctx context.Context, id string, err error) error {
	if invalid := (*types.InvalidRequestException)(nil); errors.As(err, &invalid) {
		_, described := m.describe(ctx, id)
		if errors.Is(described, errMissing) || errors.Is(described, errScheduled) {
			return described
		}
		return err
	}
	return missing(err)
}

// missing turns the error of a call on a secret into errMissing, if it is that.
func missing(err error) error {
	if gone := (*types.ResourceNotFoundException)(nil); errors.As(err, &gone) {
		return errMissing
	}
	return err
}
