# Two commands matter: `make e2e` and `make test`. The rest is for the people who work on the project.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOB ?= local
RESULTS ?= _results/bucket
HOSTS ?= 2
SHARD ?= 1/1
export JOB RESULTS HOSTS SHARD
PYTEST := $(BIN)/python -m pytest
LAB := tests/support/lab
PACKAGES := e2e providers upload jobs dashboard_feed

# one that lost its Python or its command is set up again
$(shell test -e $(READY) && ! { test -x $(BIN)/e2e && $(BIN)/python -c 'import e2e, upload'; } 2>/dev/null && rm -f $(READY))

# a path that is not ASCII becomes a line of Python in which it is spelt out
define SPELL_OUT
import pathlib, sys
for file in map(pathlib.Path, sys.argv[1:]):
    paths = list(dict.fromkeys(file.read_bytes().splitlines()))
    if not all(map(bytes.isascii, paths)):
        file.unlink()  # it may be a link to the one in a cache
        file.write_text("".join(f"import os, sys; sys.path.append(os.fsdecode({path!r}))\n" for path in paths))
endef
export SPELL_OUT

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python >= 3.11 is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "make: the venv module is missing; try: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@# uv itself comes from the same lock, by pip and with its hash
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@# before 3.13 Python reads a .pth by the locale and, where that is C, does not start for a path that is not ASCII
	@$(PYTHON) -c "$$SPELL_OUT" $(BIN)/../lib/python3*/site-packages/_editable_impl_*.pth
	@touch $@

venv: $(READY) ## set up .venv from the lock

e2e: $(READY) ## run the main job on this machine (JOB=name for another one)
	@$(if $(wildcard $(LAB)/configs/$(JOB).yaml),tests/support/install-debian-packages; $(BIN)/python -m tests.support.lab job "$$JOB" --) \
		$(BIN)/e2e run "$$JOB" --results "$$RESULTS"

# whole runs wait for their clusters most of the time: two at once; the rest shares hosts, servers or a browser
test: $(READY) test-deps ## run every test but the full matrices
	$(PYTEST) tests/unit -m "not full" -n auto
	$(PYTEST) tests/integration/e2e -m "not full" -n 2
	$(PYTEST) tests/integration tests/browser tests/sabotage tests/hosts -m "not full" --ignore tests/integration/e2e

test-unit: $(READY) ## run the unit tests only, without the slow ones
	$(PYTEST) tests/unit -m "not slow and not full" -n auto

test-full: $(READY) test-deps ## run the full matrices and write docs/reports/ (SHARD=1/2 for one of two halves); goes on after a cut
	$(PYTEST) -m full --timeout 1800 --report-dir=docs/reports --shard "$$SHARD"

test-deps: $(READY) ## fetch what tests need: Debian packages when root, and programs
	@tests/support/install-debian-packages
	@$(BIN)/python -m tests.support.prepare

lab: $(READY) ## boot hosts that are reached over SSH (HOSTS=2); needs root
	@tests/support/install-debian-packages
	@$(BIN)/python -m tests.support.lab up --hosts "$$HOSTS"

lab-down: $(READY) ## remove the hosts of make lab, and what killed test runs left
	@$(BIN)/python -m tests.support.lab down

lint: $(READY) ## check format, style and every job config
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/e2e check

types: $(READY) ## check types
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests

fmt: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## print the benchmarks' ratios
	$(PYTEST) tests/benchmarks -m "full or not full" -s -p no:randomly --benchmarks

soak: $(READY) ## publish 200 builds with random faults and kill -9
	$(PYTEST) tests/soak/test_publish.py -m "full or not full" -s --soak

soak-suite: $(READY) ## run the suite twice on each of five clusters, in random order, as two users
	$(PYTEST) tests/soak/test_suite.py -m "full or not full" -s --soak

lock: $(READY) ## resolve the dependencies again
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--all-extras --group dev pyproject.toml -o requirements.lock

go-pins: $(READY) ## pin the Go modules of another Kubernetes: make go-pins VERSION=v1.36.3
	$(BIN)/python -m providers.releases.pins $(VERSION)

clean: ## remove what make made, but for the cache of binaries
	rm -rf $(VENV) _results _artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help venv e2e test test-unit test-full test-deps lab lab-down lint types fmt bench soak soak-suite lock go-pins clean
