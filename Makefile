# The same commands locally and in CI. Needs Python 3.11 or newer, make and git; the rest comes,
# pinned and hashed, from the lock files into a virtual environment of this directory.

# An interpreter of your choice gets an environment of its own: make test PYTHON=python3.12
PYTHON ?=
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3
VENV ?= .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

FILE ?=
BENCH ?= all
BENCH_FLAGS ?= --quick
PYTEST_FLAGS ?=
# A process per core; what comes later wins, so PYTEST_FLAGS=-n0 runs all in one, for a debugger.
PYTEST = $(BIN)/pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal
LOCK_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo example test test-slow chaos chaos-fleet lint format bench bench-check lock clean

help: ## what can be done here
	@echo "usage: make TARGET [PYTHON=python3.12]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Set-up happens by itself, once per change of a lock file, in $(VENV)."

demo: $(VENV)/.runtime ## upload a real video to a local TikTok sandbox; your own with FILE=clip.mp4
	@$(BIN)/uploader demo $(FILE)

example: $(VENV)/.dev ## run a Django site with a worker that publishes to the sandbox
	@$(BIN)/python examples/django_site/run.py

test: lint ## all that CI checks: ruff, mypy, layer contracts, tests; PYTEST_FLAGS="-k planner"
	$(PYTEST) $(PYTEST_FLAGS)

test-slow: $(VENV)/.dev ## only the tests that take their time
	$(PYTEST) -m slow $(PYTEST_FLAGS)

chaos: $(VENV)/.dev ## kill and break uploads at hundreds of random moments; takes minutes
	$(PYTEST) -m slow -k "killed or truncated or many_uploads" $(PYTEST_FLAGS)

chaos-fleet: $(VENV)/.dev ## 500 uploads by Celery workers that are killed, on brokers that forget; four minutes
	$(BIN)/pytest -m slow -k chaos_fleet $(PYTEST_FLAGS)

lint: $(VENV)/.dev ## style, types and layers, without the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## rewrite the code the way that lint wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure all suites quickly into bench-report/; BENCH=memory, BENCH_FLAGS=
	$(BIN)/python -m benchmarks $(BENCH) $(BENCH_FLAGS) --report bench-report --json bench-report/report.json

bench-check: $(VENV)/.dev ## compare the ratios of a quick run with the recorded ones
	$(BIN)/python -m benchmarks throughput --quick --pairs 5 --compare

lock: $(VENV)/.uv ## resolve pyproject.toml into the lock files; newer versions with LOCK_FLAGS=--upgrade
	$(UV) requirements.lock --group build
	$(UV) requirements-dev.lock --extra bench --extra s3 --group dev --constraints requirements.lock

clean: ## remove environments, caches and built files
	rm -rf .venv .venv-* bench-report build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One universal resolution serves every supported Python and system. No index address is written
# down: where packages come from is the business of whoever installs.
UV = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	$(LOCK_FLAGS) pyproject.toml --output-file

$(VENV)/.made:
	@missing="No Python 3.11 or newer was found (looked for: $(or $(PYTHON),$(PYTHONS)))."; \
	for python in $(or $(PYTHON),$(PYTHONS)); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	        missing="$$python has no venv module; on Debian and Ubuntu it is the package $$python-venv."; \
	        continue; \
	    fi; \
	    echo "Setting up $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && touch $@; exit; \
	done; \
	echo "$$missing" >&2; \
	echo "Install one, or name yours: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.runtime: $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing requirements.lock into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements-dev.lock pyproject.toml
	@echo "Installing requirements-dev.lock into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.uv: $(VENV)/.made
	@$(PIP) install uv
	@touch $@
