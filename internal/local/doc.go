// Package local is the whole stack on one machine, in one process, on loopback:
// a sandbox of Reltio's authorization server, the functions with the embedded
// store, the Lambda Invoke API in front of them, and the schedule.
//
//	s, err := local.Start(ctx, local.Config{})
//	defer s.Close()
//	s.Demo(ctx, os.Stdout)
//
// It is for trying things, for demonstrations, and for the tests of integrations:
// an SDK that calls the Invoke API cannot tell it from AWS. Nothing is stored:
// all data is gone when the process ends.
package local
