package local

import (
	"cmp"
	"flag"
	"net"
	"strconv"
	"time"
)

// The default ports.
const (
	DefaultCallbackPort = 3000
	DefaultLambdaPort   = 3001
	DefaultReltioPort   = 3002
)

// Flags lets a command line set the ports and TokenLife. verbose says whether the
// functions' log lines are wanted; the caller sets Log.
func (c *Config) Flags(set *flag.FlagSet) (verbose *bool) {
	set.IntVar(&c.CallbackPort, "callback-port", DefaultCallbackPort, "`port` where browsers connect Reltio; -1: any that is free")
	set.IntVar(&c.LambdaPort, "lambda-port", DefaultLambdaPort, "`port` of the Lambda Invoke API; -1: any that is free")
	set.IntVar(&c.ReltioPort, "reltio-port", DefaultReltioPort, "`port` of Reltio's sandbox; -1: any that is free")
	set.DurationVar(&c.TokenLife, "token-life", time.Hour, "how `long` the sandbox's access tokens live")
	return set.Bool("v", false, "show what the functions write")
}

// Address is the loopback address for a port of a Config: 0 means the usual port,
// and a negative one any free port.
func Address(port, usual int) string {
	if port < 0 {
		port, usual = 0, 0
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(cmp.Or(port, usual)))
}
