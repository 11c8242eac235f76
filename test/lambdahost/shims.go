package lambdahost

import _ "embed" // the shims

// The shims are what Lambda's own runtimes do, for handlers in other languages.
var (
	//go:embed shims/python.py
	pythonShim string
	//go:embed shims/node.mjs
	nodeShim string
)

// Python is the command of a function whose handler is written in Python;
// Function.Handler names it ("app.handler"), Function.Dir is its folder.
func Python() []string { return []string{"python3", "-u", "-c", pythonShim} }

// Node is the command of a function whose handler is written for Node.js;
// Function.Handler names it ("index.handler"), Function.Dir is its folder.
func Node() []string { return []string{"node", "--input-type=module", "--eval", nodeShim} }
