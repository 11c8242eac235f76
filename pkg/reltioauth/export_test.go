package reltioauth

import (
	"net"
	"net/url"
)

// NewTransport is the transport of a Client's own connections, over any other.
func NewTransport(conn net.Conn, authURL *url.URL) Transport { return newTransport(conn, authURL) }

// The sizes that tests stand on either side of.
const (
	MaxBody   = maxBody
	MaxHeader = maxHeader
)
