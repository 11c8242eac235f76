package operator

import (
	"context"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// AddRequest asks to add a connection.
type AddRequest struct {
	Connection string
	// Secret is the JSON that connection.Parse reads.
	Secret reltioauth.Secret
	// Force replaces the secret of a connection that exists.
	Force bool
}

// Added is the result of Add.
type Added struct {
	Connection string               `json:"connection"`
	GrantType  connection.GrantType `json:"grant_type"`
	// Host is the authorization server's host:port.
	Host string `json:"host"`
	// Replaced says that the connection existed.
	Replaced bool `json:"replaced"`
	// Problems are why it cannot be used although it is well-formed.
	Problems []string `json:"problems"`
	// SharesClientWith are the connections that have the same client.
	SharesClientWith []string `json:"shares_client_with"`
}

// Add writes a connection's secret, if a renewal can use it. Otherwise it fails
// with InvalidConnection and lists all problems, and nothing is written. If the
// connection exists, it fails with InvalidRequest, unless Force is set.
func (o *Service) Add(ctx context.Context, r AddRequest) (Added, error) {
	if err := named(r.Connection); err != nil {
		return Added{}, err
	}
	exists, err := changer{o}.exists(ctx, r.Connection)
	if err != nil {
		return Added{}, err
	}
	if exists && !r.Force {
		return Added{}, apierr.New(apierr.InvalidRequest, "connection: exists already, and its secret is replaced by force alone")
	}
	c, err := connection.Parse(r.Connection, connection.Source{Value: r.Secret}, o.Hosts)
	if err != nil {
		return Added{}, err
	}
	checked := Checked{Problems: []string{}}
	if c.HasUser() {
		if err := (reader{o}).claim(ctx, c, &checked); err != nil {
			return Added{}, err
		}
	}
	// This is information only, so names that cannot be read are left out.
	shared, _ := reader{o}.sharing(ctx, c, grant.Grant{Connection: r.Connection})
	if _, err := o.Secrets.PutConnection(ctx, r.Connection, r.Secret); err != nil {
		return Added{}, err
	}
	return Added{
		Connection: r.Connection, GrantType: c.GrantType, Host: c.Host(), Replaced: exists, Problems: checked.Problems,
		SharesClientWith: shared,
	}, nil
}

// exists reports whether the connection has a secret.
func (o changer) exists(ctx context.Context, name string) (bool, error) {
	_, err := o.Connections.ConnectionVersion(ctx, name)
	if errors.Is(err, connection.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
