# Everything here works on a machine with Python 3.11+, make and git alone.
SHELL := /bin/sh
PYTHON ?= python3
UV := .tools/bin/uv
PY := .venv/bin/python
export UV_PYTHON_DOWNLOADS := never
export CMD  # as a variable of the environment, so that it may hold quotes of either kind

# mypy's Django plugin reads the settings; it reaches no server and opens nothing with these.
LINT_ENV := PORTAL_MODE=test SECRET_KEY=lint DATABASE_URL=postgresql://lint@/lint REDIS_URL=redis://lint \
	POOL_SEALING_PUBLIC_KEYS=lint:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA

.PHONY: demo run test test-long test-devkit test-browser restore-drill production-drill lint bench setup format

setup: .venv/.complete

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt

.venv/.complete: .tools/bin/uv uv.lock pyproject.toml
	@$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

# The recipes exec, so that a signal to make's child reaches the program and not a shell in between.
demo: setup
	@exec $(PY) -m devkit.servers -- $(PY) -m devkit.demo $(if $(ONCE),--once)

run: setup
	@exec $(PY) -m devkit.servers -- $(PY) -m devkit.demo --run "$$CMD"

# Several processes, because tests wait for servers more than they work; one when the servers are yours. At the end, who
# has nothing left takes tests of another's; only the devkit's demo is played once for a whole file.
test: setup
	@exec $(PY) -m devkit.servers --temporary -- $(PY) -m pytest \
		$(if $(DATABASE_URL)$(REDIS_URL),,--numprocesses 3 --dist worksteal) $(ARGS)

test-long: setup
	@exec $(PY) -m devkit.servers --temporary -- $(PY) -m pytest -m long \
		$(if $(DATABASE_URL)$(REDIS_URL),,--numprocesses 3 --dist worksteal) $(ARGS)

test-devkit: setup
	@exec $(PY) -m devkit.servers --temporary -- $(PY) -m pytest tests/devkit \
		$(if $(DATABASE_URL)$(REDIS_URL),,--numprocesses 3 --dist loadfile) $(ARGS)

test-browser: setup
	@exec $(PY) -m devkit.servers --temporary -- $(PY) -m pytest tests/browser -m browser \
		$(if $(DATABASE_URL)$(REDIS_URL),,--numprocesses 2 --dist worksteal) $(ARGS)

restore-drill: setup
	@exec $(PY) -m devkit.servers --temporary -- $(PY) -m devkit.drills.restore

production-drill: setup
	@exec $(PY) -m devkit.drills.production

lint: setup
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(LINT_ENV) $(PY) -m mypy .
	@.venv/bin/lint-imports
	@.venv/bin/djlint --check --lint --quiet templates

format: setup
	@$(PY) -m ruff check --fix --quiet . ; $(PY) -m ruff format --quiet . ; .venv/bin/djlint --reformat --quiet templates

bench: setup
	@exec $(PY) -m devkit.benchmarks
