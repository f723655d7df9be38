# make run     sets up .venv and runs the main experiment
# make setup   sets up .venv alone
# make results runs the experiments of the embedded shop; tables, pins, figures and pages are left in results/
# make test    sets up .venv and runs the whole gate: ruff, import-linter, pyright, pytest
# make quick   checks what changed, and as many of the tests nearest to it as it can begin in 85 seconds
# make lock    renews requirements.lock, needed after a change of dependencies in pyproject.toml (uses uv)
#
# Another interpreter: make test PYTHON=python3.12. Other tests: make test PYTEST="-k store"

SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
MINOR = import sys; print("%d.%d" % sys.version_info[:2])

PYTHON ?= $(shell for p in .venv/bin/python python3 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(SUPPORTED)' 2>/dev/null && echo "$$p" && break; done)
VERSION := $(shell test -n "$(PYTHON)" && "$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null && "$(PYTHON)" -c '$(MINOR)')
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile
READY := .venv/ready-$(or $(VERSION),never)
PYTEST ?= -n 2

# What is imported is compiled then, and once: where a container says not to keep that, each process would do it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run results test quick setup format lock clean

run: $(READY)
	$(BIN)/python -m lab.run experiments/lstm_vs_transformer.py

# Experiments on the embedded shop; those on a log of their own run where it is.
results: $(READY)
	@for file in $$(grep -l "SyntheticShop(" experiments/*.py); do \
		echo "$$file"; $(BIN)/python -m lab.run $$file || exit $$?; done

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --threads --pythonpath $(BIN)/python
	$(BIN)/python -m pytest $(PYTEST)

# What changed, and the tests nearest to it, in a minute and a half.
quick: $(READY)
	$(BIN)/python -m tests.affected

setup: $(READY)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock names all there is, so that nothing needs resolving; what is imported is compiled when it is. The package
# builds with the setuptools of the lock, so that nothing is fetched that the lock does not name.
$(READY): requirements.lock pyproject.toml
	@test -n "$(VERSION)" || { echo "Needs Python 3.11, 3.12 or 3.13$(if $(PYTHON),; $(PYTHON) is not one,, and none is on the PATH)." \
		"Name one: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3.12"; exit 2; }
	@test "$$($(BIN)/python -c '$(MINOR)' 2>/dev/null)" = "$(VERSION)" || "$(PYTHON)" -m venv --clear .venv
	@echo "Setting up .venv (Python $(VERSION)); the first time takes a few minutes."
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-build-isolation -e .
	@touch $@

# One version of each package for every interpreter and platform; to move to newer ones, delete the lock first.
lock:
	uv pip compile pyproject.toml --extra dev --universal --fork-strategy fewest --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.lock

clean:
	rm -rf .venv *.egg-info build
