"""Command `ensemble`: what it runs, and how mistakes are reported, before anything runs."""

import shutil
from pathlib import Path

import pytest

from conftest import PROJECT, change_params
from lstm_lm.commands import app
from lstm_lm.commands.ensemble import parse_seeds
from lstm_lm.errors import UserError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the parameters and presets of the project, which is no Git repository: experiments end there."""
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    shutil.copytree(PROJECT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


@pytest.mark.parametrize(("text", "size", "expected"), [("1 2 3", None, (1, 3)), ("0 1", 2, (0, 2)), (" 7  8 ", None, (7, 2))])
def test_seeds_are_a_row_of_integers(text: str, size: int | None, expected: tuple[int, int]) -> None:
    assert parse_seeds(text, size) == expected


@pytest.mark.parametrize("text", ["1", "", "1 3", "3 2 1", "1 1", "-1 0", " ".join(map(str, range(33)))])
def test_other_seeds_are_a_one_line_error(text: str) -> None:
    with pytest.raises(UserError) as error:
        parse_seeds(text, None)
    assert str(error.value) == f"SEEDS={text}: must be 2 to 32 consecutive integers from 0, separated by spaces, such as 4 5 6"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "1 x"], "SEEDS=1 x: must be integers from 0, separated by spaces"),
        (["--seeds", "1 2", "--size", "3"], "SIZE=3 and SEEDS=1 2: give one of them only"),
        (["--preset", "nonsense"], "PRESET=nonsense: there is no presets/nonsense.yaml; the presets are best, "),
        (["--preset", "typo"], "params.yaml with presets/typo.yaml: train.epochs = 0: must be "),
    ],
)
def test_mistakes_are_reported_in_one_line(arguments: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "presets/typo.yaml").write_text("train:\n  epochs: 0\n")
    with pytest.raises(UserError) as error:
        app.main(["ensemble", *arguments])
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "3 models as one, with the seeds 1 to 3: the training takes about 3 times as long as that of one"),
        (
            ["--size", "2", "--preset", "timed"],
            "2 models as one, with the seeds 1 to 2: train.minutes = 50 is the time for all of them together",
        ),
        (["--seeds", "4 5 6"], "3 models as one, with the seeds 4 to 6: the training takes about 3 times as long as that of one"),
    ],
)
def test_the_time_is_that_of_all_models(arguments: list[str], line: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "presets/timed.yaml").write_text("train:\n  epochs: null\n  minutes: 50\n")
    with pytest.raises(UserError, match="experiments need a Git repository with a commit"):
        app.main(["ensemble", *arguments])
    assert " ".join(capsys.readouterr().out.split()) == line


@pytest.mark.parametrize(
    ("arguments", "number"),
    [([], 4), (["--preset", "five"], 5), (["--preset", "single"], 3), (["--size", "2"], 2), (["--preset", "five", "--seeds", "1 2"], 2)],
)
def test_without_a_size_the_parameters_decide(arguments: list[str], number: int, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_params(project, {"model.ensemble_size": 4})
    for name, size in (("five", 5), ("single", 1)):
        (project / f"presets/{name}.yaml").write_text(f"model:\n  ensemble_size: {size}\n")
    with pytest.raises(UserError, match="experiments need a Git repository with a commit"):
        app.main(["ensemble", *arguments])
    assert capsys.readouterr().out.startswith(f"{number} models as one, with the seeds 1 to {number}: ")
