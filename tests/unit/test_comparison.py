"""The comparison of experiments, read from a real Git repository with the refs that DVC makes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT, change_params
from lstm_lm.commands import compare
from lstm_lm.experiments import comparison
from terminal_window import run_in_window

LOCK = {"stages": {"download": {"outs": [{"path": "data/raw", "md5": "a.dir"}]}}}


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def write_results(folder: Path, bits: float, **lock: Any) -> None:
    """Write the results of a model; its perplexities follow from its bits per character."""
    test = {"bits_per_character": bits, "perplexity": bits * 100, "adjusted_perplexity": bits * 200}
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports/metrics.json").write_text(json.dumps({"test": test, "validation": {"perplexity": bits * 90}}))
    with (folder / "dvc.lock").open("w") as file:
        YAML().dump(lock or LOCK, file)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose last commit has results, with no experiments yet. It is the current folder."""
    git(tmp_path, "init", "-q")
    (tmp_path / "params.yaml").write_text((PROJECT / "params.yaml").read_text())
    write_results(tmp_path, 1.6)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-qm", "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add_experiment(folder: Path, name: str, bits: float, changes: dict[str, object], **lock: Any) -> None:
    """Add an experiment, as DVC does: a commit on the last one, to which only a ref leads. The checkout stays as it is."""
    change_params(folder, changes)
    write_results(folder, bits, **lock)
    head = git(folder, "rev-parse", "HEAD")
    git(folder, "add", "--all")
    rev = git(folder, "commit-tree", git(folder, "write-tree"), "-p", head, "-m", name)
    git(folder, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", rev)
    git(folder, "reset", "-q", "--hard")


def test_experiments_are_sorted_with_what_differs(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_experiment(repository, "worse", 1.7, {"train.epochs": 1, "reporting.status_every": 7})
    add_experiment(repository, "better", 1.5, {"train.learning_rate": 0.004, "vocab.lowercase": True})
    compare.compare()
    table, _, differing = capsys.readouterr().out.partition("\n\n")
    assert [line.split()[0] for line in table.splitlines()] == ["model", "better", "this", "worse"]
    assert table.splitlines()[1].split()[1:5] == ["1.500", "150.00", "300.0", "135.00"]
    assert [line.split() for line in differing.splitlines()[1:]] == [["better", "learning_rate=0.004"], ["worse", "epochs=1"]]


def test_models_that_cannot_be_compared_are_in_separate_tables(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_experiment(repository, "char", 1.9, {"vocab.unit": "char"})
    add_experiment(repository, "small", 1.65, {"vocab.min_count": 50})
    other = {"stages": {"download": {"outs": [{"path": "data/raw", "md5": "b.dir"}]}}}
    add_experiment(repository, "elsewhere", 1.2, {"download.source": {"path": "data/own"}}, **other)
    add_experiment(repository, "split", 1.3, {"vocab.test": 0.2})
    tables = comparison.tables(comparison.read_all())
    assert sorted([model.name for model in table.models] for table in tables) == [
        ["char"], ["elsewhere"], ["split"], ["this checkout", "small"]
    ]  # fmt: skip
    compare.compare()
    printed = capsys.readouterr().out
    assert "test ppl/character" in printed and "test ppl/word" in printed
    assert "Between models of words and characters, only bits/char can be compared: perplexity is per token." in printed
    assert "Where the vocabularies differ, compare bits/char or adjusted perplexity" in printed
    assert "Models of different held-out texts cannot be compared" in printed


def test_the_last_commit_is_listed_if_the_checkout_has_other_results(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare.compare()
    printed = capsys.readouterr().out
    assert "this checkout" in printed and "\nlast commit" not in printed
    assert "No experiments are based on the last commit yet" in printed
    write_results(repository, 1.55)
    assert [model.name for model in comparison.read_all()] == ["last commit", "this checkout"]
    compare.compare(markdown=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "| model | bits/char | test ppl/word | adjusted ppl | validation ppl | made |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    assert lines[2] == "| this checkout | 1.550 | 155.00 | 310.0 | 139.50 |  |"


def test_an_experiment_without_results_comes_last(repository: Path) -> None:
    add_experiment(repository, "worse", 1.7, {})
    (repository / "reports/metrics.json").unlink()
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "rm", "-q", "--cached", "reports/metrics.json")
    rev = git(repository, "commit-tree", git(repository, "write-tree"), "-p", head, "-m", "unfinished")
    git(repository, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/unfinished", rev)
    git(repository, "reset", "-q", "--hard")
    [table] = comparison.tables(comparison.read_all())
    assert [row[:3] for row in table.rows()] == [
        ["this checkout", "1.600", "160.00"],
        ["worse", "1.700", "170.00"],
        ["unfinished", "-", "-"],
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_comparison_fits_into_a_window(columns: int, repository: Path) -> None:
    add_experiment(repository, "preset-subword-seed1", 1.9, {"vocab.unit": "subword", "vocab.max_size": 4000})
    add_experiment(repository, "ablation-no-warmup-seed1", 1.7, {f"model.dropout_{name}": 0.5 for name in ("input", "hidden", "output")})
    lines = run_in_window(["python", str(PROJECT / "src/cli.py"), "compare"], repository, columns)
    assert max(map(len, lines)) <= columns
    assert "dropout_output=0.5" in "".join(lines)
