# Everything bootstraps itself: Python 3.11+ and the package index are all that is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := uv==0.13.8
ENV    := DAGSTER_HOME=$(CURDIR)/.local/dagster

.PHONY: help demo test mutate bench simulate up check format lint types clean
help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/.synced: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV)'; }
	@$(BIN)/uv sync --quiet --frozen --inexact
	@touch $@

demo: $(BIN)/.synced ## two weeks of a shop's trading arrive in Xero, with a few faults on the way
	@$(BIN)/shopify-xero demo $(ARGS)

test: $(BIN)/.synced ## the whole test suite with branch coverage
	@$(BIN)/python -m shopify_xero_pipeline_tests $(ARGS)

mutate: $(BIN)/.synced ## whether the tests notice small changes to the code of the books
	@$(BIN)/python -m shopify_xero_pipeline_tests.campaigns.mutation $(ARGS)

bench: $(BIN)/.synced ## what the pipeline costs, part by part (ARGS="--part pace")
	@$(BIN)/python -m shopify_xero_pipeline_tests.campaigns.bench $(ARGS)

simulate: $(BIN)/.synced ## the write protocol under every fault, then 100,000 generated orders (ARGS="--seeds 5" or ARGS="--orders 1")
	@$(if $(filter --orders,$(ARGS)),,$(BIN)/python -m shopify_xero_pipeline_tests.campaigns.protocol $(ARGS))
	@$(if $(filter --seeds --crash --loaders --minutes,$(ARGS)),,$(BIN)/python -m shopify_xero_pipeline_tests.campaigns.simulate $(ARGS))
	@$(if $(ARGS),,$(BIN)/python -m shopify_xero_pipeline_tests -m long)

up: $(BIN)/.synced ## a sandbox and the Dagster UI on http://127.0.0.1:3000, automation on
	@$(ENV) $(BIN)/shopify-xero up $(ARGS)

check: lint types test ## ruff, type checker, tests

lint: $(BIN)/.synced
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(BIN)/.synced
	@$(BIN)/mypy

format: $(BIN)/.synced ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## forget the demo, the sandbox and every local state
	@rm -rf .local
