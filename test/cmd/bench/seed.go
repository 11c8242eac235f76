package main

import (
	"context"
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
)

// connections is how many connections have a valid token where answers from DynamoDB
// are measured. It is more than the 10,000 that an execution environment remembers, so
// that a caller that asks for one after the other finds none in memory.
const connections = 12_000

// name is a connection's.
func name(i int) string { return fmt.Sprintf("connection-%05d", i) }

// request is the payload that asks issue for a token.
func request(i int) []byte { return []byte(`{"connection":"` + name(i%connections) + `"}`) }

// tokenOf is a token as long as Reltio's shorter ones.
func tokenOf(i int) reltioauth.Secret {
	return reltioauth.NewSecret(fmt.Sprintf("%08d-2cf7-44b0-b11a-1b4c59984512", i))
}

// holding is a grant as a renewal leaves it.
func holding(i int, issued time.Time, life time.Duration) grant.Grant {
	token := tokenOf(i)
	return grant.Grant{
		Connection: name(i), AccessToken: token, Fingerprint: reltioauth.Fingerprint(token),
		TokenType: "bearer", Scope: "configuration_api entities_api graphs_api groups_api interactions_api relations_api",
		IssuedAt: issued, ExpiresAt: issued.Add(life), Version: 41,
		LoginMode: grant.AtEnd, Status: grant.StatusOK, ConnectionVersion: "00000000-0000-4000-8000-000000000000",
	}
}

// put stores a grant without a holder's lease.
func put(ctx context.Context, r *rig.Rig, g grant.Grant) error {
	held := lease.Lease{Connection: g.Connection, Owner: lease.NewOwner(), Epoch: 1}
	return r.Table.PutGrant(ctx, held, g.Indexed(time.Now()))
}

// putGrants gives the first n connections a token for an hour.
func putGrants(ctx context.Context, r *rig.Rig, n int) error {
	return inParallel(ctx, n, func(ctx context.Context, i int) error {
		return put(ctx, r, holding(i, time.Now(), time.Hour))
	})
}

// client is a client of the sandbox.
func client(i int, life time.Duration) reltioauthtest.Client {
	return reltioauthtest.Client{
		ID: fmt.Sprintf("client-%05d", i), Secret: reltioauth.NewSecret(fmt.Sprintf("secret-of-client-%05d", i)),
		AccessTokenTTL: life,
	}
}

// byClient is a connection's secret for it.
func byClient(i int) map[string]any {
	return map[string]any{
		"grant_type": "client_credentials",
		"client_id":  fmt.Sprintf("client-%05d", i), "client_secret": fmt.Sprintf("secret-of-client-%05d", i),
	}
}
