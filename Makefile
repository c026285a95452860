.PHONY: run test bench simulate torture demo lint types setup setup-dev
PY := .venv/bin/python
SEEDS ?= 100

run: setup
	@.venv/bin/leadhub serve

test: setup-dev
	@$(PY) -m pytest -n 2 --dist loadgroup

bench: setup-dev
	@$(PY) -m tests.bench

simulate: setup-dev
	@$(PY) -m tests.simulate --seeds $(SEEDS)

torture: setup-dev
	@$(PY) -m tests.torture --report docs/torture.md

demo: setup
	@.venv/bin/leadhub demo

lint: setup-dev
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types: setup-dev
	@$(PY) -m mypy

setup: .venv/installed
setup-dev: .venv/installed-dev .venv/browser

.venv/bin/python:
	@python3 -m venv .venv

.venv/installed: requirements.lock pyproject.toml | .venv/bin/python
	@test -e .venv/installed-dev || $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 2>/dev/null \
		|| $(PY) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/installed-dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@ .venv/installed

# Browser tests take the chromium that is there; Debian's is installed when we may, else they skip aloud.
.venv/browser: | .venv/bin/python
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
	@touch $@
