// Package framework runs the service against the framework whose words
// Reltio's authorization server shows: Spring Security OAuth2, in the folder
// server, with Reltio's paths and an endpoint that tests control it by. It has tests and
// nothing else.
//
// There are two parts. The contract lists, request by request, what an
// authorization server of that framework answers; it is run on the framework
// itself and on the sandbox, reltioauthtest.Framework, which the other tests of
// this repository use. A difference between the two is a failing test of the
// sandbox. The other part runs the functions' real binaries against the framework,
// and reports what the service did with each of its answers: see docs/framework.md.
//
// `make framework` builds the server and runs everything: it needs a JDK and
// Maven. Without RELTIO_TOKENS_FRAMEWORK=required the tests that need the server
// are skipped, with the reason; the contract of the sandbox is always run.
//
// Everything takes its real time, since the framework's clock is the machine's:
// tests run side by side, and each has a server of its own.
package framework
