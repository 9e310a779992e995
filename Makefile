# Everything runs from .venv, which the first target makes from requirements.lock. Nothing needs to be activated.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PLAN ?= plans/checkout.yaml
BUDGET ?= 300
SEED ?= 0
NULL ?= 0
MINUTES ?= 10
FAULTS ?=
CONFIG ?= all
RUNS ?= 40
ARGS ?=
BIN := .venv/bin
# No index is named in any file or message: pip takes it from the machine that it runs on.
PIP_TELLS := --no-input --disable-pip-version-check --progress-bar off
PIP_FLAGS := --quiet --quiet $(PIP_TELLS)
NO_WARNINGS := sed -E '/^(WARNING|DEPRECATION)/d'
HIDE_HOSTS := sed -E "s@(https?|file)://[^ ,')]+@<index>@g; s@host='[^']*'@host=<index>@g" >&2

# Where nobody may write compiled files, each of the hundreds of processes that tests start would compile all of cutover.
test cover: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup rehearse test check format cover bench bench-gating explore prove planted lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

rehearse: setup ## a whole cutover on an emulated AWS: no account, no keys (PLAN=plans/checkout.yaml)
	@$(BIN)/cutover rehearse $(PLAN)

# Several processes (tests/conftest.py says how many); one with ARGS=-n0, and without make.
test: setup ## every test (ARGS="-m 'not slow' tests/core" for fewer)
	@$(BIN)/python -m pytest -n auto $(ARGS)

check: setup ## format, lint, types, the import law, the docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(wildcard src tests benchmarks)
	$(BIN)/lint-imports
	$(if $(wildcard tests/docs_checks.py),$(BIN)/python -m tests.docs_checks)

format: setup ## rewrite the code the way that check wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cover: setup ## branch coverage: core, ports and runner by their own tests and the contracts, then everything by every test
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n auto -q $(wildcard tests/core tests/runner tests/contracts)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --include='src/cutover/core/*,src/cutover/ports/*,src/cutover/runner.py' --fail-under=100
	$(BIN)/coverage run -m pytest -n auto -q
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

bench: setup ## measure the numbers that design promises
	@$(BIN)/python -m benchmarks $(ARGS)

bench-gating: setup ## judges compared on simulated traffic: tables, pictures, docs/judge.md; fails when a target is missed (RUNS=40)
	@$(BIN)/python -m benchmarks.gating --runs $(RUNS) --write $(ARGS)

explore: setup ## every state that faults can bring about, for MINUTES=10 on 2 cores (CONFIG=small FAULTS=3); violations go to explored/
	@$(BIN)/python -m tests.explore --minutes $(MINUTES) --config $(CONFIG) $(if $(FAULTS),--faults $(FAULTS)) $(ARGS)

prove: setup ## explorer, swarm, crash lives, journals, kill loop for BUDGET=300 seconds (SEED=0; NULL=10000 healthy cutovers besides)
	@$(BIN)/python -m tests.prove --budget $(BUDGET) --seed $(SEED) --null $(NULL) $(ARGS)

planted: setup ## bugs planted in copies, hunted by walks, swarm and tests: who finds which (ARGS="--only ID", "--all", "--write")
	@$(BIN)/python -m tests.planted $(ARGS)

# One universal file for Linux and Python 3.11 to 3.13, run time and development together. uv lives in a throw-away venv.
# To raise one package: make lock ARGS="--upgrade-package boto3"; all of them: make lock ARGS=--upgrade
lock: ## resolve pyproject.toml into requirements.lock again
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(PYTHON) -m venv "$$tmp/uv"; \
	"$$tmp/uv/bin/pip" install $(PIP_FLAGS) uv 2> >($(HIDE_HOSTS)); \
	UV_PYTHON_DOWNLOADS=never "$$tmp/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --group dev $(ARGS) \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --output-file requirements.lock pyproject.toml 2> >($(HIDE_HOSTS)); \
	if grep -nE '://|--(index|extra-index|find-links|trusted)| @ ' requirements.lock; then \
	  echo 'requirements.lock names a host or a path: it must hold versions and hashes only.' >&2; exit 1; fi

clean: ## remove the environment, caches and build results
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist build explored
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: .venv/.stamp ## make or refresh .venv (instant when nothing changed)

# The lock on the directory lets two makes at once wait for each other instead of installing into one .venv together.
# Debian splits ensurepip off into python3-venv; without it the system's pip, if there is one, fills an empty venv.
.venv/.stamp: requirements.lock pyproject.toml
	@exec 9<.; ! command -v flock >/dev/null || flock 9; \
	if [ .venv/.stamp -nt requirements.lock ] && [ .venv/.stamp -nt pyproject.toml ]; then exit 0; fi; \
	stop() { echo "$$1" >&2; exit 1; }; \
	command -v $(PYTHON) >/dev/null || stop 'cutover needs Python 3.11 or newer, and there is no $(PYTHON) here: apt-get install python3 python3-venv'; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  stop "cutover needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -c 'import platform; print(platform.python_version())'): name another one, e.g. make PYTHON=python3.12"; \
	if ! $(BIN)/python -c '' 2>/dev/null; then \
	  if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv --clear .venv; \
	  elif $(PYTHON) -c 'import pip, venv' 2>/dev/null; then $(PYTHON) -m venv --clear --without-pip .venv; \
	  else stop 'A virtual environment can not be made here: apt-get install python3-venv'; fi; \
	fi; \
	if $(BIN)/python -c 'import pip' 2>/dev/null; then pip=($(BIN)/python -m pip); \
	else pip=($(PYTHON) -m pip --python $(BIN)/python); fi; \
	echo 'Filling .venv from requirements.lock (about a minute the first time)' >&2; \
	progress() { \
	  n=0; \
	  while read -r word _; do case $$word in \
	    Collecting|Requirement) n=$$((n + 1)); [ $$((n % 10)) -ne 0 ] || echo "  $$n packages read" >&2;; \
	    Installing) echo "  all $$n packages are here, installing them" >&2;; \
	  esac; done; }; \
	"$${pip[@]}" install $(PIP_TELLS) --require-hashes -r requirements.lock 2> >($(NO_WARNINGS) | $(HIDE_HOSTS)) | progress; \
	"$${pip[@]}" install $(PIP_FLAGS) --no-deps --no-build-isolation -e . 2> >($(HIDE_HOSTS)); \
	echo '.venv is ready' >&2; \
	touch .venv/.stamp
