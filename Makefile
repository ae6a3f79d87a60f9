# The one task file: README, hooks and CI call these targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/cdnow.yaml
HOST ?= 127.0.0.1
PORT ?= 3000
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Also pins what the build of this package itself uses.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export BENTOML_DO_NOT_TRACK = True
export MLFLOW_DISABLE_TELEMETRY = true

.PHONY: help demo pipeline retrain rounds docs serve bento test test-heavy test-engines lint bench clean machine install install-dev

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

machine: ## check what the machine must have, with the install line for what is missing
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "missing: Python 3.11 or later. Debian/Ubuntu: sudo apt-get install python3 python3-venv   macOS: brew install python@3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "missing: Python 3.11 or later ($(PYTHON) is $$($(PYTHON) -V 2>&1)). Name another one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "missing: Python's venv and pip. Debian/Ubuntu: sudo apt-get install python3-venv python3-pip"; exit 1; }
	@$(PYTHON) -c 'import ctypes, sys; sys.platform.startswith("linux") and ctypes.CDLL("libgomp.so.1")' 2>/dev/null || { echo "missing: libgomp (LightGBM needs it). Debian/Ubuntu: sudo apt-get install libgomp1   Fedora: sudo dnf install libgomp"; exit 1; }

$(BIN)/python: | machine
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing the pinned packages of training and serving into $(VENV) (a few minutes, once) ..."
	@$(BIN)/python -m pip install --quiet -e ".[train,serve]"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing the pinned packages of training, serving and tests into $(VENV) (a few minutes, once) ..."
	@$(BIN)/python -m pip install --quiet -e ".[train,serve,dev]"
	@touch $@ $(VENV)/.installed

install: machine $(VENV)/.installed ## make .venv with what training and serving need
install-dev: machine $(VENV)/.installed-dev ## the same with what the tests need

demo: pipeline serve ## the whole path on CDNOW, then serve it on 127.0.0.1:3000

pipeline: install ## check, train, promote, score, report (CONFIG=configs/cdnow.yaml)
	@$(BIN)/python -m training.pipeline --config $(CONFIG)

retrain: install ## the weekly round: watch, train, compare, promote what is better, score (CONFIG; goes on where it stopped)
	@$(BIN)/python -m training.retrain --config $(CONFIG)

rounds: install ## that round as of each past month, in a folder of its own, and one page about them all (CONFIG)
	@$(BIN)/python -m training.rounds --config $(CONFIG)

serve: install ## serve the current release (CONFIG, HOST, PORT)
	@$(BIN)/python -m serving --config $(CONFIG) --host $(HOST) --port $(PORT)

bento: install ## the service with the current release in one package (CONFIG)
	@$(BIN)/python -m serving.bento --config $(CONFIG)

test: install-dev ## all tests, two files at a time
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-heavy: install-dev ## what takes minutes: fuzzing, malformed bodies, kill -9, full disks, the long pages of the docs, a soak (SOAK_MINUTES=10)
	@$(BIN)/python -m pytest -m heavy --timeout 3600 tests/serving tests/heavy tests/docs

test-engines: install-dev ## the tests of Spark (450 MB, Java 17) and PostgreSQL too, which else are skipped
	@$(BIN)/python -m pip install --quiet -e ".[train,serve,dev,spark,postgres,server]"
	@$(BIN)/python -m pytest tests/engines tests/tracking_server

lint: install-dev ## style, types, borders between the parts, known vulnerabilities of the pinned packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.audit

docs: install-dev ## the documentation as a site in var/site
	@$(BIN)/python -m mkdocs build --strict --site-dir var/site

bench: install-dev ## measured figures of the README, each beside its peer
	@$(BIN)/python -m tests.benchmarks

clean: ## remove the environment and everything that was made
	@rm -rf $(VENV) var .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
