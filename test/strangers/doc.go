// Package strangers plays the first half hour of people who know nothing of this
// repository but its documents: an integrator in Python, in Node.js, in Go and with
// the extension, an operator with thirty connections, and a contributor who adds a
// field. It has tests and nothing else.
//
// Each of them is a script in the folder scripts, to be read as what that person
// types. It runs in an empty folder, which is its home too, with a copy of the
// repository as a clone has it, and uses only commands that a document has. What
// the documents install is there already, so that no script needs the network: the
// packages as scripts/packages built them, and Go's caches of modules and builds.
package strangers
