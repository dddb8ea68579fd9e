# Freshet. `make help` lists what there is to make.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CONTROLLER_GEN := sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0
BUF            := github.com/bufbuild/buf/cmd/buf@v1.75.0
PROTOC_GO_GRPC := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
GOLANGCI_LINT  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CACHE   := $(or $(FRESHET_CACHE),$(HOME)/.cache/freshet)
TOOLS   := $(CACHE)/tools
LDFLAGS := -X main.version=$(VERSION)
MODULES := . e2e
# The real servers that tests talk to.
SERVERS := redis-server prometheus rabbitmq-server kafka azurite-queue bao moto_server
# The race detector needs a C compiler.
RACE    := $(if $(shell command -v gcc || command -v clang),-race)

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run

.PHONY: demo
demo: build ## Go 0 → N → 0 on a real control plane and a real Redis, with a live table (KEEP=1 keeps it)
	@cd e2e && go run ./cmd/demo -freshet $(CURDIR)/bin/freshet -config $(CURDIR)/config $(if $(KEEP),-keep)

.PHONY: build
build: ## Build bin/freshet, and bin/kubectl-freshet as kubectl's plugin
	@mkdir -p bin
	@echo "building bin/freshet (the first build takes a few minutes)"
	@go build -ldflags '$(LDFLAGS)' -o bin/freshet ./cmd/freshet
	@ln -sf freshet bin/kubectl-freshet

.PHONY: cluster-up
cluster-up: ## Start a local control plane in the background
	@cd e2e && go run ./cmd/cluster up

.PHONY: cluster-down
cluster-down: ## Stop it
	@cd e2e && go run ./cmd/cluster down

##@ Check

# The e2e tests never come from Go's cache, which does not see that the program changed.
.PHONY: test
test: build ## Run all tests: unit, integration (real servers) and e2e (real control plane)
	@go run ./scalers/scalertest/servers/install $(SERVERS)
	$(if $(RACE),,@echo "no C compiler is here: testing without the race detector")
	go test $(RACE) -timeout 15m ./...
	@cd e2e && go run ./cmd/cluster build
	cd e2e && FRESHET=$(CURDIR)/bin/freshet go test -count=1 -timeout 40m ./...

.PHONY: tools
tools: $(TOOLS)/golangci-lint ## Build the tools that checks need, once

$(TOOLS)/golangci-lint: Makefile
	@echo "building golangci-lint (about two minutes, once)"
	@GOBIN=$(TOOLS) go install $(GOLANGCI_LINT)

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run golangci-lint on both modules
	@for m in $(MODULES); do (cd $$m && $(TOOLS)/golangci-lint run) || exit 1; done

.PHONY: verify
verify: ## Fail when generated files, formatting or go.mod are out of date
	@./.ci/verify

.PHONY: bench
bench: ## Run the benchmarks
	@go run ./scalers/scalertest/servers/install $(SERVERS)
	go test -run '^$$' -bench . -benchmem ./scalers/... ./metricsadapter/... ./controller/... ./benchmarks/...

.PHONY: bench-engine
bench-engine: ## Measure a cycle of 1,000 to 60,000 triggers of a real Redis, and draw it into benchmarks/results
	@go run ./scalers/scalertest/servers/install redis-server
	go run ./benchmarks/engine -o benchmarks/results/engine

# N objects; ARGS are further flags, see benchmarks/README.md.
.PHONY: bench-fleet
bench-fleet: build ## Measure 1,000 objects on a local control plane, with a picture (N=100 for fewer)
	@go build -o bin/ ./benchmarks/fleet ./benchmarks/constant
	@cd e2e && go build -o ../bin/benchfleet ./cmd/benchfleet
	@exec bin/benchfleet -- all --objects $(or $(N),1000) --commit $(VERSION) $(ARGS)

##@ Generate

.PHONY: update
update: generate tidy ## Regenerate everything and format
	gofmt -w $$(git ls-files '*.go')

.PHONY: generate
generate: ## Regenerate CRDs, deep copies, RBAC, the pages and the schema of triggers
	go run $(CONTROLLER_GEN) object paths=./apis/...
	go run $(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./apis/... output:crd:artifacts:config=config/crd
	go run ./apis/internal/crdtrim config/crd/keda.sh_*.yaml
	go run $(CONTROLLER_GEN) rbac:roleName=freshet paths=./controller/permissions output:rbac:artifacts:config=config/rbac
	go run ./scalers/describe/gen docs/triggers

# Not part of generate: the compiler takes minutes to build, and the protocol is KEDA's.
.PHONY: generate-proto
generate-proto: ## Regenerate the protocol of external scalers
	GOBIN=$(TOOLS) go install google.golang.org/protobuf/cmd/protoc-gen-go
	GOBIN=$(TOOLS) go install $(PROTOC_GO_GRPC)
	cd scalers/external/externalscaler && PATH=$(TOOLS):$$PATH go run $(BUF) generate

.PHONY: tidy
tidy: ## Tidy go.mod of both modules
	@for m in $(MODULES); do (cd $$m && go mod tidy); done
