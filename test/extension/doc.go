// Package extension runs the binary of the Lambda extension beside a function:
// against an HTTP server that plays the Lambda Extensions API and the Lambda API,
// and beside a function on lambdahost.
// It has tests and nothing else.
package extension
