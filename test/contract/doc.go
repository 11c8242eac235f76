// Package contract holds pkg/reltioauth/issueclient and its stand-in, reltioauthtest's
// IssueServer, against the real function issue: the stack on one machine, with its
// Invoke API. It has tests and nothing else.
//
// The public packages know nothing of the service, nor do their own tests; what
// they promise about it is tested here.
package contract
