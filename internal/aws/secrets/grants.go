package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

var _ grant.RefreshTokenStore = Manager{}

// What an error says of a grant's secret.
const (
	grantScheduled = "the grant's secret is scheduled for deletion: restore it, or delete it without a recovery window"
	unreadable     = "the grant's secret is unreadable"
)

// Current implements grant.RefreshTokenStore.
func (m Manager) Current(ctx context.Context, name string) (grant.RefreshToken, error) {
	r, err := m.refreshToken(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(m.grantID(name)),
		VersionStage: aws.String(stageCurrent),
	})
	if errors.Is(err, errMissing) {
		return grant.RefreshToken{}, grant.ErrNotFound
	}
	return r, grantError(err)
}

// Version implements grant.RefreshTokenStore. Secrets Manager keeps the newest
// version and the one before for as long as the secret exists, others for a day
// at least.
func (m Manager) Version(ctx context.Context, name, version string) (grant.RefreshToken, error) {
	if version == "" {
		return grant.RefreshToken{}, grant.ErrNotFound
	}
	r, err := m.refreshToken(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:  aws.String(m.grantID(name)),
		VersionId: aws.String(version),
	})
	if errors.Is(err, errMissing) {
		return grant.RefreshToken{}, grant.ErrNotFound
	}
	return r, grantError(err)
}

// Put implements grant.RefreshTokenStore. The version's name is derived from
// its content, so that a write whose response was lost can be repeated: it
// finds its first version, makes no second one, and does not replace a newer
// current version.
func (m Manager) Put(ctx context.Context, name string, r grant.RefreshToken) (string, error) {
	id := m.grantID(name)
	version, err := m.write(ctx, id, encode(r), aws.String(versionID(id, r)), func() (form, error) {
		return m.formOf(ctx, name)
	})
	return version, grantError(err)
}

// formOf is the key and the tags of a connection's secret. A deleted one has none: a
// refresh token of the server is stored all the same, under the AWS account's
// own key.
func (m Manager) formOf(ctx context.Context, name string) (form, error) {
	d, err := m.describe(ctx, m.connectionID(name))
	if errors.Is(err, errMissing) || errors.Is(err, errScheduled) {
		err = nil
	}
	return form{d.key, d.tags}, err
}

// grantError is an error of a grant's secret as grant.RefreshTokenStore names
// it; nil stays nil.
func grantError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errScheduled):
		return unusable(grantScheduled, err)
	case errors.Is(err, errUnreadable):
		return unusable(unreadable, grant.ErrUnreadable)
	default:
		return unavailable(err)
	}
}

func (m Manager) refreshToken(ctx context.Context, in *secretsmanager.GetSecretValueInput) (grant.RefreshToken, error) {
	v, err := m.read(ctx, in)
	if err != nil {
		return grant.RefreshToken{}, err
	}
	r, err := decode(v.text)
	if err != nil {
		return grant.RefreshToken{}, err
	}
	r.Version = v.version
	return r, nil
}

// versionID names the version that holds r, in 64 hexadecimal digits. It can be
// seen in logs, so it is made of nothing secret: the token's fingerprint stands
// for the token.
func versionID(id string, r grant.RefreshToken) string {
	parts := []string{id, r.Fingerprint(), stamp(r.LoggedInAt), strconv.FormatInt(r.Epoch, 10)}
	if r.Identity != "" { // without an identity the name is that of earlier releases
		parts = append(parts, r.Identity)
	}
	return connection.Hash(parts...)
}

// stamp is a time as it is stored: UTC, to the millisecond.
func stamp(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
}

// encode writes a refresh token as it is stored.
func encode(r grant.RefreshToken) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Texts and a number always encode.
	_ = e.Encode(struct { //nolint:gosec // the text is stored in Secrets Manager only
		Token      string `json:"refresh_token"`
		LoggedInAt string `json:"logged_in_at"`
		Epoch      int64  `json:"epoch"`
		Identity   string `json:"identity,omitempty"`
	}{r.Token.Reveal(), stamp(r.LoggedInAt), r.Epoch, r.Identity})
	return strings.TrimSuffix(b.String(), "\n")
}

var errUnreadable = errors.New("secrets: not a refresh token")

// decode reads what encode wrote. The fields must be there, spelled exactly and
// of their types, except the identity, which earlier releases did not write.
// Other fields are ignored: later releases may write them. The error holds
// nothing of the text.
func decode(text reltioauth.Secret) (grant.RefreshToken, error) {
	o, err := strictjson.Parse([]byte(text.Reveal()))
	if err != nil {
		return grant.RefreshToken{}, errUnreadable
	}
	r := grant.RefreshToken{Token: reltioauth.NewSecret(o.String("refresh_token")), Epoch: o.Integer("epoch")}
	at, err := time.Parse(time.RFC3339, o.String("logged_in_at"))
	if o.Has("identity") {
		r.Identity = o.String("identity")
	}
	o.KnowAll()
	if err != nil || !o.Has("refresh_token") || !o.Has("epoch") || r.Epoch < 0 || r.Epoch >= lease.MaxEpoch || len(o.Problems()) > 0 {
		return grant.RefreshToken{}, errUnreadable
	}
	r.LoggedInAt = at.UTC()
	return r, nil
}
