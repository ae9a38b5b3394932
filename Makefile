# What one does with this repository; `make` alone lists it. What is built or installed goes to $(CACHE), outside the clone.

CACHE ?= $(or $(TIDEGATE_CACHE),$(HOME)/.cache/tidegate)
export CARGO_TARGET_DIR := $(CACHE)/target
# A node takes every variable that begins with TIDEGATE_ for a setting of its own.
unexport CACHE TIDEGATE_CACHE

CARGO := cargo
RELEASE := $(CARGO_TARGET_DIR)/release
TOOLS := $(CACHE)/tools
DENY_VERSION := 0.20.2
DENY := $(TOOLS)/bin/cargo-deny
# Where the command is missing, waiting has no bound.
TIMEOUT := $(and $(shell command -v timeout),timeout 120)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test lint sim bench instructions format clippy docs deny tools

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## Run the fraud-detection sample with 10,000 transactions, everything included
	@$(CARGO) build --locked --release -p tidegate -p fraud-detection
	@exec "$(RELEASE)/fraud-detection" demo --tidegate "$(RELEASE)/tidegate"

test: lint ## Check everything that CI checks: lint, then all tests
	@$(CARGO) test --locked --workspace --no-run
	@TEST_BINARIES=$(CARGO_TARGET_DIR)/debug $(CARGO) test --locked --workspace
	@$(MAKE) instructions

lint: format clippy deny docs ## Check format, lints, dependencies and documentation

sim: ## Simulate the core: SEED=n replays one seed with a trace, SEEDS=n tries so many
	@$(if $(SEED),SIM_SEED=$(SEED)) $(if $(SEEDS),SIM_SEEDS=$(SEEDS)) $(if $(STEPS),SIM_STEPS=$(STEPS)) \
		$(CARGO) test --locked --release -p tidegate-core --test sim every_seed -- --nocapture

bench: ## Measure throughput and latency into bench.json; CASE=id measures one case
	@$(CARGO) run --locked --release -p integration-tests --bin bench -- $(CASE)

instructions: ## Count the core's instructions per message; UPDATE=1 makes them the figures to keep
	@$(CARGO) bench --locked -p tidegate-core --bench instructions -- $(if $(UPDATE),--update)

format:
	@if $(CARGO) fmt --version >/dev/null 2>&1; then $(CARGO) fmt --all --check; \
	else echo "rustfmt is not installed (rustup component add rustfmt): the format was not checked"; fi

clippy:
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
		$(CARGO) clippy --locked --workspace --all-targets -- -D warnings; \
	else echo "clippy is not installed (rustup component add clippy): lints were not checked"; fi

docs:
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

# Licences, sources and bans are checked against deny.toml. Advisories come from elsewhere and change without us: they are
# shown where their database can be reached, and fail nothing.
deny: tools
	@if [ ! -x "$(DENY)" ]; then \
		echo "cargo-deny could not be installed: licences and sources were not checked"; \
		[ "$(CI)" != true ]; \
	else \
		"$(DENY)" --log-level error --locked check bans licenses sources && \
		if $(TIMEOUT) "$(DENY)" --log-level off fetch db >/dev/null 2>&1; \
		then "$(DENY)" --locked --offline check advisories || true; \
		else echo "the advisory database cannot be reached: advisories were not checked"; fi; \
	fi

# It runs for a second: an unoptimised build of it is ready sooner.
tools:
	@[ -x "$(DENY)" ] || $(CARGO) install --locked --debug --root "$(TOOLS)" cargo-deny@$(DENY_VERSION) || true
