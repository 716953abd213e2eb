# slipway: `make up` runs it on this machine, `make test` proves it. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export SLIPWAY_CACHE ?= $(HOME)/.cache/slipway
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -ldflags '-X main.version=$(VERSION)'
# buildkitd and the networks of builds and previews need root; everything is built as who you are.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E env "PATH=$$PATH" "HOME=$$HOME")
ROOT_EXEC := $(if $(ROOT),-exec "sudo -E env 'PATH=$$PATH' 'HOME=$$HOME'")

.PHONY: help up down status deps packages images build test test-monorepos test-gvisor chaos chaos-outages bench bench-cancel bench-backpressure bench-swap bench-git screenshot lint verify generate histories

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

up: deps build ## install what is missing, start everything in the background, deploy an example
	@$(ROOT) bin/slipway-dev up

down: ## stop all that `make up` started; PURGE=1 removes its data too
	@if [ -x bin/slipway-dev ]; then $(ROOT) bin/slipway-dev down --docker-engine $(if $(PURGE),--purge); else echo "nothing was built here, so nothing runs"; fi

status: ## show what runs
	@$(ROOT) bin/slipway-dev status

deps: ## install what the machine lacks
	@deploy/dev/deps.sh

packages:
	@deploy/dev/deps.sh packages

images: deps ## make the base images of the air-gapped profile from Debian's packages
	@$(ROOT) deploy/images/build.sh

build: ## build slipway, slipway-dev, slipway-temporal and buildkitd into bin/
	@mkdir -p bin
	@echo "==> building slipway $(VERSION)" >&2
	@go build $(LDFLAGS) -o bin/ ./cmd/...
	@ln -sf "$$(deploy/dev/tool.sh buildkitd)/buildkitd" bin/buildkitd

test: deps images build ## run the whole suite against real components
	@# The embedded Temporal server runs apart and is never built with the race detector: that alone takes minutes.
	go test -shuffle=on ./temporal/devserver/...
	go build -ldflags=-w -race -o bin/race/ ./cmd/slipway-dev
	@for tool in compose knot local-kms tctl temporal; do deploy/dev/tool.sh $$tool >/dev/null; done
	@# make lint vets already, and nobody debugs these programs. The longest packages are named first, so that the others run beside
	@# them; of what waits for builds and previews more runs side by side than there are cores.
	SLIPWAY_TEST_BIN_DIR=$(CURDIR)/bin/race go test $(ROOT_EXEC) -vet=off -ldflags=-w -race -shuffle=on -parallel 4 -timeout 30m ./e2e ./e2e/chaos ./...

test-monorepos: deps images ## really build and ask an app of each kind of monorepo (docs/monorepos.md), and of Bun
	go test $(ROOT_EXEC) ./internal/planner -run 'TestServed/(monorepo|bun)-' -count 1 -timeout 1h -parallel 2 -v -monorepos

test-gvisor: deps ## run the tests of previews' containers under gVisor, on a Docker engine of its own
	@deploy/dev/tool.sh gvisor >/dev/null
	@$(ROOT) deploy/dev/gvisor.sh

chaos: deps images build ## kill every process, cancel, race and terminate at every moment of a deploy; writes docs/reliability.md
	go build -race -o bin/race/ ./cmd/slipway
	go test $(ROOT_EXEC) -race -timeout 6h -v ./e2e/chaos -args -bin $(CURDIR)/bin/race -cells single -posts 10000 -keys 100 \
		-cancels 0 -report $(CURDIR)/docs/reliability.md

chaos-outages: deps images build ## Postgres, Temporal, the registry and the Docker engine away for a minute with deploys at every moment under way
	go test $(ROOT_EXEC) -timeout 1h -v ./e2e/chaos -run 'TestMatrix/(postgres|temporal|registry|dockerd)' \
		-args -cells together -down 60s

bench: deps images build ## compare slipway with the bare pipeline; ROUNDS=, LIMIT=, CASES=, APPS= narrow it; writes docs/performance.md
	go run $(ROOT_EXEC) ./bench $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(LIMIT),-limit $(LIMIT)) $(if $(CASES),-cases $(CASES)) $(if $(APPS),-apps $(APPS))

bench-compression: deps images build ## compare ways to compress layers, from the builder to the Docker engine; writes docs/performance.md
	go run $(ROOT_EXEC) ./bench -cases compression -apps node $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(LIMIT),-limit $(LIMIT))

bench-cancel: deps images build ## cancel 1,000 deploys at random moments, for 30 minutes at most; writes docs/reliability.md
	go test $(ROOT_EXEC) -timeout 2h -v ./e2e/chaos -run TestCancelLatency -args -cancels 1000 \
		-report $(CURDIR)/docs/reliability.md

bench-backpressure: deps images build ## ask for 500 deploys at once, more than the installation takes; writes docs/reliability.md
	go test $(ROOT_EXEC) -timeout 2h -v ./e2e/chaos -run TestBackpressure -args -deploys 500 \
		-report $(CURDIR)/docs/reliability.md

bench-swap: deps images build ## redeploy an app ten times under 10,000 requests, slow ones, uploads and WebSockets; writes docs/reliability.md
	go test $(ROOT_EXEC) -timeout 1h -v ./e2e/chaos -run TestSwap -args -swaps 10 -requests 10000 -swap-rate 100 -drain 30s \
		-report $(CURDIR)/docs/reliability.md

bench-git: ## compare fetching a large repository with git itself (50,000 files, 1 GB of history; needs 8 GB of disk)
	go run ./bench/git

screenshot: deps build ## take the pictures of a deploy in Temporal's Web UI anew (docs/web-ui*.png)
	@$(ROOT) deploy/dev/screenshot.sh

lint: packages ## check style, boundaries, determinism of workflows, what is deployed, and that generated files are fresh
	"$$(deploy/dev/tool.sh lint)/golangci-lint" run ./...
	"$$(deploy/dev/tool.sh lint)/workflowcheck" ./workflows/...
	go test ./e2e/compose -run '^TestFile'
	deploy/dev/units.sh
	@$(MAKE) verify

generate: ## write the generated files anew
	"$$(deploy/dev/tool.sh oapi-codegen)/oapi-codegen" -config api/oapi/oapi-codegen.yaml api/openapi.yaml
	"$$(deploy/dev/tool.sh oapi-codegen)/oapi-codegen" -config api/client/oapi-codegen.yaml api/openapi.yaml
	"$$(deploy/dev/tool.sh sqlc)/sqlc" generate
	go test ./internal/config -run TestDocumentIsFresh -count 1 -update
	go test ./internal/deployment -run Document -count 1 -update
	go test ./e2e/compose -run TestFile_BuildkitdIsFresh -count 1 -update

histories: build ## record the histories of all scenarios anew (workflows/testdata/histories/README.md says when)
	go test ./workflows -run TestScenarios -count 1 -record

verify: ## fail when a generated file is not what `make generate` writes
	@deploy/dev/verify.sh
