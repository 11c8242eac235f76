#!/usr/bin/env bash
# A reader of README.md takes the lines of "In your function" as they stand there, in Python, Node.js and Go. The test is
# prod.reltio.com for them: it has the tenant API that `make run` starts.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
start_stack
add_connection

# lines prints the block of README.md in a language.
lines() { awk -v fence="\`\`\`$1" '$0 == "```" { inside = 0 } inside; $0 == fence { inside = 1 }' "$REPOSITORY/README.md"; }

say "Python"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check 'reltio-tokens[requests]'
{ lines python && echo 'print(ada["label"])'; } >five.py
HTTPS_PROXY=$PROXY NO_PROXY=127.0.0.1 REQUESTS_CA_BUNDLE=$SSL_CERT_FILE venv/bin/python five.py | grep -x 'Ada Lovelace'

say "Node.js"
npm init -y >package.log
npm install --offline --no-audit --no-fund --loglevel=error "$NODE_PACKAGE"
{ lines js && echo 'console.log(ada.label);'; } >five.mjs
# fetch of Node.js 20 asks no proxy.
cat >elsewhere.cjs <<'END'
const tls = require("node:tls");
const connect = tls.connect;
tls.connect = (options, ...rest) => connect(options.host === "prod.reltio.com" ? { ...options, host: "127.0.0.1", port: process.env.TENANT_PORT } : options, ...rest);
END
node --require ./elsewhere.cjs five.mjs | grep -x 'Ada Lovelace'

say "Go"
go mod init example.org/five
go mod edit -replace "github.com/reltio-tokens/reltio-tokens=$REPOSITORY" # until there is a release
cp "$REPOSITORY/go.sum" .
{
  cat <<'END'
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
END
  lines go
  printf 'if err != nil {\nlog.Fatal(err)\n}\n_, _ = io.Copy(os.Stdout, resp.Body)\n}\n'
} >five.go
go get github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient
HTTPS_PROXY=$PROXY NO_PROXY=127.0.0.1 go run five.go | grep 'Ada Lovelace'
