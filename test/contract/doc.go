// Package contract holds everything that issues tokens over the contract of issue to
// one table of requests and responses: the function issue, on the stack on one machine
// with its Invoke API; its stand-in, reltioauthtest's IssueServer; and the server of
// the extension, before each of them. It also runs pkg/reltioauth/issueclient against
// the function. It has tests and nothing else.
//
// The public packages know nothing of the service, nor do their own tests; what
// they promise about it is tested here.
package contract
