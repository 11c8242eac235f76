package memstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// keptVersions is how many versions of a grant's secret are kept: as many as
// Secrets Manager promises to.
const keptVersions = 100

// Secrets keeps connections and refresh tokens in memory. The zero value is
// empty and ready to use; it must not be copied. All methods are safe for
// concurrent use and never block for long; the only errors are those for
// missing items.
type Secrets struct {
	mu sync.Mutex
	// connections and grants by connection name, and how many versions were
	// ever made; guarded by mu, which is held for a few map operations only.
	connections map[string]connection.Source
	grants      map[string][]grant.RefreshToken
	made        int
}

var (
	_ connection.Secrets      = (*Secrets)(nil)
	_ grant.RefreshTokenStore = (*Secrets)(nil)
)

// Connection implements connection.Secrets.
func (s *Secrets) Connection(_ context.Context, name string) (connection.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	source, ok := s.connections[name]
	if !ok {
		return connection.Source{}, connection.ErrNotFound
	}
	return source, nil
}

// ConnectionVersion implements connection.Secrets.
func (s *Secrets) ConnectionVersion(ctx context.Context, name string) (string, error) {
	source, err := s.Connection(ctx, name)
	return source.Version, err
}

// PutConnection writes the connection's secret and returns its new version.
// Each call makes a new version, even of the same text.
func (s *Secrets) PutConnection(_ context.Context, name string, text reltioauth.Secret) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connections == nil {
		s.connections = map[string]connection.Source{}
	}
	version := s.nextVersion()
	s.connections[name] = connection.Source{Value: text, Version: version}
	return version, nil
}

// DeleteConnection deletes the connection's secret, or returns
// connection.ErrNotFound.
func (s *Secrets) DeleteConnection(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.connections[name]; !ok {
		return connection.ErrNotFound
	}
	delete(s.connections, name)
	return nil
}

// List returns the names of all connections, sorted.
func (s *Secrets) List(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.connections)), nil
}

// Current implements grant.RefreshTokenStore.
func (s *Secrets) Current(_ context.Context, name string) (grant.RefreshToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.grants[name]
	if len(versions) == 0 {
		return grant.RefreshToken{}, grant.ErrNotFound
	}
	return versions[len(versions)-1], nil
}

// Version implements grant.RefreshTokenStore. The newest hundred versions are
// kept.
func (s *Secrets) Version(_ context.Context, name, version string) (grant.RefreshToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.grants[name] {
		if r.Version == version {
			return r, nil
		}
	}
	return grant.RefreshToken{}, grant.ErrNotFound
}

// Put implements grant.RefreshTokenStore. A repeated write makes no second
// version, and does not make the first one the newest again.
func (s *Secrets) Put(_ context.Context, name string, r grant.RefreshToken) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.LoggedInAt = r.LoggedInAt.UTC().Truncate(time.Millisecond)
	for _, old := range s.grants[name] {
		if old.Token.Equal(r.Token) && old.LoggedInAt.Equal(r.LoggedInAt) && old.Epoch == r.Epoch && old.Identity == r.Identity {
			return old.Version, nil
		}
	}
	if s.grants == nil {
		s.grants = map[string][]grant.RefreshToken{}
	}
	r.Version = s.nextVersion()
	s.grants[name] = append(s.grants[name], r)
	if extra := len(s.grants[name]) - keptVersions; extra > 0 {
		s.grants[name] = slices.Delete(s.grants[name], 0, extra)
	}
	return r.Version, nil
}

// DeleteGrant deletes the grant's secret with all its versions. A missing one
// is no error.
func (s *Secrets) DeleteGrant(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.grants, name)
	return nil
}

// PurgeGrant deletes all versions of the grant's secret except the newest. A
// missing one is no error.
func (s *Secrets) PurgeGrant(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.grants[name]); n > 1 {
		s.grants[name] = slices.Clone(s.grants[name][n-1:])
	}
	return nil
}

// nextVersion names a version; mu is held.
func (s *Secrets) nextVersion() string {
	s.made++
	return fmt.Sprintf("version-%d", s.made)
}
