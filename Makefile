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
.PHONY: help setup repository repro report drift cookbook experiment ensemble compare plots search ablation presets test test-fast test-faults test-pythons bench lint site site-serve setup-docs ui tensorboard resend serve models promote rollback sample score next docs docs-pictures clean clean-scratch newlines lock

##@ The pipeline

# dvc_program.py is dvc, without its advice on what to type next: the summary ends with that.
repro: setup  ## run the pipeline and show its results
	@python src/cli.py check
	@python src/lstm_lm/experiments/dvc_program.py repro
	@python src/cli.py summary

setup:  ## create only the environment, .venv (EXTRAS=cuda: for a GPU)
	@! grep -q "$$(printf '\r')" scripts/setup.sh || { echo "error: the files here have Windows newlines (CRLF): convert them with: make newlines" >&2; exit 1; }
	@sh scripts/setup.sh "$(venv)" "$(call given,PYTHON)" $(if $(call given,EXTRAS),"$$EXTRAS")

repository:
	@sh scripts/check_repository.sh

clean:  ## remove what the pipeline made; your text and runs stay
	rm -rf .training dvc_plots data/.raw-* data/.vocab-* data/.batches-* data/raw data/vocab data/batches models/weights models/saved_model models/*.csv models/*.json
	rm -f reports/details.json reports/graph.png reports/metrics.json reports/model_card.md reports/report.html reports/samples.md reports/summary.json reports/vocabulary.json reports/coverage.csv

clean-scratch: setup  ## remove what stopped trainings left (KEY=... YES=1)
	@python src/cli.py clean-scratch $(if $(call given,YES),--yes) $(if $(call given,KEY),-- "$$KEY")

##@ Experiments (this checkout stays as it is)

cookbook: repository setup  ## train the recipe of the TensorFlow Cookbook
	@python src/cli.py experiment cookbook

experiment: repository setup  ## train a preset of presets/ (PRESET=best)
	@python src/cli.py experiment $(if $(call given,PRESET),"$$PRESET",cookbook)

ensemble: repository setup  ## train seeds as one model (SIZE=3 PRESET=best)
	@python src/cli.py ensemble $(if $(call given,SIZE),--size "$$SIZE") $(if $(call given,SEEDS),--seeds "$$SEEDS") \
		$(if $(call given,PRESET),--preset "$$PRESET")

search: setup  ## search for better parameters (TRIALS=40 MINUTES=60)
	@python src/cli.py search $(if $(call given,TRIALS),--trials "$$TRIALS") $(if $(call given,MINUTES),--minutes "$$MINUTES")

ablation: repository setup  ## measure the changes in ablation.yaml (ONLY=... SEEDS="1 2")
	@python src/cli.py ablation $(if $(call given,ONLY),--only "$$ONLY") $(if $(call given,SEEDS),--seeds "$$SEEDS")

presets: repository setup  ## measure the presets (ONLY="cookbook" SEEDS="1 2 3")
	@python src/cli.py presets $(if $(call given,ONLY),--only "$$ONLY") $(if $(call given,SEEDS),--seeds "$$SEEDS")

##@ Results (OPTIONS=--help lists the options of compare, sample, next, score)

compare: repository setup  ## compare the experiments of the last commit in a table
	@python src/cli.py compare $(call given,OPTIONS)

plots: repository setup  ## compare their curves on a page (EXPERIMENTS="cookbook")
	@python src/cli.py plots $(call given,EXPERIMENTS)

report: setup  ## draw reports/report.html and reports/model_card.md again
	@python src/cli.py report

ui: setup  ## show all runs in MLflow, on port 5000 (PORT=...)
	@python src/cli.py ui $(if $(call given,PORT),--port "$$PORT")

tensorboard: setup  ## show event files (reporting.tensorboard: true) (PORT=...)
	@python src/cli.py tensorboard $(if $(call given,PORT),--port "$$PORT")

sample: setup  ## generate text (PROMPT="to be or not to")
	@python src/cli.py sample $(call given,OPTIONS) $(if $(filter command,$(origin PROMPT)),-- "$$PROMPT")

next: setup  ## show the most probable next words (PROMPT="to be or")
	@python src/cli.py next $(call given,OPTIONS) $(if $(filter command,$(origin PROMPT)),-- "$$PROMPT")

score: setup  ## score a text with the model (FILE=my.txt)
	@python src/cli.py score $(call given,OPTIONS) $(if $(call given,FILE),"$$FILE",-)

##@ Models and serving

models: setup  ## list the registered versions, with their metrics
	@python src/cli.py models

promote: setup  ## choose the champion (RUN=<MLflow run, version, experiment>)
	@python src/cli.py promote $(if $(filter command,$(origin RUN)),-- "$$RUN")

rollback: setup  ## make the previous champion the champion again
	@python src/cli.py rollback

serve: setup  ## serve over HTTP (PORT=5001 WORKERS=2 MODEL=... COMPARE=...)
	@python src/cli.py serve $(if $(call given,PORT),--port "$$PORT") $(if $(call given,MODEL),--model "$$MODEL") \
		$(if $(call given,COMPARE),--compare "$$COMPARE") $(if $(call given,WORKERS),--workers "$$WORKERS") \
		$(if $(call given,LOG_PROMPTS),--log-prompts "$$LOG_PROMPTS")

drift: setup  ## compare prompts that serve LOG_PROMPTS=prompts logged
	@python src/cli.py drift $(call given,OPTIONS) $(if $(call given,FOLDER),"$$FOLDER",prompts)

resend: setup  ## send the tracking store what it missed while it failed
	@python src/cli.py resend

##@ Development (test-faults has options too: OPTIONS=--help)

test: setup  ## run all tests
	@$(pytest)

test-fast: setup  ## run the fast tests, in less than a minute
	@$(pytest) -m "not slow" --dist worksteal

test-faults: setup  ## kill the pipeline 50 times, disturb its MLflow 20 times
	@python tests/fault_trials.py $(call given,OPTIONS)

test-pythons:  ## run the fast tests on each Python from 3.11 to 3.13
	@sh scripts/test_pythons.sh

lint: setup  ## check style, types, imports, complexity, generated docs
	@ruff check .
	@ruff format --check .
	@PYTHONPATH=src lint-imports --no-logo
	@mypy
	@python src/cli.py docs --check

bench: setup  ## measure docs/reference/performance.md (SECTIONS="training")
	@python benchmarks/bench.py $(call given,SECTIONS)

docs: setup  ## write the reference pages that come from the code
	@python src/cli.py docs

setup-docs: setup
	@sh scripts/setup_docs.sh "$(venv)"

docs-pictures: setup  ## make the pictures of the docs (ONLY="report page")
	@python scripts/docs_pictures.py $(call given,ONLY)

site: setup-docs  ## build the documentation site in site/
	@python -m mkdocs build --strict --quiet
	@echo "built: open site/index.html in a browser"

site-serve: setup-docs  ## show the site while you edit it, on port 8000 (PORT=...)
	@python -m mkdocs serve --strict --dev-addr "127.0.0.1:$(if $(call given,PORT),$$PORT,8000)"

lock: setup  ## update requirements*.lock (UPGRADE=1: newest versions)
	@sh scripts/lock.sh $(if $(call given,UPGRADE),--upgrade)

newlines:  ## convert Windows newlines (CRLF) in the project's files
	@find . -type f -not -path './.git/*' -not -path './.venv*' -not -path './data/*' -exec grep -Iq . {} \; -exec perl -pi -e 's/\r\n/\n/' {} +

# A group begins at ##@, a description at ##. All lines fit into 80 columns.
help:  ## list the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
