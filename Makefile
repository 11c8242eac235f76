# What can be done with this repository. `make` alone lists it. Longer recipes are in
# scripts/; linters and formatters have a go.mod of their own, tools/go.mod.

.DEFAULT_GOAL := help

FUNCTIONS := issue rotate callback
GO_FOLDERS := $(wildcard cmd functions internal pkg)
TOOL := go tool -modfile=tools/go.mod

.PHONY: help run test test-short lint fmt cover fuzz build clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Not `go run`, which makes an error of Ctrl-C.
run: ## start everything on this machine, until Ctrl-C; ARGS='-h' lists flags
	@go build -o bin/local ./cmd/local && exec bin/local $(ARGS)

test: ## run all tests, with the race detector; the first time this fetches the engines
	@scripts/engines
	@scripts/browser
	RELTIO_TOKENS_ENGINES=required go test -race -timeout 10m ./...

test-short: ## run the tests that need nothing but Go
	go test -short ./...

lint: ## check style, imports and mistakes; the first time this compiles the linters (minutes)
	@echo 'gofumpt -l $(GO_FOLDERS)'
	@files=$$($(TOOL) gofumpt -l $(GO_FOLDERS)) || exit; \
		[ -z "$$files" ] || { printf 'Run "make fmt" for:\n%s\n' "$$files"; exit 1; }
	$(TOOL) golangci-lint run

fmt: ## format the Go files
	$(TOOL) gofumpt -w $(GO_FOLDERS)

cover: ## print the coverage of the packages that decide; less than 90 % is an error
	@scripts/cover

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz

build: $(FUNCTIONS:%=out/%/bootstrap) ## build the functions for Lambda, into out/<name>/bootstrap

# Go knows better than make what has to be built again.
out/%/bootstrap: FORCE
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 \
		go build -tags lambda.norpc -trimpath -ldflags '-s -w' -o $@ ./functions/$*

clean: ## remove what builds and tests leave; engines stay (rm -rf .cache forgets them)
	rm -rf bin out .aws-sam bootstrap *.test *.out
