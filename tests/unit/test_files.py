from pathlib import Path

import pytest

from lstm_lm.errors import UserError
from lstm_lm.export import files


def test_a_saved_model_that_is_missing_or_incomplete_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no model in models/saved_model: train one first, with: make repro"):
        files.find_saved_model()
    for name in files.SAVED_MODEL_FILES:
        (files.SAVED_MODEL / name).parent.mkdir(parents=True, exist_ok=True)
        (files.SAVED_MODEL / name).touch()
    assert files.find_saved_model() == Path("models/saved_model")
    (files.SAVED_MODEL / "variables/variables.index").unlink()
    with pytest.raises(UserError, match=r"is incomplete: variables/variables.index is missing: restore it with dvc checkout"):
        files.find_saved_model()
