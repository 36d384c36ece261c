from pathlib import Path

import pytest

from lstm_lm.errors import UserError
from lstm_lm.serving.app import sources


def test_a_folder_is_recognized_and_a_change_in_it_too(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with pytest.raises(UserError, match="holds neither an MLflow model"):
        sources.resolve(str(folder))
    (folder / "saved_model.pb").write_bytes(b"1")
    first = sources.resolve(str(folder))
    assert (first.address, first.name, first.version, first.store) == (str(folder), "mine", None, None)
    assert sources.resolve(str(folder)) == first
    (folder / "saved_model.pb").write_bytes(b"2")
    assert sources.resolve(str(folder)) != first


@pytest.mark.parametrize(
    ("source", "groups"),
    [
        ("models:/lstm_lm@champion", ("lstm_lm", "champion", None)),
        ("models:/lstm_lm/12", ("lstm_lm", None, "12")),
        ("models:/lstm_lm", None),
        ("models:/lstm_lm/x", None),
        ("models:/@champion", None),
    ],
)
def test_addresses_of_the_registry(source: str, groups: tuple[str | None, ...] | None) -> None:
    match = sources.REGISTERED.fullmatch(source)
    assert (match.groups() if match else None) == groups


def test_the_id_of_a_run_is_no_version() -> None:
    for source in ("0" * 32, f"runs:/{'0' * 32}"):
        match = sources.RUN_ID.fullmatch(source)
        assert match is not None and match[1] == "0" * 32
    assert sources.RUN_ID.fullmatch("12") is None
