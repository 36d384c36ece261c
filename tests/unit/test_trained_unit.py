import shutil
from pathlib import Path

import pytest

from conftest import PROJECT, change_params
from lstm_lm.commands.trained_unit import TOKENIZERS, trained_unit
from lstm_lm.text.tokenization.tokenizer import Tokenizer


def test_the_unit_is_that_of_the_model_not_of_changed_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    change_params(tmp_path, {"vocab.unit": "char"})
    assert trained_unit() == "char"
    for path, unit in zip(reversed(TOKENIZERS), ("word", "char"), strict=True):  # the text first, then the model
        path.parent.mkdir(parents=True)
        Tokenizer(False, "", unit=unit).save(path)
        assert trained_unit() == unit
