from pathlib import Path

from lstm_lm.generation import options
from lstm_lm.tracking import mlflow_model


def test_the_digest_depends_on_weights_and_serving_code_alone(tmp_path: Path) -> None:
    model, code = tmp_path / "model", tmp_path / "pyfunc.py"
    model.mkdir()
    (model / "weights").write_text("1")
    code.write_text("a")
    before = mlflow_model.model_digest(model, code)
    assert mlflow_model.model_digest(model, code) == before
    (model / "weights").write_text("2")
    other_weights = mlflow_model.model_digest(model, code)
    code.write_text("b")
    assert len({before, other_weights, mlflow_model.model_digest(model, code)}) == 3


def test_the_signature_takes_the_generation_options_as_params() -> None:
    signature = mlflow_model.signature()
    assert [(spec.name, spec.default) for spec in signature.params] == [(row.name, row.default) for row in options.options()]
    types = {spec.name: spec.dtype.name for spec in signature.params}
    assert (types["max_words"], types["top_p"], types["stop_at_sentence_end"]) == ("long", "double", "boolean")


def test_requirements_are_pinned() -> None:
    names = [line.split("==")[0] for line in mlflow_model.requirements() if "==" in line]
    assert names == ["mlflow", "tensorflow", "numpy", "pandas"]
