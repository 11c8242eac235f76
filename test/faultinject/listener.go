package faultinject

import (
	"net"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// listener makes an operation of each connection that is opened.
type listener struct {
	net.Listener
	wire *wire
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p, f := l.wire.arrive("", stack.Reltio, connect, "")
		switch {
		case p == nil:
		case f.kills():
			l.wire.kill()
		case f.stops():
			go l.wire.freeze(p)()
		default: // cut, or down
			_ = conn.Close()
			continue
		}
		return conn, nil
	}
}
