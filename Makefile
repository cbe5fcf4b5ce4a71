# Weir's commands; `make help` lists them. Each installs what it needs and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

WEIR_CACHE ?= $(HOME)/.cache/weir
export WEIR_CACHE
export CCACHE_DIR ?= $(WEIR_CACHE)/ccache
# A fresh clone in another folder finds what an earlier one compiled.
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
BUILD ?= build
JOBS ?= $(shell nproc)
SEEDS ?= 40
FUZZ_SECONDS ?= 60
PYTHON := $(WEIR_CACHE)/venv/bin/python
PYTEST := $(PYTHON) -m pytest -q -p no:cacheprovider
CMAKE_ARGS = -G Ninja -DWEIR_CARGO_TARGET=$(WEIR_CACHE)/cargo -DWEIR_ARROW_ROOT="$$(tools/setup --arrow-root)"

.PHONY: help build test crash check fuzz bench demo clean setup configure

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install everything that build and test need (apt, Python wheels, test servers)
	@tools/setup build servers

configure:
	@tools/setup build
	@if [[ ! -f $(BUILD)/build.ninja ]]; then \
	  echo "configure: cmake into $(BUILD)/"; \
	  cmake -S . -B $(BUILD) $(CMAKE_ARGS) >$(WEIR_CACHE)/log/cmake.log 2>&1 || \
	    { tail -n 30 $(WEIR_CACHE)/log/cmake.log; exit 1; }; \
	fi

build: configure ## the binary, build/weir, and the unit tests
	@echo "build: C++ by ninja, the DataFusion bridge by cargo (a first build takes some minutes)"
	@ninja -C $(BUILD) -j $(JOBS)
	@echo "build: done, $(BUILD)/weir"

# The servers are built beside the engine at low priority; their log is in $(WEIR_CACHE)/log.
test: ## unit tests, style invariants, golden pipelines, integration on real servers, 40 crash seeds
	@tools/setup build
	@WEIR_SETUP_NICE=19 tools/setup servers >$(WEIR_CACHE)/log/servers.log 2>&1 </dev/null & \
	$(MAKE) build BUILD=$(BUILD); \
	wait || true
	@tools/setup servers
	@tools/run-tests --build $(BUILD) --jobs $(JOBS) --seeds $(SEEDS)

crash: build ## kill -9 on real NATS, Kafka, ClickHouse, MinIO: make crash SEEDS=200
	@tools/setup servers
	@echo "crash: $(SEEDS) seeds, the workloads in turn"
	@$(PYTHON) tests/crash/crash.py --seeds $(SEEDS)

check: configure ## format, lint, style invariants
	@tools/setup check
	@tools/check --build $(BUILD) --jobs $(JOBS)

fuzz: ## every decoder under libFuzzer, FUZZ_SECONDS=60 each
	@tools/setup build fuzz
	@tools/fuzz --seconds $(FUZZ_SECONDS) --jobs $(JOBS)

bench: build ## benchmarks, the peer beside each in the same run
	@tools/setup bench
	@bench/run

demo: build ## see it work: make demo DEMO_SECONDS=20 ends by itself
	@tools/setup nats chdb
	@DEMO_SECONDS="$(DEMO_SECONDS)" tools/demo

clean: ## remove build folders (the cache in WEIR_CACHE stays)
	@rm -rf $(BUILD) build-fuzz
	@echo "clean: removed $(BUILD)/ and build-fuzz/; rm -rf $(WEIR_CACHE) removes the cache too"
