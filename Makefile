# `make repro` and `make test` create the environment if needed. `make help` lists all targets.

# Options count on make's command line only (make sample PROMPT="..."): a shell or CI may export variables of the same names.
# `$(call given,X)` is the value, empty if there is none. Make passes these options to the recipes as environment variables, so "$$X" is
# the value with all its spaces and quotes.
given = $(and $(filter command,$(origin $1)),$($1))

venv := $(or $(call given,VENV),.venv)
# Stages run `python ...`: that of the environment. Not abspath, which cuts a path at its spaces.
export PATH := $(if $(filter /%,$(firstword $(venv))),$(venv),$(CURDIR)/$(venv))/bin:$(PATH)
# Set for another Python, or by a Git hook or a DVC experiment that make was started from, they lead to other packages or repositories.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONWARNINGS PYTHONOPTIMIZE PYTHONINSPECT VIRTUAL_ENV
unexport GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_DIR GIT_INDEX_FILE GIT_NAMESPACE GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_WORK_TREE
unexport DVC_EXP_BASELINE_REV DVC_EXP_NAME DVC_ROOT DVC_STAGE
# A container often runs as a user that the system does not know, for which DVC finds neither name nor home.
ifeq ($(shell id -un >/dev/null 2>&1 || echo unknown),unknown)
export USER := $(or $(USER),user)
export HOME := $(or $(HOME),$(CURDIR)/.dvc/tmp)
endif
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true
export DO_NOT_TRACK := true
export NO_MKDOCS_2_WARNING := true

# One worker per core, and a file stays on one worker: module-scoped fixtures are built once.
# The slowest files come first, as tests/conftest.py sorts them: a worker that gets one last would keep the others waiting.
pytest := python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup repository repro report cookbook experiment compare search ablation presets test test-fast test-faults test-pythons bench lint site site-serve setup-docs ui resend serve models promote rollback sample score next docs clean clean-scratch newlines lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## create only the environment: .venv with the packages of requirements.lock
	@! grep -q "$$(printf '\r')" scripts/setup.sh || { echo "error: the files here have Windows newlines (CRLF): convert them with: make newlines" >&2; exit 1; }
	@sh scripts/setup.sh "$(venv)" "$(call given,PYTHON)"

repository:
	@sh scripts/check_repository.sh

repro: setup  ## run the pipeline and show its results
	@python src/cli.py check
	@python -m dvc repro
	@python src/cli.py summary

report: setup  ## draw reports/report.html and reports/model_card.md again, from what the last run left in models/ and reports/
	@python src/cli.py report

cookbook: repository setup  ## train the recipe of the TensorFlow Machine Learning Cookbook, in an isolated copy
	@python src/cli.py experiment cookbook

experiment: repository setup  ## train any preset of presets/ in an isolated copy: make experiment PRESET=best
	@python src/cli.py experiment $(if $(call given,PRESET),"$$PRESET",cookbook)

search: setup  ## search for better hyperparameters (search.yaml; TRIALS=..., MINUTES=...); an interrupted search resumes
	@python src/cli.py search $(if $(call given,TRIALS),--trials "$$TRIALS") $(if $(call given,MINUTES),--minutes "$$MINUTES")

ablation: repository setup  ## measure the changes in ablation.yaml one at a time, for docs/reference/ablation.md (ONLY="untied no-warmup", SEEDS="1 2 3")
	@python src/cli.py ablation $(if $(call given,ONLY),--only "$$ONLY") $(if $(call given,SEEDS),--seeds "$$SEEDS")

presets: repository setup  ## measure the presets, for docs/reference/results.md (ONLY="cookbook", SEEDS="1 2 3")
	@python src/cli.py presets $(if $(call given,ONLY),--only "$$ONLY") $(if $(call given,SEEDS),--seeds "$$SEEDS")

compare: repository setup  ## show the experiments based on the last commit in a table
	@python src/cli.py compare

test: setup  ## run all tests
	@$(pytest)

test-fast: setup  ## run only the fast tests
	@$(pytest) -m "not slow" --dist worksteal

test-faults: setup  ## kill the pipeline 50 times and disturb its MLflow server 20 times, at random moments (OPTIONS=--help lists the options)
	@python tests/fault_trials.py $(call given,OPTIONS)

bench: setup  ## repeat the comparisons of docs/reference/performance.md, about 90 minutes (SECTIONS="training generation" for some of them)
	@python benchmarks/bench.py $(call given,SECTIONS)

test-pythons:  ## run the fast tests on each installed Python from 3.11 to 3.13, each in its own environment (.venv-3.12, ...)
	@sh scripts/test_pythons.sh

lint: setup  ## check style, complexity, types, imports between packages, generated docs
	@ruff check .
	@ruff format --check .
	@PYTHONPATH=src lint-imports --no-logo
	@mypy
	@python src/cli.py docs --check

setup-docs: setup
	@sh scripts/setup_docs.sh "$(venv)"

site: setup-docs  ## build the documentation site, with the API reference, in site/; its links are checked
	@python -m mkdocs build --strict --quiet
	@echo "built: open site/index.html in a browser"

site-serve: setup-docs  ## show the documentation site on http://127.0.0.1:8000 while you edit it (PORT=... for another port)
	@python -m mkdocs serve --strict --dev-addr "127.0.0.1:$(if $(call given,PORT),$$PORT,8000)"

docs: setup  ## write the reference pages that are generated from the code
	@python src/cli.py docs

ui: setup  ## start MLflow on http://127.0.0.1:5000 (PORT=... for another port)
	@python src/cli.py ui $(if $(call given,PORT),--port "$$PORT")

resend: setup  ## send the tracking store what it missed while it failed
	@python src/cli.py resend

serve: setup  ## serve this checkout's model over HTTP, with a page to try it, on http://127.0.0.1:5001 (MODEL=models:/lstm_lm@champion, COMPARE=..., PORT=..., WORKERS=...)
	@python src/cli.py serve $(if $(call given,PORT),--port "$$PORT") $(if $(call given,MODEL),--model "$$MODEL") \
		$(if $(call given,COMPARE),--compare "$$COMPARE") $(if $(call given,WORKERS),--workers "$$WORKERS")

models: setup  ## list the versions of the model in the registry, with their metrics and which one is the champion
	@python src/cli.py models

promote: setup  ## make a model the champion: this checkout's, or RUN=<MLflow run id, version, or name of an experiment>
	@python src/cli.py promote $(if $(filter command,$(origin RUN)),-- "$$RUN")

rollback: setup  ## make the previous champion the champion again
	@python src/cli.py rollback

sample: setup  ## generate text: make sample PROMPT="to be or not to" OPTIONS="--samples 3 --min-p 0.05" (OPTIONS=--help lists them)
	@python src/cli.py sample $(call given,OPTIONS) $(if $(filter command,$(origin PROMPT)),-- "$$PROMPT")

next: setup  ## show the most probable next words: make next PROMPT="to be or" OPTIONS="--k 20"
	@python src/cli.py next $(call given,OPTIONS) $(if $(filter command,$(origin PROMPT)),-- "$$PROMPT")

score: setup  ## score a text file with the model: make score FILE=my.txt (OPTIONS=--words: each word)
	@python src/cli.py score $(call given,OPTIONS) $(if $(call given,FILE),"$$FILE",-)

clean:  ## remove the outputs of the pipeline; data/own, .search and the MLflow runs stay
	rm -rf .training dvc_plots data/.raw-* data/.vocab-* data/.batches-* data/raw data/vocab data/batches models/weights models/saved_model models/*.csv models/*.json
	rm -f reports/details.json reports/graph.png reports/metrics.json reports/model_card.md reports/report.html reports/samples.md reports/vocabulary.json reports/coverage.csv

clean-scratch: setup  ## list what stopped trainings and killed stages left on the disk, and remove it (YES=1: without asking)
	@python src/cli.py clean-scratch $(if $(call given,YES),--yes)

newlines:  ## convert Windows newlines (CRLF) in the project's files; data/ stays as it is
	@find . -type f -not -path './.git/*' -not -path './.venv*' -not -path './data/*' -exec grep -Iq . {} \; -exec perl -pi -e 's/\r\n/\n/' {} +

lock: setup  ## update requirements.lock from pyproject.toml; existing pins stay (UPGRADE=1: newest versions)
	@sh scripts/lock.sh $(if $(call given,UPGRADE),--upgrade)
