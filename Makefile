# What can be done with this repository. `make` alone lists it. Longer recipes are in
# scripts/; linters and formatters have a go.mod of their own, tools/go.mod.

.DEFAULT_GOAL := help

FUNCTIONS := issue rotate callback
# Of the extension's layers, in Lambda's words.
ARCHITECTURES := arm64 x86_64
GO_FOLDERS := $(wildcard cmd docs functions internal pkg test)
# The laboratory is a module of its own.
LAB := test
TOOL := go tool -modfile=tools/go.mod
# Tools that do not agree with those on the versions of what they import.
CI_TOOL := go tool -modfile=tools/ci/go.mod

# The flags of a deployed binary: without the RPC of Lambda's old Go runtime, and with nothing of
# the machine, the folder or the state of git in it. The same source and the same Go give the
# same bytes; `make verify` builds twice to check that.
lambda_build = CGO_ENABLED=0 GOOS=linux GOARCH=$(1) GOARM64=v8.0 GOAMD64=v1 GOFLAGS=-mod=readonly \
	go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags '-s -w'
LAMBDA_BUILD := $(call lambda_build,arm64)

# Of samconfig.toml: default is the development stack.
ENV := default
# The one on the PATH; else one that scripts/verify fetches, with Python alone.
SAM := $(or $(shell command -v sam),.cache/verify/bin/sam)

.PHONY: help run run-binaries test test-short lint fmt cover mutate pictures fuzz sim soak framework faults soak-processes bench bench-check release verify build layers validate deploy delete logs invoke \
	clean build-IssueFunction build-RotateFunction build-CallbackFunction \
	build-ExtensionLayerArm64 build-ExtensionLayerX86 FORCE

FUNCTION := issue
EVENT := issue-first
# The logical id of a function: IssueFunction for issue.
resource = $(patsubst issue,Issue,$(patsubst rotate,Rotate,$(patsubst callback,Callback,$(1))))Function

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Not `go run`, which makes an error of Ctrl-C.
run: ## start everything on this machine, until Ctrl-C; ARGS='-h' lists flags
	@go build -o bin/local ./cmd/local && exec bin/local $(ARGS)

run-binaries: ## the same with the real binaries and engines, as on AWS; fetches the engines first (minutes)
	@case ' $(ARGS) ' in *' -h '* | *' -help '* | *' --help '*) ;; *) scripts/engines ;; esac
	@go build -C $(LAB) -o ../bin/stack ./cmd/stack && exec bin/stack $(ARGS)

test: ## run all tests, with the race detector; the first time this fetches engines and clients (minutes)
	@scripts/engines
	@scripts/clients
	@scripts/packages
	@scripts/browser
	-@scripts/verify cfn-lint
	RELTIO_TOKENS_ENGINES=required go test -race -timeout 10m ./...
	RELTIO_TOKENS_ENGINES=required go test -C $(LAB) -race -timeout 10m ./...

test-short: ## run the tests that need nothing but Go
	go test -short ./...
	go test -C $(LAB) -short ./...

lint: ## check style, imports, words and mistakes, and print what changed in the public API; the first time this compiles the linters (minutes)
	@echo 'gofumpt -l $(GO_FOLDERS)'
	@files=$$($(TOOL) gofumpt -l $(GO_FOLDERS)) || exit; \
		[ -z "$$files" ] || { printf 'Run "make fmt" for:\n%s\n' "$$files"; exit 1; }
	$(TOOL) golangci-lint run
	cd $(LAB) && go tool -modfile=../tools/go.mod golangci-lint run
	$(CI_TOOL) actionlint -shellcheck= -pyflakes=
	go test -C $(LAB) -count 1 ./style
	go test -C $(LAB) -count 1 -run 'Documents|Marks|Messages|Wrong|Owned|Pinned|Published' ./docs
	@scripts/apidiff
	@scripts/packages lint

fmt: ## format the Go files
	$(TOOL) gofumpt -w $(GO_FOLDERS)

cover: ## print the coverage of the packages that decide; less than 90 % is an error
	@scripts/cover

mutate: ## plant mistakes into the packages that decide, and print which no test notices (20 minutes and more)
	@scripts/mutate $(ARGS)

pictures: ## make the pictures of the README, from the program itself; needs a Chromium
	@scripts/pictures

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz

sim: ## run simulated fleets in virtual time: fixed and fresh seeds, mutants, thousands of connections (3 minutes)
	go test -C $(LAB) -count 1 -timeout 15m ./simulation

soak: ## run simulated fleets, a fresh seed each, until stopped (SOAK_FOR, SOAK_SEED)
	@scripts/soak

framework: ## run the real binaries against Spring Security OAuth2 (minutes; JDK 17, Maven); UPDATE=1 writes docs/framework.md
	@scripts/framework test

faults: ## break each operation of the real binaries in every way, and write docs/faults.md and .cache/faults.md (minutes)
	@scripts/faults

soak-processes: ## break the real binaries at random, until stopped (SOAK_FOR, SOAK_SEED)
	@scripts/faults soak

bench: ## measure everything, and write docs/performance.md and docs/performance.json (20 minutes; root)
	@scripts/engines
	@go build -C $(LAB) -o ../bin/bench ./cmd/bench && exec bin/bench $(ARGS)

bench-check: ## measure what no busy machine disturbs, and compare it with docs/performance.json (1-2 minutes)
	@scripts/engines
	@go build -C $(LAB) -o ../bin/bench ./cmd/bench && exec bin/bench -check

build: $(FUNCTIONS:%=out/%/bootstrap) ## build the functions for Lambda, into out/<name>/bootstrap

# Always run: Go decides itself what has to be built again.
out/%/bootstrap: FORCE
	$(LAMBDA_BUILD) -o $@ ./functions/$*

# For `sam build`, which names the folder in ARTIFACTS_DIR.
build-IssueFunction build-RotateFunction build-CallbackFunction: build-%Function:
	$(LAMBDA_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr '[:upper:]' '[:lower:]')
	chmod 755 "$(ARTIFACTS_DIR)/bootstrap"

layers: $(ARCHITECTURES:%=out/layers/%/extensions/reltio-tokens) ## build the extension's layers, into out/layers/<architecture>

# Lambda's word for an architecture, in Go's.
goarch = $(patsubst x86_64,amd64,$(1))

# Lambda starts what is in the folder extensions of a layer.
out/layers/%/extensions/reltio-tokens: FORCE
	$(call lambda_build,$(call goarch,$*)) -o $@ ./cmd/extension

build-ExtensionLayerArm64: ARCHITECTURE := arm64
build-ExtensionLayerX86: ARCHITECTURE := x86_64
build-ExtensionLayerArm64 build-ExtensionLayerX86:
	$(call lambda_build,$(call goarch,$(ARCHITECTURE))) -o "$(ARTIFACTS_DIR)/extensions/reltio-tokens" ./cmd/extension
	chmod -R 755 "$(ARTIFACTS_DIR)/extensions"

release: ## make what a release has, into out/release, twice, and compare; nothing is published (minutes)
	@scripts/release

verify: ## check the template and the built functions; the first time this fetches the tools (minutes)
	@scripts/verify

.cache/verify/bin/sam:
	@scripts/verify sam

validate: ## check the template alone
	@scripts/verify template

deploy: $(filter .cache/%,$(SAM)) ## build, and deploy into the account of the AWS credentials; ENV=prod for production
	$(SAM) build --config-env $(ENV)
	$(SAM) deploy --config-env $(ENV) $(ARGS)

delete: $(filter .cache/%,$(SAM)) ## remove the stack; table, key and secrets stay (docs/operations.md)
	$(SAM) delete --config-env $(ENV) $(ARGS)

logs: $(filter .cache/%,$(SAM)) ## follow the log of FUNCTION=issue (or rotate, callback)
	$(SAM) logs --config-env $(ENV) --name $(call resource,$(FUNCTION)) --tail

invoke: $(filter .cache/%,$(SAM)) ## invoke the deployed function with EVENT=issue-first, a file in events/; prints the token
	$(SAM) remote invoke $(call resource,$(firstword $(subst -, ,$(EVENT)))) --config-env $(ENV) \
		--event-file events/$(EVENT).json

clean: ## remove what builds and tests leave; engines stay (rm -rf .cache forgets them)
	rm -rf bin out .aws-sam bootstrap *.test *.out
