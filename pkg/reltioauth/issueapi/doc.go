// Package issueapi is the contract of the issue function: what a caller sends, what
// it gets, and how a call fails.
//
// A request and a response are each one JSON object. A call that fails is a
// function error of Lambda, whose payload is an [Error]: its type is one of the
// constants here, and Step Functions can name it.
//
//	payload, err := json.Marshal(issueapi.Request{Connection: "acme-prod"})
//	// invoke the function
//	var r issueapi.Response
//	err = json.Unmarshal(answer, &r)
//
// The function, the extension, the client in Go, the sandbox and the operator's
// command all use these types, so they cannot differ. The package imports the
// standard library alone, and nothing here blocks.
package issueapi
