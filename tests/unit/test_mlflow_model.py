from pathlib import Path

from lstm_lm.generation import options
from lstm_lm.tracking import mlflow_model


def test_the_digest_depends_on_weights_and_serving_code_alone(tmp_path: Path) -> None:
    model, code, package = tmp_path / "model", tmp_path / "pyfunc.py", tmp_path / "package"
    model.mkdir()
    (package / "__pycache__").mkdir(parents=True)
    sources = mlflow_model.Sources(model, code, package)
    (model / "weights").write_text("1")
    code.write_text("a")
    (package / "engine.py").write_text("1")
    before = sources.digest
    (package / "__pycache__/engine.pyc").write_text("1")
    assert sources.digest == before
    (model / "weights").write_text("2")
    other_weights = sources.digest
    code.write_text("b")
    other_code = sources.digest
    (package / "engine.py").write_text("2")
    without_package = mlflow_model.Sources(model, code, None).digest
    assert len({before, other_weights, other_code, sources.digest, without_package}) == 5


def test_the_signature_takes_the_generation_options_as_params() -> None:
    signature = mlflow_model.signature()
    expected = [(row.name, row.default) for row in options.options()]
    assert [(spec.name, spec.default) for spec in signature.params] == [*expected, ("stop", [])]
    types = {spec.name: spec.dtype.name for spec in signature.params}
    assert (types["max_words"], types["top_p"], types["stop_at_sentence_end"]) == ("long", "double", "boolean")


def test_requirements_are_pinned() -> None:
    names = [line.split("==")[0] for line in mlflow_model.requirements() if "==" in line]
    assert names == ["mlflow", "tensorflow", "numpy", "pandas"]
