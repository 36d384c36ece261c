"""dvc.yaml against the code: each stage's deps list every module that shapes its outputs, transitively."""

import ast

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT

STAGES = YAML(typ="safe").load((PROJECT / "dvc.yaml").read_text())["stages"]
# They shape no output: DVC tracks the parameters' values themselves, and the others only report.
EXCEPTED = {"src/lstm_lm/params.py", "src/lstm_lm/tracking.py", "src/lstm_lm/console.py"}
# Read as files, not imported: the code that is packed into the MLflow model.
ALSO = {"evaluate-sample": {"src/lstm_lm/serving.py"}}
# Imported by what tells of a training, not by what makes its outputs.
NOT_FOLLOWED = {"src/lstm_lm/tracking.py"}


def imports(path):
    """Modules of ours that a file imports, at any depth of its code, as paths."""
    found = set()
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "lstm_lm":
            found |= {f"src/lstm_lm/{alias.name}.py" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lstm_lm."):
            found.add(f"src/lstm_lm/{node.module.split('.')[1]}.py")
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("lstm_lm") for alias in node.names), f"{path}: write from lstm_lm import ..."
    return found


def needed(script):
    seen, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [] if path in NOT_FOLLOWED else imports(path)
    return seen


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_modules_that_are_imported(stage):
    script = STAGES[stage]["cmd"].removeprefix("python ")
    listed = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert listed == (needed(script) | ALSO.get(stage, set())) - EXCEPTED


def test_an_edit_to_serving_never_retrains_and_an_edit_to_the_model_always_does():
    assert "src/lstm_lm/serving.py" not in STAGES["train"]["deps"]
    assert "src/lstm_lm/model.py" in STAGES["train"]["deps"]


@pytest.mark.parametrize("stage", ["download", "vocab", "batching"])
def test_data_stages_know_neither_tensorflow_nor_mlflow(stage):
    for path in needed(STAGES[stage]["cmd"].removeprefix("python ")):
        assert not top_level_imports(PROJECT / path) & {"tensorflow", "keras", "mlflow"}, path


MODEL = ["model", "losses", "generation", "batching", "evaluation", "lstm"]
MEASURES = ["bootstrap", "ngrams", "quality", "dynamic_evaluation", "neural_cache"]


@pytest.mark.parametrize("module", MODEL + MEASURES)
def test_the_modules_of_the_model_know_neither_dvc_nor_mlflow_nor_parameters(module):
    reached = needed(f"src/lstm_lm/{module}.py")
    assert not reached & {f"src/lstm_lm/{name}.py" for name in ("tracking", "params", "console", "corpus", "serving")}
    for path in reached:
        assert not top_level_imports(PROJECT / path) & {"dvc", "mlflow", "pathlib", "os", "json", "shutil", "pandas"}, path


def top_level_imports(path):
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


def test_only_one_module_talks_to_mlflow_and_one_to_the_network():
    for path in (PROJECT / "src").rglob("*.py"):
        name = path.relative_to(PROJECT / "src").as_posix()
        found = top_level_imports(path)
        assert "mlflow" not in found or name in ("lstm_lm/tracking.py", "lstm_lm/serving.py"), name
        # tracking.py only asks whether its server is there.
        assert not found & {"requests", "http", "aiohttp", "httpx"} or name in ("lstm_lm/corpus.py", "lstm_lm/tracking.py"), name


@pytest.mark.parametrize("stage", STAGES)
def test_every_data_path_a_stage_names_is_a_dep_or_an_out_of_it(stage):
    script = PROJECT / STAGES[stage]["cmd"].removeprefix("python ")
    strings = {
        node.value for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {text for text in strings if text.startswith(("data/", "models/", "reports/")) and " " not in text and not text.endswith(":")}
    entries = [*STAGES[stage]["deps"], *(out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, []))]
    listed = {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}
    assert named
    for text in named:
        assert any(text == path or text.startswith(f"{path}/") for path in listed), text


def test_every_stage_reads_the_parameters_it_lists():
    sections = {key for stage in STAGES.values() for key in stage["params"]}
    assert sections == {"download", "vocab", "batching", "model", "train", "evaluate_sample"}  # all but tracking, which shapes no output
