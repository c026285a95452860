# Every command sets up what it needs and may be repeated. See README.md.

# Each start would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test bench simulate torture lint types setup setup-dev
PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
SEEDS ?= 100
WORKERS ?= 6
TESTS ?= tests

run: setup
	@.venv/bin/leadhub serve

demo: setup
	@.venv/bin/leadhub demo

test: setup-dev .venv/rewritten
	@$(PY) -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(TESTS)

bench: setup-dev
	@$(PY) -m tests.bench

simulate: setup-dev
	@$(PY) -m tests.simulate --seeds $(SEEDS)

torture: setup-dev
	@$(PY) -m tests.torture --report docs/torture.md

lint: setup-dev
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types: setup-dev
	@$(PY) -m mypy

setup: .venv/installed
setup-dev: .venv/installed-dev .venv/browser

# pip comes last when an environment is made, so that a half made one is made again.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "leadhub needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/installed: requirements.lock requirements-build.lock pyproject.toml | .venv/bin/pip
	@echo "Installing the locked dependencies into .venv: once, about a minute."
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo "Installing the locked dependencies of the tests."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# pytest rewrites the asserts of each file that is new: here once, else every worker does all of them by itself.
.venv/rewritten: $(shell find tests -name '*.py') | .venv/installed-dev
	@find tests -name 'test_*.py' | xargs -n 160 -P 2 $(PY) -m pytest --collect-only -qq -p no:cacheprovider >/dev/null 2>&1 || true
	@touch $@

# Browser tests take the chromium that is there; Debian's is installed when we may, else they skip and say how.
.venv/browser: | .venv/bin/pip
	@if [ -n "$$LEADHUB_CHROMIUM" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then \
		touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium for the browser tests."; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
			>/dev/null 2>&1 && touch $@ || echo "chromium could not be installed: the browser tests will be skipped."; \
	fi
