"""Compare dvc.yaml with the code: each stage depends on the modules that affect its outputs, and on no others."""

import ast
import functools
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT
from lstm_lm import paths

STAGES = YAML(typ="safe").load((PROJECT / "dvc.yaml").read_text())["stages"]
# These modules affect no output. DVC tracks the values of parameters itself; the others only report, lock, name or time things.
WITHOUT_EFFECT = ("config", "tracking", "ui", "errors.py", "events.py", "paths.py", "wording.py", "io")
EXCEPTIONS = ("io/arrays.py",)  # determines the bytes of the files in data/
# This code is packed into the MLflow model: it is read as a file, not imported.
PACKAGE = [path.relative_to(PROJECT).as_posix() for path in (PROJECT / "src/lstm_lm_serving").glob("*.py")]
ALSO_READ = {"evaluate-sample": {"src/lstm_lm/serving/pyfunc.py", *PACKAGE}}


@functools.cache
def imports(path):
    """Return the paths of the project's modules that a file imports, anywhere in its code."""
    imported = set()
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lstm_lm":
            folder = "src/" + node.module.replace(".", "/")
            if (PROJECT / f"{folder}.py").is_file():
                imported.add(f"{folder}.py")
            else:
                modules = {f"{folder}/{alias.name}.py" for alias in node.names}
                assert all((PROJECT / module).is_file() for module in modules), f"{path}: {ast.unparse(node)}"
                imported |= modules
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("lstm_lm") for alias in node.names), f"{path}: write from lstm_lm import ..."
    return imported


def is_in(path, folders):
    relative = path.removeprefix("src/lstm_lm/")
    return any(relative == folder or relative.startswith(f"{folder}/") for folder in folders)


def has_no_effect(path):
    return is_in(path, WITHOUT_EFFECT) and not is_in(path, EXCEPTIONS)


def needed(script):
    """Return the modules that affect the outputs of a script, including the script itself."""
    modules, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in modules and not has_no_effect(path):
            modules.add(path)
            waiting += imports(path)
    return modules


def code_deps(stage):
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_code_that_affects_its_outputs(stage):
    script = STAGES[stage]["cmd"].removeprefix("python ")
    modules = needed(script) | ALSO_READ.get(stage, set())
    deps = code_deps(stage)
    missing = sorted(module for module in modules if not any(module == dep or module.startswith(f"{dep}/") for dep in deps))
    assert not missing
    unused = [dep for dep in deps if not any(module == dep or module.startswith(f"{dep}/") for module in modules)]
    assert not unused


def test_training_depends_on_the_model_and_not_on_the_server():
    assert not any("serving" in dep for dep in STAGES["train"]["deps"])
    assert "src/lstm_lm/model" in STAGES["train"]["deps"]


@pytest.mark.parametrize("stage", ["download", "vocab", "batching"])
def test_data_stages_import_neither_tensorflow_nor_mlflow(stage):
    for path in needed(STAGES[stage]["cmd"].removeprefix("python ")):
        assert not top_level_imports(PROJECT / path) & {"tensorflow", "keras", "mlflow"}, path


@pytest.mark.parametrize("package", ["model", "generation", "data", "evaluation"])
def test_model_packages_use_neither_dvc_nor_mlflow_nor_params_yaml(package):
    for path in (PROJECT / "src/lstm_lm" / package).rglob("*.py"):
        assert not top_level_imports(path) & {"dvc", "mlflow"}, path
        assert "params.yaml" not in path.read_text(), path
        assert not any("/config/" in module for module in imports(path.relative_to(PROJECT).as_posix())), path


def top_level_imports(path):
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


def test_mlflow_and_the_network_are_used_only_where_they_should_be():
    for path in (PROJECT / "src").rglob("*.py"):
        name = path.relative_to(PROJECT / "src").as_posix()
        imported = top_level_imports(path)
        assert "mlflow" not in imported or name.startswith(("lstm_lm/tracking/", "lstm_lm/serving/")), name
        clients = "lstm_lm/text/sources/", "lstm_lm/io/downloads", "lstm_lm/commands/remote_model", "lstm_lm/serving/app/"
        assert not imported & {"requests", "http", "aiohttp", "httpx"} or name.startswith(clients), name


@pytest.mark.parametrize("stage", STAGES)
def test_every_data_path_in_a_stage_is_one_of_its_deps_or_outs(stage):
    script = PROJECT / "src/lstm_lm/jobs" / STAGES[stage]["cmd"].removeprefix("python src/")
    nodes = list(ast.walk(ast.parse(script.read_text())))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    constants = [
        node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "paths"
    ]
    values = [getattr(paths, node.attr) for node in constants]
    strings |= {value.as_posix() for value in values if isinstance(value, Path)}
    named = {text for text in strings if text.startswith(("data/", "models/", "reports/")) and " " not in text and not text.endswith(":")}
    entries = [*STAGES[stage]["deps"], *(out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, []))]
    listed = {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}
    assert named
    for text in named:
        assert any(text == path or text.startswith(f"{path}/") for path in listed), text


def test_stages_depend_on_all_sections_that_affect_outputs():
    sections = {key.partition(".")[0] for stage in STAGES.values() for key in stage["params"]}
    # The sections reporting and tracking affect no output.
    assert sections == {"download", "vocab", "batching", "model", "train", "evaluate_sample"}
