# Everything here works from a fresh clone, as root or not, with Python 3.11+, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SITE = $(wildcard $(VENV)/lib/python3*/site-packages)
# A set-up is done again when the requirements change, and the compiled core is when its sources do.
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready

.PHONY: demo test extras test-extras test-images load check licences sbom setup protos numbers chaos bench bench-one bench-all bench-compare clean

## Brings the suite up on an embedded PostgreSQL, imports real data, streams events, shows the loop.
## KEEP=1 keeps it serving; DATA=folder uses events.csv(.gz) and items.csv of your own.
demo: $(READY)
	$(BIN)/harken demo $(if $(DATA),--data $(DATA)) $(if $(KEEP),--keep)

## Sets up and runs the tests, two files at a time: much of a test is waiting for processes.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile
test: $(READY)
	$(PYTEST) $(TESTS)

## Installs the extras that some tests need: `make test` skips those by name.
## TORCH names the build: plain "torch" may be one for GPUs, of several GB.
TORCH ?= torch==2.13.0
extras: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,train,eval,ops,otel]'

## The tests that need extras.
test-extras: extras
	$(PYTEST) tests/trainer tests/evaluation tests/dataset \
	  tests/deploy tests/clients tests/cli/test_parquet_import.py \
	  --ignore tests/evaluation/test_same_as_replay.py --ignore tests/deploy/observability/test_rules.py

## Builds what the images hold and runs the suite from it. As root also in a bare root file system.
test-images: $(READY)
	HARKEN_TEST_IMAGES=1 $(BIN)/python -m pytest -q tests/deploy/test_image_prefix.py tests/deploy/test_image_backup.py

## Load by k6 on a suite that runs: RATE=100 iterations a second for DURATION=60s.
load:
	k6 run $(if $(RATE),-e RATE=$(RATE)) $(if $(DURATION),-e DURATION=$(DURATION)) tests/clients/load.js

## Lint, formats, types, protos (style, compatibility, committed stubs), written pages.
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy services tests
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	VENV=$(VENV) protos/check.sh
	$(BIN)/harken config reference | diff deploy/configuration.md -
	$(BIN)/harken config access | diff docs/access.md -
	$(BIN)/python deploy/images/sbom.py $(SITE) --check docs/licences.md

## Writes docs/licences.md, of what is installed.
licences: $(READY)
	$(BIN)/python deploy/images/sbom.py $(SITE) --licences > docs/licences.md

## Writes the bill of materials (CycloneDX) of this environment to .harken/sbom.cdx.json. Images have their own.
sbom: $(READY)
	@mkdir -p .harken
	$(BIN)/python deploy/images/sbom.py $(SITE) > .harken/sbom.cdx.json

## Regenerates protos/gen.
protos:
	PYTHON=$(PYTHON) protos/generate.sh
	$(BIN)/python deploy/edge/build.py

## The numbers that an issue asks for, by the word in its first line: make numbers ONLY=data.
## ARGS go to the measurement, such as ARGS="--rounds 3".
numbers: $(READY)
	$(BIN)/python -m tests.benchmarks.numbers $(ONLY) $(ARGS)

## Kills, stops and broken links under traffic for MINUTES, then every oracle; SEED repeats a run,
## PLANT names a bug to run with. Fails when an oracle complains.
MINUTES ?= 5
SEED ?= 1
chaos: $(READY)
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(if $(PLANT),--plant $(PLANT))

## One bench, floor and product in turns: make bench ONLY=recommend (record, learner, index, slate).
## Report, plots and all rounds are in .harken/bench; ARGS=--keep adds a line to docs/benchmarks.
## Without ONLY: bench-all.
bench: $(if $(ONLY),bench-one,bench-all)

bench-one: $(READY)
	$(BIN)/python -m tests.benchmarks.speed $(ONLY) $(ARGS)

## An older commit beside this one, in turns: make bench-compare REV=v0.1.0 [ONLY="recommend slate"].
## Fails when a ratio fell by more than its noise.
bench-compare: $(READY)
	$(BIN)/python -m tests.benchmarks.speed $(ONLY) --against $(REV) $(ARGS)

## The numbers of the README, on this machine.
bench-all: $(READY)
	$(BIN)/python -m tests.benchmarks.feedback_to_effect
	$(BIN)/python -m tests.benchmarks.new_item
	$(BIN)/python -m tests.benchmarks.slate
	$(BIN)/python -m tests.benchmarks.learner
	$(BIN)/python -m tests.benchmarks.learner --dimension 64
	$(BIN)/python -m tests.benchmarks.replay
	$(BIN)/python -m tests.benchmarks.first_run
	$(BIN)/python -m tests.benchmarks.takeover
	$(BIN)/python -m tests.benchmarks.rolling_restart
	$(BIN)/python -m tests.benchmarks.scale_rankers
	$(BIN)/python -m tests.benchmarks.memory
	$(BIN)/python -m tests.benchmarks.image_size
	$(BIN)/python -m tests.operations.partition --seconds 60

setup: $(READY)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(INSTALLED)

# Without a C++ compiler it says so in one line and goes on.
$(READY): $(INSTALLED) $(wildcard native/*.toml native/*.txt native/src/* native/harken_native/*)
	@sh native/install.sh $(BIN)/python
	@touch $(READY)

clean:
	rm -rf $(VENV) .venv-protoc .harken native/build
