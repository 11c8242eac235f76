// Package lambdahost is a Lambda service for one machine: it runs functions as
// processes of their own, the way Lambda runs them, and lets them be invoked as
// Lambda's API does. It is for tests, benchmarks and `make run-binaries`.
//
//	host, err := lambdahost.Start(ctx, lambdahost.Config{Now: time.Now})
//	defer host.Close()
//	err = host.Deploy(lambdahost.Function{Name: "issue", Command: []string{"out/issue/bootstrap"}})
//	client := lambda.New(lambda.Options{BaseEndpoint: aws.String(host.URL()), ...})
//
// # An execution environment
//
// An environment is a process (with its extensions, each a process too) that
// speaks the Runtime API at an address of its own. It is started when an
// invocation finds none that is idle, answers one invocation at a time, is
// stopped (SIGSTOP) once the runtime and all extensions have asked for the next
// event, and goes on (SIGCONT) with the next invocation. The environment used
// last is used first. An environment whose init fails is started once more, as
// a part of the invocation, as Lambda does; the second failure is the answer.
// A time-out, an exit and a crash end the environment.
//
// # What is as on Lambda
//
// Names, headers, variables, limits, error types and messages, the lines START,
// END and REPORT, what a caller is told: as far as clients and tests can see
// it, and as AWS's documentation says. The caller is answered when the
// runtime has asked for its next event, and does not wait for extensions.
//
// # What is not
//
// Nothing is isolated: a function sees this machine's files and network, as
// the user that runs it. Memory is not limited; CPU is, if asked for
// ([Function].CPU), by a control group, which needs root. Requests are
// not signed: every program that reaches the port may invoke, so all ports are on
// loopback, and another address is an error. Linux is needed. There is no Telemetry API (nor
// the Logs API before it), an answer is not streamed, and an HTTP API throttles
// no caller.
//
// # Failures
//
// Start and Deploy say what is wrong with what they are given. Whatever a
// function does ends in an answer, never in an error of this package. Close
// ends every process; if this process is killed, they are killed with it.
package lambdahost
