# Everything here works from a fresh clone, as root or not, with Python 3.11+, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A set-up is done again when the requirements change.
READY := $(VENV)/.ready

.PHONY: demo test test-extras check setup protos bench clean

## Brings the suite up on an embedded PostgreSQL, imports real data, streams events, shows the loop.
## KEEP=1 keeps it serving; DATA=folder uses events.csv(.gz) and items.csv of your own.
demo: $(READY)
	$(BIN)/harken demo $(if $(DATA),--data $(DATA)) $(if $(KEEP),--keep)

## Sets up and runs the tests.
test: $(READY)
	$(BIN)/python -m pytest -q $(TESTS)

## The tests that need the extras `train` and `eval`, which it installs: `make test` skips them by name.
## TORCH names the build: plain "torch" may be one for GPUs, of several GB.
TORCH ?= torch==2.13.0
test-extras: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,train,eval]'
	$(BIN)/python -m pytest -q tests/trainer tests/evaluation tests/dataset

## Lint, formats, types, and committed stubs.
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy services tests
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	protos/check.sh

## Regenerates protos/gen.
protos:
	PYTHON=$(PYTHON) protos/generate.sh

## The numbers of the README, on this machine.
bench: $(READY)
	$(BIN)/python -m tests.benchmarks.feedback_to_effect
	$(BIN)/python -m tests.benchmarks.new_item
	$(BIN)/python -m tests.benchmarks.slate
	$(BIN)/python -m tests.benchmarks.learner
	$(BIN)/python -m tests.benchmarks.learner --dimension 64
	$(BIN)/python -m tests.benchmarks.replay
	$(BIN)/python -m tests.benchmarks.first_run

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) .venv-protoc .harken
