// Package deploy holds template.yaml against the code that it deploys: what
// the linters of templates cannot know.
//
// Every rule is a function from a template to its problems, so that a template
// with a mistake in it can be given to the same function: seeded_test.go makes
// such mistakes and expects each to be found. What each function may do in AWS is
// compared with what its code does there: record_test.go runs the real verbs and
// adapters against engines and writes down every call, in testdata/calls.txt.
//
// The files in events/ are what `sam local invoke` and `make invoke` send; here
// the real handlers answer them.
package deploy
