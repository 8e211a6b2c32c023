# make run: the product; make test: its tests. Both need Python 3.11 or newer, and nothing else.

# The newest Python that really runs: a version manager may offer names that do not.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(p) -c 'import sys; sys.version_info < (3, 11) and sys.exit(1)' 2>/dev/null && echo $(p))))
BIN := .venv/bin
# Test processes; each has its own PostgreSQL.
WORKERS ?= auto
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
SOURCES := app tests hatch_build.py .ci/language.py
SQUAWK := $(BIN)/squawk --config sql/.squawk.toml
# What the web pages are built from. Installing builds them where they are not of these sources: hatch_build.py.
PAGES := hatch_build.py $(shell find admin-ui -name node_modules -prune -o -type f -print)
# Node.js of the check extra, which is the same for everybody.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix admin-ui

.PHONY: run test check fix bench soak clean

run: .venv/run
	@$(BIN)/python -m app dev

test: .venv/test
	@$(BIN)/pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile

check: .venv/check admin-ui/node_modules/.checks
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/language.py
	$(BIN)/hadolint Dockerfile
	$(SQUAWK) --assume-in-transaction $$(grep -L 'migrate:.*no-transaction' sql/migrations/*.sql)
	$(SQUAWK) $$(grep -l 'migrate:.*no-transaction' sql/migrations/*.sql)
	$(NPM) run check

fix: .venv/check .venv/test admin-ui/node_modules/.checks
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/python -m tests.snapshots
	$(NPM) run fix

# About a quarter of an hour. ROUNDS and SECONDS make it longer; ONLY="reads growth" chooses parts. Two that load a million
# tickets are run only where they are named: statistics, and the migration under load.
bench: .venv/bench
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(TICKETS),--tickets $(TICKETS))

# Generated operations, EXAMPLES of each kind; then clients that never give up, while servers and database are killed
# under them, for SECONDS; and so again through PgBouncer, and with standbys that take over; where etcd is, by Patroni.
soak: .venv/soak
	EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/pytest -s tests/soak/fuzz.py
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600)
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600) --servers 4 --pooled
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600) --failover
	@command -v etcd >/dev/null || echo "Patroni is left out: there is no etcd (apt-get install etcd-server)."
	! command -v etcd >/dev/null || $(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600) --patroni

clean:
	rm -rf .venv app/static admin-ui/node_modules

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found on PATH." >&2; exit 1; }
	$(PYTHON) -m venv .venv

# Each stamp is an installation with the extras that its goals need.
.venv/run: .venv/bin/python pyproject.toml $(PAGES)
	$(INSTALL) '.[dev]'
	@touch $@

.venv/test: .venv/bin/python pyproject.toml $(PAGES)
	$(INSTALL) '.[dev,test]'
	@touch $@

.venv/check .venv/soak .venv/bench: .venv/%: .venv/bin/python pyproject.toml
	BATON_WEB=0 $(INSTALL) '.[dev,$*]'
	@touch $@

# More than the build asks for, which then makes do with these.
admin-ui/node_modules/.checks: admin-ui/package-lock.json | .venv/check
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@
