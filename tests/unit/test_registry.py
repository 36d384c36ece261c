from pathlib import Path

import pytest

from lstm_lm.generation import options
from lstm_lm.tracking import registry, store
from mlflow_helpers import SETTINGS


def test_the_digest_depends_on_weights_and_serving_code_alone(tmp_path: Path) -> None:
    model, code = tmp_path / "model", tmp_path / "pyfunc.py"
    model.mkdir()
    (model / "weights").write_text("1")
    code.write_text("a")
    before = registry.model_digest(model, code)
    assert registry.model_digest(model, code) == before
    (model / "weights").write_text("2")
    other_weights = registry.model_digest(model, code)
    code.write_text("b")
    assert len({before, other_weights, registry.model_digest(model, code)}) == 3


def test_the_newest_version_with_the_same_digest_is_found(tracked_project: Path, tmp_path: Path) -> None:
    model, code = tmp_path / "model", tmp_path / "pyfunc.py"
    model.write_text("weights")
    code.write_text("code")
    client = store.connect(SETTINGS.tracking)
    assert registry.registered_version(client, model, code, "lstm_lm") is None
    client.create_registered_model("lstm_lm")
    same = registry.model_digest(model, code)
    for digest in ("other", same, same, "other"):
        client.create_model_version("lstm_lm", tmp_path.as_uri(), tags={registry.DIGEST_TAG: digest})
    assert registry.registered_version(client, model, code, "lstm_lm") == 3
    assert registry.registered_version(client, model, code, "another") is None


def test_the_current_store_is_restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with registry.current_store(f"sqlite:///{tmp_path / 'mlflow.db'}"):
        assert mlflow.get_tracking_uri().startswith("sqlite:")
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:1"


def test_the_signature_takes_the_generation_options_as_params() -> None:
    signature = registry.signature()
    assert [(spec.name, spec.default) for spec in signature.params] == [(row.name, row.default) for row in options.options()]
    types = {spec.name: spec.dtype.name for spec in signature.params}
    assert (types["max_words"], types["top_p"], types["stop_at_sentence_end"]) == ("long", "double", "boolean")


def test_requirements_are_pinned() -> None:
    names = [line.split("==")[0] for line in registry.requirements() if "==" in line]
    assert names == ["mlflow", "tensorflow", "numpy", "pandas"]
