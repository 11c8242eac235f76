package grant

import "github.com/reltio-tokens/reltio-tokens/internal/connection"

// Configured is the grant with what its connection's secret says of it: who may
// have the token, where it is used, and the version that says so.
func (g Grant) Configured(c *connection.Connection) Grant {
	g.Aliases, g.APIURL, g.TenantID = c.Aliases, c.APIURL, c.TenantID
	g.ConnectionVersion = c.Version
	return g
}
