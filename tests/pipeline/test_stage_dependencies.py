"""dvc.yaml against the code: each stage depends on the folders that shape its outputs, and on no others."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT
from lstm_lm import paths

STAGES = YAML(typ="safe").load((PROJECT / "dvc.yaml").read_text())["stages"]
# They shape no output: DVC tracks the values of the parameters itself, and the others only report, pace, lock or name things.
SHAPES_NOTHING = ("config", "tracking", "ui", "errors.py", "events.py", "paths.py", "io")
EXCEPT = ("io/arrays.py",)  # writes the bytes of data/
# Read as a file, not imported: the code that is packed into the MLflow model.
ALSO_READ = {"evaluate-sample": {"src/lstm_lm/serving/pyfunc.py"}}


def imports(path):
    """The project's modules that a file imports, at any depth of its code, as paths."""
    found = set()
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lstm_lm":
            folder = "src/" + node.module.replace(".", "/")
            if (PROJECT / f"{folder}.py").is_file():
                found.add(f"{folder}.py")
            else:
                modules = {f"{folder}/{alias.name}.py" for alias in node.names}
                assert all((PROJECT / module).is_file() for module in modules), f"{path}: {ast.unparse(node)}"
                found |= modules
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("lstm_lm") for alias in node.names), f"{path}: write from lstm_lm import ..."
    return found


def is_in(path, places):
    relative = path.removeprefix("src/lstm_lm/")
    return any(relative == place or relative.startswith(f"{place}/") for place in places)


def shapes_nothing(path):
    return is_in(path, SHAPES_NOTHING) and not is_in(path, EXCEPT)


def needed(script):
    """The modules that shape what a script makes, itself included."""
    seen, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in seen and not shapes_nothing(path):
            seen.add(path)
            waiting += imports(path)
    return seen


def code_deps(stage):
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_shapes_its_outputs_and_on_no_other(stage):
    script = STAGES[stage]["cmd"].removeprefix("python ")
    modules = needed(script) | ALSO_READ.get(stage, set())
    deps = code_deps(stage)
    missing = sorted(module for module in modules if not any(module == dep or module.startswith(f"{dep}/") for dep in deps))
    assert not missing
    unused = [dep for dep in deps if not any(module == dep or module.startswith(f"{dep}/") for module in modules)]
    assert not unused


def test_an_edit_to_the_server_never_retrains_and_an_edit_to_the_model_always_does():
    assert not any("serving" in dep for dep in STAGES["train"]["deps"])
    assert "src/lstm_lm/model" in STAGES["train"]["deps"]


@pytest.mark.parametrize("stage", ["download", "vocab", "batching"])
def test_data_stages_know_neither_tensorflow_nor_mlflow(stage):
    for path in needed(STAGES[stage]["cmd"].removeprefix("python ")):
        assert not top_level_imports(PROJECT / path) & {"tensorflow", "keras", "mlflow"}, path


@pytest.mark.parametrize("room", ["model", "generation", "data", "evaluation"])
def test_the_model_and_its_neighbours_know_neither_dvc_nor_mlflow_nor_params_yaml(room):
    for path in (PROJECT / "src/lstm_lm" / room).rglob("*.py"):
        assert not top_level_imports(path) & {"dvc", "mlflow"}, path
        assert "params.yaml" not in path.read_text(), path
        assert not any("/config/" in module for module in imports(path.relative_to(PROJECT).as_posix())), path


def top_level_imports(path):
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


def test_only_one_module_talks_to_mlflow_and_one_to_the_network():
    for path in (PROJECT / "src").rglob("*.py"):
        name = path.relative_to(PROJECT / "src").as_posix()
        found = top_level_imports(path)
        assert "mlflow" not in found or name.startswith(("lstm_lm/tracking/", "lstm_lm/serving/")), name
        # tracking/store.py only asks whether its server is there.
        assert not found & {"requests", "http", "aiohttp", "httpx"} or name.startswith(
            ("lstm_lm/text/sources/", "lstm_lm/tracking/store")
        ), name


@pytest.mark.parametrize("stage", STAGES)
def test_every_data_path_a_stage_names_is_a_dep_or_an_out_of_it(stage):
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


def test_every_stage_reads_the_parameters_it_lists():
    sections = {key for stage in STAGES.values() for key in stage["params"]}
    # All but reporting and tracking, which shape no output.
    assert sections == {"download", "vocab", "batching", "model", "train", "evaluate_sample"}
