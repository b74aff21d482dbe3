# Everything the project is asked to do. `make` alone lists the targets.
# Needs python3 (3.11 to 3.13), git and make; the rest goes into .venv.

PYTHON ?= python3
# SERVE=0 stops the demo after the findings.
SERVE ?= 1
BIN := .venv/bin
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help demo test check explore lint format types contracts bench docs pins clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 14

# Stamps: an environment is rebuilt only when its pins or the packaging change.
.venv/runtime.stamp: requirements/runtime.txt pyproject.toml .ci/environment
	@PYTHON=$(PYTHON) .ci/environment runtime

.venv/dev.stamp: requirements/dev.txt pyproject.toml .ci/environment
	@PYTHON=$(PYTHON) .ci/environment dev

demo: .venv/runtime.stamp ## install, learn the bundled capture, print the findings, serve on 127.0.0.1:8080 (SERVE=0: do not)
	$(BIN)/wharfinger demo $(if $(filter 0,$(SERVE)),--no-serve)

test: .venv/dev.stamp ## everything: system packages the tests need, lint, types, import contracts, all tests
	@.ci/system-packages
	@$(MAKE) --no-print-directory lint types contracts
	$(BIN)/python -m pytest $(TESTS)

check: .venv/dev.stamp lint types contracts ## the fast part, under two minutes: run before each commit
	$(BIN)/python -m pytest -m "not slow and not engine" $(TESTS)

explore: .venv/dev.stamp ## the tests of properties with other examples each time; what they find becomes a test
	$(BIN)/python -m pytest --hypothesis-profile exploring -m "hypothesis and not engine" $(TESTS)

lint: .venv/dev.stamp ## ruff (all rules), formatting, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/dev.stamp ## mypy, strict
	$(BIN)/mypy

contracts: .venv/dev.stamp ## imports go one way, and no module stands outside its layer
	$(BIN)/lint-imports --no-cache

format: .venv/dev.stamp ## put the code into the one format, repair what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.stamp ## every benchmark, with ratios against a peer measured in the same run
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done
	@for main in benchmarks/*/__main__.py; do name=benchmarks.$$(basename "$$(dirname "$$main")"); \
		echo "== $$name"; $(BIN)/python -m "$$name" || exit 1; done

docs: .venv/dev.stamp ## write the generated pages, and hold all documentation against the code
	$(BIN)/python -m service.settings > docs/settings.md
	$(BIN)/python -m service.emulation.catalogue > docs/scenarios.md
	$(BIN)/python .ci/tree
	$(BIN)/python -m pytest tests/test_docs.py tests/test_house.py

pins: .venv/dev.stamp ## resolve requirements/*.txt again from pyproject.toml
	@.ci/pins

clean: ## remove what the targets above made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage dist
