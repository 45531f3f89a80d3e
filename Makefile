# Every target has a line in `make help`. The first two need nothing but Go, make and git.
SHELL := /bin/sh
.DEFAULT_GOAL := help

GO      ?= go
BUF     := node_modules/.bin/buf
SQLC    := $(GO) tool -modfile=tools/sqlc/go.mod sqlc
LINT    := $(GO) tool -modfile=tools/golangci/go.mod golangci-lint
TESTENV := $(GO) run ./tools/testenv --
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X github.com/mindspace-app/mindspace/app.version=$(VERSION)
# The contract that must not break is what main holds; on main itself, what the commit before held.
AGAINST ?= $(shell main=$$(git rev-parse -q --verify origin/main || git rev-parse -q --verify main); \
	if [ "$$main" = "$$(git rev-parse HEAD)" ]; then git rev-parse -q --verify HEAD~1 || echo "$$main"; else echo "$$main"; fi)
PACKAGES ?= ./...

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Start everything on http://localhost:8080, with data, until Ctrl-C
	@exec bin/mindspace up

.PHONY: build
build: ## Build bin/mindspace
	@$(GO) build -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/mindspace ./cmd/mindspace

.PHONY: test
test: ## Run all tests against a throwaway PostgreSQL and Redis
	@$(TESTENV) $(GO) test $(PACKAGES)

.PHONY: race
race: ## Run all tests under the race detector
	@$(TESTENV) $(GO) test -race $(PACKAGES)

.PHONY: gen
gen: node_modules ## Regenerate gen/ and the pages from proto, queries and templates
	@$(BUF) format -w
	@$(BUF) generate
	@$(SQLC) generate
	@$(GO) tool templ fmt console
	@$(GO) tool templ generate -log-level error

# What generators write, as one checksum.
GENERATED = find gen console proto -type f \( -path 'gen/*' -o -name '*_templ.go' -o -name '*.templ' -o -name '*.proto' \) | LC_ALL=C sort | xargs cat | cksum

.PHONY: check
check: node_modules ## Everything that guards main besides the tests
	@before=$$($(GENERATED)); $(MAKE) --no-print-directory gen || exit 1; \
	if [ "$$before" != "$$($(GENERATED))" ]; then echo "generated files were out of date; they are new now:"; git status --short -- gen console proto; exit 1; fi
	@$(BUF) lint
	@$(BUF) breaking --against '.git#ref=$(AGAINST)'
	@$(SQLC) diff
	@$(TESTENV) sh -c 'DATABASE_URL=$$TEST_DATABASE_URL $(GO) run ./cmd/mindspace migrate up && SQLC_DATABASE_URL=$$TEST_DATABASE_URL $(SQLC) vet'
	@$(GO) mod tidy -diff
	@$(LINT) run ./...
	@echo "check: all well"

.PHONY: bench
bench: ## Compare with a bare net/http + pgx server, in one run
	@$(GO) run ./bench

.PHONY: clean
clean: ## Remove what was built (never your data in .mindspace)
	@rm -rf bin node_modules bench/out

node_modules: package.json package-lock.json
	@npm ci --no-audit --no-fund --silent
	@touch node_modules
