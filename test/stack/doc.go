// Package stack is the whole service as real processes on one machine: the
// three binaries on lambdahost, as the template deploys them; Dynoxide for
// DynamoDB, moto's server for Secrets Manager and EventBridge; a sandbox of
// Reltio's authorization server; the HTTP API in front of callback, and the
// schedule. It is for end-to-end tests, tests of faults, benchmarks and `make
// run-binaries`, and knows nothing of package testing.
//
//	s, err := stack.Start(ctx, stack.Config{Now: time.Now, Sandbox: sandbox})
//	defer s.Close()
//	err = s.AddConnection(ctx, "acme-prod", map[string]any{
//		"grant_type": "client_credentials", "client_id": "acme", "client_secret": "s3cret",
//	})
//	out, err := s.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("issue"), ...})
//
// Start returns when everything answers; no function has been started then. It
// needs Go to build the functions, unless Config.Binaries says where they are,
// and scripts/engines, unless Config says where the engines are. What it starts
// ends with Close, or with this process.
//
// # Faults
//
// Config.Via puts a proxy of the test between a function and what it calls,
// and Config.Change changes a function before it is deployed. The clients of a
// Stack go to the engines themselves.
package stack
