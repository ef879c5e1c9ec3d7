# `make demo` shows it, `make test` proves it. Everything is installed under .venv and node_modules; nothing else is touched,
# except that `make system` (part of `make test`) adds Debian packages where it may.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup system check test soak mutation demo newcomer bench scenarios docs picture lock sbom gas-backtest accuracy

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.locked node_modules/.locked ## .venv and node_modules, exactly as locked

.venv/.locked: requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Seawall needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...")'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

node_modules/.locked: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	touch $@

system: ## Debian packages the real-parts tests need (installed as root, else named)
	.ci/system

check: setup ## format, lint, types, import contracts, fast tests: two minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache --no-logo
	$(PYTEST) -q -m "not slow" -n auto --dist loadfile

test: setup system ## everything, on real parts
	$(PYTEST)

soak: setup ## the whole daemon through 100 seeds of 20 seconds of faults: a line a seed, then the sum
	$(BIN)/python -m tests.chaos --seeds 1-100 --seconds 20 --jobs 4
	HYPOTHESIS_PROFILE=long $(PYTEST) -q tests/monitor/test_reorgs.py tests/monitor/breaker/test_life.py
	$(BIN)/python -m tests.support.kills --rounds 200
	$(BIN)/python -m tests.seeded

mutation: setup ## every small change of what decides about pauses is noticed by its fast tests (ten minutes)
	$(BIN)/python -m tests.mutation

demo: setup ## a local chain, real protocols, honest traffic, then the attacks
	$(BIN)/seawall demo

bench: setup ## ratios measured in one run, one JSON object each
	for one in startup restart ingest block flood flags page alerts; do $(BIN)/python -m benchmarks.$$one; done

gas-backtest: setup ## the whole gas back-test, 420,000 blocks in a quarter of an hour; writes docs/gas.md
	$(BIN)/python -m benchmarks.gas --full --write

VARIATIONS ?= 6
HONEST ?= 20000
SEED ?= 0
accuracy: setup ## the corpus in every way, real blocks, honest traffic: writes docs/accuracy.md (a quarter of an hour on two idle cores; says how far it is)
	$(BIN)/python -m tests.scenarios --variations $(VARIATIONS) --honest $(HONEST) --seed $(SEED) --write docs/accuracy.md

newcomer: ## from a fresh clone over the show to a flag of one's own, by the clock: what somebody new goes through
	$(BIN)/python -m tests.newcomer

scenarios: setup ## the staged incidents
	$(PYTEST) tests/scenarios

docs: setup ## generated documents: dashboards, Kubernetes manifests of them, the configuration's schema
	$(BIN)/python -m dashboards.generate
	$(BIN)/python -m dashboards.manifests
	$(BIN)/seawall schema > seawall.schema.json

picture: setup system ## the README's picture of the page, taken during a show
	$(BIN)/python -m tests.support.picture

SBOM ?= dist/sbom.json
sbom: setup ## what the image holds, every locked part with its hashes, as CycloneDX
	mkdir -p $(dir $(SBOM))
	$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --output-reproducible --of JSON -o $(SBOM)

lock: ## resolve requirements/*.in anew (pip-tools in a venv of its own, so that the two never mix)
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet pip-tools
	for name in run build dev; do .cache/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o requirements/$$name.txt requirements/$$name.in; done
