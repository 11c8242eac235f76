# What can be done with this repository. `make` alone lists it. Longer recipes are in
# scripts/; linters and formatters have a go.mod of their own, tools/go.mod.

.DEFAULT_GOAL := help

FUNCTIONS := issue rotate callback
GO_FOLDERS := $(wildcard cmd functions internal pkg)
TOOL := go tool -modfile=tools/go.mod

# The flags of a deployed binary: without the RPC of Lambda's old Go runtime, and with nothing of
# the machine, the folder or the state of git in it. The same source and the same Go give the
# same bytes; `make verify` builds twice to see that.
LAMBDA_BUILD := CGO_ENABLED=0 GOOS=linux GOARCH=arm64 GOARM64=v8.0 GOFLAGS=-mod=readonly \
	go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags '-s -w'

# Of samconfig.toml: default is the development stack.
ENV := default
SAM := .cache/verify/bin/sam

.PHONY: help run test test-short lint fmt cover fuzz sim soak verify build validate deploy delete logs invoke \
	clean build-IssueFunction build-RotateFunction build-CallbackFunction FORCE

FUNCTION := issue
EVENT := issue-first
# The logical id of a function: IssueFunction for issue.
resource = $(patsubst issue,Issue,$(patsubst rotate,Rotate,$(patsubst callback,Callback,$(1))))Function

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

sim: ## let simulated fleets live: fixed and fresh seeds, planted mistakes, thousands (1-2 minutes)
	go test -count 1 -timeout 15m ./internal/sim

soak: ## let simulated fleets live, a fresh seed each, until stopped (SOAK_FOR, SOAK_SEED)
	@scripts/soak

build: $(FUNCTIONS:%=out/%/bootstrap) ## build the functions for Lambda, into out/<name>/bootstrap

# Go knows better than make what has to be built again.
out/%/bootstrap: FORCE
	$(LAMBDA_BUILD) -o $@ ./functions/$*

# For `sam build`, which names the folder in ARTIFACTS_DIR.
build-IssueFunction build-RotateFunction build-CallbackFunction: build-%Function:
	$(LAMBDA_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr '[:upper:]' '[:lower:]')
	chmod 755 "$(ARTIFACTS_DIR)/bootstrap"

verify: ## check the template and the built functions; the first time this fetches the tools (minutes)
	@scripts/verify

$(SAM):
	@scripts/verify tools

validate: ## check the template alone
	@scripts/verify template

deploy: $(SAM) ## build, and deploy into the account of the AWS credentials; ENV=prod for production
	$(SAM) build --config-env $(ENV)
	$(SAM) deploy --config-env $(ENV) $(ARGS)

delete: $(SAM) ## remove the stack; table, key and secrets stay (docs/operations.md)
	$(SAM) delete --config-env $(ENV) $(ARGS)

logs: $(SAM) ## follow the log of FUNCTION=issue (or rotate, callback)
	$(SAM) logs --config-env $(ENV) --name $(call resource,$(FUNCTION)) --tail

invoke: $(SAM) ## invoke the deployed function with EVENT=issue-first, a file in events/; prints the token
	$(SAM) remote invoke $(call resource,$(firstword $(subst -, ,$(EVENT)))) --config-env $(ENV) \
		--event-file events/$(EVENT).json

clean: ## remove what builds and tests leave; engines stay (rm -rf .cache forgets them)
	rm -rf bin out .aws-sam bootstrap *.test *.out
