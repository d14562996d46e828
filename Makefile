# PropDesk. `make run` and `make test` need Python 3.11 or newer and a package index, and nothing else.

.DEFAULT_GOAL := help
.PHONY: help run test chaos mutants bench fuzz check setup fix
SHELL := /bin/sh
.SHELLFLAGS := -ec
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.8
UV := .uv/uv-$(UV_VERSION)
BIN := .venv/bin

# The machine's own certificate authorities, never a downloaded Python, and a cache even without a home directory.
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
ifeq ($(shell mkdir -p "$${UV_CACHE_DIR:-$${HOME:-/nonexistent}/.cache/uv}" 2>/dev/null && test -w "$${UV_CACHE_DIR:-$$HOME/.cache/uv}" && echo yes),)
export UV_CACHE_DIR := $(CURDIR)/.uv/cache
export PIP_NO_CACHE_DIR := 1
endif

# `make check` reads the settings without a server or real secrets.
CHECK_ENV := SECRET_KEY=for-checks-only FIELD_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	DATABASE_URL=postgres://nobody@127.0.0.1:1/nowhere REDIS_URL=redis://127.0.0.1:1/0
# Long and varied enough for Django's own check of it.
DEPLOY_ENV := PROPDESK_ENV=production SECRET_KEY=checks-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ-qpwoeiruty \
	ALLOWED_HOSTS=propdesk.example FIELD_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	DATABASE_URL=postgres://nobody@127.0.0.1:1/nowhere REDIS_URL=redis://127.0.0.1:1/0

help: ## show this list
	@echo "PropDesk: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile
	@echo "Settings of a run: PORT=8000 MNG_PORT=8090 BROKERSIM_PORT=8100 PROPDESK_DATA=.data (see README.md)"

run: $(UV) ## start everything; Ctrl-C stops it
	@echo "Installing what a run needs (the first time takes a while) ..."
	@$(UV) sync --locked --no-dev --group services --inexact
	@exec $(BIN)/python -m propdesk.local

# All of them are shared by two processes (tests/sharing.py); a few are quicker and easier to read from one.
TEST_WORKERS ?= 2
ALL_TESTS := -n $(TEST_WORKERS)
test: setup ## run all tests; ARGS="-k name" narrows them down
	@exec $(BIN)/pytest $(or $(ARGS),$(ALL_TESTS))

ORDERS ?= 400
SALES ?= 0.5
FAULT_RATE ?= 0.3
KILLS ?= 30
SEED ?= 1

chaos: setup ## kill everything again and again against a faulty broker; ORDERS=400 FAULT_RATE=0.3 KILLS=30 SEED=1
	@exec $(BIN)/python -m tests.chaos --orders $(ORDERS) --sales $(SALES) --fault-rate $(FAULT_RATE) \
		--kills $(KILLS) --seed $(SEED) $(ARGS)

mutants: setup ## take each mechanism out of a copy of the source once: a test must notice; ARGS="settle lease" for some
	@exec $(BIN)/python -m tests.mutations $(ARGS)

bench: setup ## how fast the big tables are, as ratios (docs/performance.md); BENCH_ROUNDS=7
	@exec $(BIN)/python -m bench

FUZZ_EXAMPLES ?= 50
fuzz: setup ## ask every operation of the API everything, in every session; FUZZ_EXAMPLES=50 FUZZ_SEED=1
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) exec $(BIN)/pytest tests/fuzz --show-capture=no $(ARGS)

check: setup ## ruff, mypy, import contracts, migrations, production settings
	@echo "ruff";           $(BIN)/ruff check --quiet --output-format concise . && $(BIN)/ruff format --check --quiet .
	@echo "mypy";           $(CHECK_ENV) $(BIN)/mypy .
	@echo "import-linter";  $(CHECK_ENV) $(BIN)/lint-imports --no-logo
	@echo "migrations";     $(CHECK_ENV) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@echo "deploy check";   $(DEPLOY_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING

fix: setup ## let ruff format and repair what it can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

setup: $(UV) ## prepare .venv with everything, for development
	@$(UV) sync --locked

# uv is one file: build it aside and move it into place, so that two of us at once, or an interrupted one, do no harm.
$(UV):
	@echo "Fetching uv $(UV_VERSION) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "PropDesk needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@mkdir -p .uv && temporary=.uv/build-$$$$ && trap 'rm -rf $$temporary' EXIT && \
	{ $(PYTHON) -m venv $$temporary || { \
		echo "Python cannot make virtual environments here. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }; } && \
	$$temporary/bin/pip install --quiet uv==$(UV_VERSION) && \
	mv $$temporary/bin/uv $(UV)
