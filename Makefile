# make run: the product; make test: its tests. Both need Python 3.11 or newer, and nothing else.

# The newest Python that really runs: a version manager may offer names that do not.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(p) -c 'import sys; sys.version_info < (3, 11) and sys.exit(1)' 2>/dev/null && echo $(p))))
BIN := .venv/bin
SOURCES := app tests
SQUAWK := $(BIN)/squawk --config sql/.squawk.toml

.PHONY: run test check fix bench soak clean

run: .venv/run
	@$(BIN)/python -m app dev

test: .venv/test
	@$(BIN)/pytest

check: .venv/check
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(SQUAWK) --assume-in-transaction $$(grep -L 'migrate:.*no-transaction' sql/migrations/*.sql)
	$(SQUAWK) $$(grep -l 'migrate:.*no-transaction' sql/migrations/*.sql)

fix: .venv/check .venv/test
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/python -m tests.snapshots

bench: .venv/test
	$(BIN)/python -m tests.benchmarks.migration

# Clients that never give up, while servers and database are killed under them; SECONDS=600 unless said.
soak: .venv/test
	$(BIN)/python -m tests.chaos.storm --seconds $(or $(SECONDS),600)

clean:
	rm -rf .venv

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found on PATH." >&2; exit 1; }
	$(PYTHON) -m venv .venv

# Each stamp is an installation with the extras that its goals need.
.venv/run: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/test .venv/check: .venv/%: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,$*]'
	@touch $@
