"""Command `experiment`: which results of the checkout it shows beside those of the experiment."""

import json
import shutil
from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.commands.experiment import _own_results
from lstm_lm.config import loading


def test_a_checkout_is_compared_only_with_a_model_of_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    shipped, other = loading.load().download.source.model_dump(), {"path": "data/own"}
    assert _own_results(shipped) == _own_results(other) == ({}, None)  # no model
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text(json.dumps({"test": {"perplexity": 9.0}}))
    assert _own_results(shipped) == ({"this checkout, test": {"perplexity": 9.0}}, None)
    rows, note = _own_results(other)
    assert rows == {}
    assert note == "The model of this checkout is of another text: its results do not compare with these."
