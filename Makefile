# `make repro` and `make test` are complete: each sets up what it needs. `make help` lists the rest.

PYTHON ?=
VENV ?= .venv
PORT ?=
PRESET ?= cookbook
FILE ?= -

# Stages say `python ...`: that of the environment. Not abspath, which cuts a path at its spaces.
export PATH := $(if $(filter /%,$(firstword $(VENV))),$(VENV),$(CURDIR)/$(VENV))/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true
export DO_NOT_TRACK := true

# One worker a core. An idle worker takes over half of what another has not started.
pytest := python -m pytest --numprocesses logical --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup repro cookbook experiment compare search ablation presets test test-fast test-kills test-pythons bench lint ui serve sample score docs clean lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## the environment alone: .venv with everything of requirements.lock
	@sh scripts/setup.sh "$(VENV)" "$(PYTHON)"

repro: setup  ## run the pipeline and show its results
	@python src/cli.py check
	@dvc repro
	@python src/cli.py summary

cookbook: PRESET := cookbook
cookbook: experiment  ## the book's recipe, as an experiment in an isolated copy

experiment: setup  ## any of presets/, in an isolated copy: make experiment PRESET=best
	@python src/cli.py experiment "$$PRESET"

search: setup  ## search for better parameters, as search.yaml says (TRIALS=..., MINUTES=...); resumes when interrupted
	@python src/cli.py search $(if $(TRIALS),--trials "$$TRIALS") $(if $(MINUTES),--minutes "$$MINUTES")

ablation: setup  ## measure one change at a time, as ablation.yaml says, for docs/reference/ablation.md (ONLY="untied no-warmup", SEEDS="1 2 3")
	@python src/cli.py ablation $(if $(ONLY),--only "$$ONLY") $(if $(SEEDS),--seeds "$$SEEDS")

presets: setup  ## measure the presets, for docs/reference/results.md (ONLY="cookbook", SEEDS="1 2 3")
	@python src/cli.py presets $(if $(ONLY),--only "$$ONLY") $(if $(SEEDS),--seeds "$$SEEDS")

compare: setup  ## show the experiments of the last commit in a table
	@python src/cli.py compare

test: setup  ## all tests
	@$(pytest)

test-fast: setup  ## the tests that take seconds
	@$(pytest) -m "not slow"

test-kills: setup  ## a training killed ten times at random moments must end as one that was not
	@python tests/kill_and_resume.py --kills 10

bench: setup  ## every comparison of docs/reference/performance.md, an hour and a half (SECTIONS="training generation" for some)
	@python benchmarks/bench.py $(SECTIONS)

test-pythons:  ## the fast tests with every Python from 3.11 to 3.13 on this system, in environments of their own (.venv-3.12, ...)
	@sh scripts/test_pythons.sh

lint: setup  ## style, complexity, layers, types, generated docs
	@ruff check .
	@ruff format --check .
	@PYTHONPATH=src lint-imports --no-logo
	@mypy
	@python src/cli.py docs --check

docs: setup  ## write the reference pages that are generated from the code
	@python src/cli.py docs

ui: setup  ## open MLflow's pages on http://127.0.0.1:5000 (PORT=... for another)
	@python src/cli.py ui $(if $(PORT),--port $(PORT))

serve: setup  ## serve this checkout's model over HTTP on http://127.0.0.1:5001 (PORT=... for another)
	@python src/cli.py serve $(if $(PORT),--port $(PORT))

sample: setup  ## generate text: make sample PROMPT="to be or not to" OPTIONS="--samples 3 --min-p 0.05" (OPTIONS=--help lists them)
	@python src/cli.py sample $(OPTIONS) $(if $(filter undefined,$(origin PROMPT)),,-- "$$PROMPT")

score: setup  ## score a text file with the model: make score FILE=my.txt
	@python src/cli.py score "$$FILE"

clean:  ## remove the outputs of the pipeline; your text in data/own and MLflow's runs stay
	rm -rf .training dvc_plots data/.raw-* data/.vocab-* data/.batches-* data/raw data/vocab data/batches models/weights models/saved_model models/*.csv models/*.json
	rm -f reports/graph.png reports/metrics.json reports/samples.md reports/vocabulary.json reports/coverage.csv

lock: setup  ## update requirements.lock from pyproject.toml; existing pins stay (UPGRADE=1: newest versions)
	@sh scripts/lock.sh $(if $(UPGRADE),--upgrade)

export PRESET TRIALS MINUTES ONLY SEEDS FILE
ifneq ($(origin PROMPT),undefined)
export PROMPT
endif
