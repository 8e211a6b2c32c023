# make run starts the product, make test runs its tests. Both need only Python 3.11 or newer.

# The first Python that works: version managers may install shims that fail.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(p) -c 'import sys; sys.version_info < (3, 11) and sys.exit(1)' 2>/dev/null && echo $(p))))
BIN := .venv/bin
# Test processes; each has its own PostgreSQL. Three are right for two cores: tests also wait.
WORKERS ?= 3
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
SOURCES := app tests hatch_build.py .ci/language.py
SQUAWK := $(BIN)/squawk --config sql/.squawk.toml
# Sources of the web pages. An installation rebuilds the pages if these have changed (hatch_build.py).
PAGES := hatch_build.py $(shell find admin-ui -name node_modules -prune -o -type f -print)
# Uses the Node.js of the check extra, so that everybody has the same version.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix admin-ui

.PHONY: run test check fix bench soak clean

run: .venv/run
	@$(BIN)/python -m app dev

# Without a cache of compiled modules, each of the many processes would compile them again.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/test
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal

check: .venv/check admin-ui/node_modules/.checks
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/language.py
	$(BIN)/hadolint Dockerfile
	! grep -L '^-- migrate:.* with [0-9]' sql/migrations/*.up.sql | sed 's/$$/: declare "works with RELEASE"/' | grep .
	$(SQUAWK) --assume-in-transaction $$(grep -L 'migrate:.*no-transaction' sql/migrations/*.sql)
	$(SQUAWK) $$(grep -l 'migrate:.*no-transaction' sql/migrations/*.sql)
	$(NPM) run check

fix: .venv/check .venv/test admin-ui/node_modules/.checks
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/python -m tests.snapshots
	$(NPM) run fix

# Takes about a quarter of an hour. ROUNDS and SECONDS make it longer; ONLY="reads growth" selects parts. Two parts with a
# million tickets run only if they are named: statistics and migration.
bench: .venv/bench
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(TICKETS),--tickets $(TICKETS))

# The tests that take too long for make test; EXAMPLES generated operations of each kind, and legacy databases of each way
# back; reads while tables are locked; clients that retry while servers and database are killed, SECONDS long: directly,
# through PgBouncer, with failovers, and, if etcd is installed, with failovers by Patroni.
soak: .venv/soak
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m soak
	EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/pytest -s tests/soak/fuzz.py tests/migrations/test_any_legacy_schema.py
	$(BIN)/python -m tests.chaos.storm
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600)
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600) --servers 4 --pooled
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600) --failover
	@command -v etcd >/dev/null || echo "Skipping Patroni: etcd is not installed (apt-get install etcd-server)."
	! command -v etcd >/dev/null || $(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),600) --patroni

clean:
	rm -rf .venv app/static admin-ui/node_modules

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is required, but none is on PATH." >&2; exit 1; }
	$(PYTHON) -m venv .venv

# Each stamp file stands for an installation with the extras of its targets.
.venv/run: .venv/bin/python pyproject.toml $(PAGES)
	$(INSTALL) '.[dev]'
	@touch $@

.venv/test: .venv/bin/python pyproject.toml $(PAGES)
	$(INSTALL) '.[dev,test]'
	@touch $@

.venv/check .venv/soak .venv/bench: .venv/%: .venv/bin/python pyproject.toml
	BATON_WEB=0 $(INSTALL) '.[dev,$*]'
	@touch $@

# Includes the packages for the checks; the build of the pages uses this installation, too.
admin-ui/node_modules/.checks: admin-ui/package-lock.json | .venv/check
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@
