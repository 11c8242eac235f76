#!/usr/bin/env bash
# An integrator in Go follows docs/integrations/go.md: begins a module in an empty folder, takes the page's integration,
# reads an entity, has the token refused, and reads it again.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
start_stack
add_connection

say "go get github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
go mod init example.org/integration
go mod edit -replace "github.com/reltio-tokens/reltio-tokens=$REPOSITORY" # until there is a release
cp "$REPOSITORY/go.sum" .                                                   # so that nothing is asked of a server
go get github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient

mkdir tenant
cp "$REPOSITORY/docs/integrations/go/tenant.go" tenant/
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"log"
	"os/exec"

	"example.org/integration/tenant"
)

func main() {
	client, err := tenant.New(context.Background(), "")
	if err != nil {
		log.Fatal(err)
	}
	read(client)
	if err := exec.Command("./end-token").Run(); err != nil {
		log.Fatal(err)
	}
	read(client)
}

func read(client *tenant.Client) {
	entity, err := client.Entity(context.Background(), "ada")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", entity)
}
END
go run . >printed
replaced
