from pathlib import Path

import pytest

from lstm_lm.errors import UserError
from lstm_lm.ui.report import recorded_parameters

LOCK = """
schema: '2.0'
stages:
  vocab:
    cmd: python src/vocab.py
    params:
      params.yaml:
        download.clean: true
        vocab:
          unit: word
  train:
    params:
      params.yaml:
        train:
          learning_rate: 0.008
  other:
    cmd: x
"""


def test_parameters_are_those_that_dvc_has_recorded(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert recorded_parameters.load(tmp_path) == {
        "download": {"clean": True},
        "vocab": {"unit": "word"},
        "train": {"learning_rate": 0.008},
    }


def test_without_a_record_nothing_is_known(tmp_path: Path) -> None:
    assert recorded_parameters.load(tmp_path) == {}


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: [")
    with pytest.raises(UserError, match=r"dvc\.lock"):
        recorded_parameters.load(tmp_path)
