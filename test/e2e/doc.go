// Package e2e tests the whole service from outside: the three binaries on
// lambdahost, Dynoxide, moto and the sandbox, as package stack puts them
// together. It has tests and nothing else.
//
// What integrations, operators and people with a browser can rely on is tested
// in the way that they reach it: through the AWS CLI, the SDKs for Go, Python
// and JavaScript, over HTTP, in the table, in the secrets, on the event bus and
// in the logs. Names, types and texts are spelled here once more, and taken from
// no package of the service: a test that borrowed them would follow a mistake.
//
// One stack serves all tests but the floods. A test makes connections of its
// own, and takes an authorization server of its own, whose rate limit and state
// no other test shares. When all tests are over, everything that the functions have
// written is searched for every secret there was.
//
// `scripts/engines` and `scripts/clients` fetch what is needed. Without it the
// tests are skipped, with the reason, unless RELTIO_TOKENS_ENGINES is
// "required"; with -short they are always skipped.
package e2e
