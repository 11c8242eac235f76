package local

import (
	"cmp"
	"flag"
	"fmt"
	"io"
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

// Flags reads the command line of a program that runs the stack: the ports,
// TokenLife, and whether the functions' log lines go to log. A mistake in it is
// explained on log, and so is -h, with what about says.
func Flags(name, about string, args []string, log io.Writer) (Config, error) {
	var c Config
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(log)
	set.Usage = func() {
		_, _ = fmt.Fprintln(log, about)
		set.PrintDefaults()
	}
	set.IntVar(&c.CallbackPort, "callback-port", DefaultCallbackPort, "`port` where browsers connect Reltio; -1: any that is free")
	set.IntVar(&c.LambdaPort, "lambda-port", DefaultLambdaPort, "`port` of the Lambda Invoke API; -1: any that is free")
	set.IntVar(&c.ReltioPort, "reltio-port", DefaultReltioPort, "`port` of Reltio's sandbox; -1: any that is free")
	set.DurationVar(&c.TokenLife, "token-life", time.Hour, "how `long` the sandbox's access tokens live")
	verbose := set.Bool("v", false, "show what the functions write")
	err := set.Parse(args)
	if *verbose {
		c.Log = log
	}
	return c, err
}

// Address is the loopback address for a port of a Config: 0 means the usual port,
// and a negative one any free port.
func Address(port, usual int) string {
	if port < 0 {
		port, usual = 0, 0
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(cmp.Or(port, usual)))
}
