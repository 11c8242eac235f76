package memstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestSecrets(t *testing.T) {
	storetest.RunSecrets(t, func(testing.TB) storetest.Secrets { return &memstore.Secrets{} })
}

func TestSecretsKeepTheNewestHundredVersions(t *testing.T) {
	var (
		s        memstore.Secrets
		ctx      = t.Context()
		versions []string
	)
	for epoch := range int64(101) {
		version, err := s.Put(ctx, "acme", grant.RefreshToken{Token: reltioauth.NewSecret("r"), Epoch: epoch})
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, version)
	}
	if _, err := s.Version(ctx, "acme", versions[0]); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("the version before the newest hundred: %v, want %v", err, grant.ErrNotFound)
	}
	got, err := s.Version(ctx, "acme", versions[1])
	if err != nil || got.Epoch != 1 {
		t.Errorf("the oldest of the newest hundred = epoch %d, %v; want epoch 1", got.Epoch, err)
	}
}

// The race detector watches this one.
func TestSecretsAreSafeForConcurrentUse(t *testing.T) {
	var (
		s   memstore.Secrets
		ctx = t.Context()
		all sync.WaitGroup
	)
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprintf("c%d", i%2)
			for epoch := range int64(50) {
				_, _ = s.PutConnection(ctx, name, reltioauth.NewSecret("{}"))
				_, _ = s.Put(ctx, name, grant.RefreshToken{LoggedInAt: time.UnixMilli(int64(i)), Epoch: epoch})
				_, _ = s.Connection(ctx, name)
				_, _ = s.Current(ctx, name)
				_, _ = s.List(ctx)
				_ = s.DeleteConnection(ctx, name)
			}
		})
	}
	all.Wait()
}
