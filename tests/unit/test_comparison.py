"""The comparison of experiments, read from a real Git repository with the refs that DVC makes."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT, change_params
from lstm_lm.commands import compare
from lstm_lm.experiments import comparison
from lstm_lm.experiments.locked_run import LockedRun
from lstm_lm.io import dvc_cache
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
    (tmp_path / ".gitignore").write_text(".dvc/cache\n")
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


def cache(folder: Path, content: str, suffix: str = "") -> str:
    """Add a file to DVC's cache, and return its digest."""
    digest = hashlib.md5(content.encode()).hexdigest() + suffix
    path = folder / dvc_cache.CACHE / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return digest


def cache_folder(folder: Path, **files: Any) -> str:
    """Add a folder of JSON files to DVC's cache, and return its digest."""
    listing = [{"md5": cache(folder, json.dumps(content)), "relpath": f"{name}.json"} for name, content in files.items()]
    return cache(folder, json.dumps(listing), ".dir")


def make_lock(
    folder: Path, documents: dict[str, str], held_out: dict[str, str], tokens: str = "", start: int = 0, **params: Any
) -> dict[str, Any]:
    """Return the content of a dvc.lock, and add the text to DVC's cache.

    Args:
        folder: of the project.
        documents: name of each document -> its sha256. Each has ten tokens.
        held_out: the document of each held-out split.
        tokens: digest of the test text in its tokens.
        start: the first held-out token.
        params: of the stage train.
    """
    spans = {split: [{"document": document, "start": start, "stop": 10}] for split, document in held_out.items()}
    text = {"documents": dict.fromkeys(documents, 10), "digests": {"test": tokens} if tokens else {}}
    source = {"files": [{"name": name, "sha256": sha256} for name, sha256 in documents.items()]}
    raw = {"path": "data/raw", "md5": cache_folder(folder, source=source)}
    vocab = {"path": "data/vocab", "md5": cache_folder(folder, splits=spans, text=text)}
    train = {"params": {"params.yaml": {"train": params}}} if params else {}
    return {"stages": {"download": {"outs": [raw]}, "vocab": {"outs": [vocab]}, "train": train}}


def names(tables: list[comparison.Table]) -> list[list[str]]:
    return sorted(sorted(model.name for model in table.models) for table in tables)


PLAYS = {"a.txt": "sha of a", "b.txt": "sha of b", "c.txt": "sha of c"}
HELD_OUT = {"validation": "b.txt", "test": "c.txt"}


def test_training_on_more_text_leaves_models_comparable(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"vocab.validation": ["/b.txt"], "vocab.test": ["/c.txt"]}
    write_results(repository, 1.6, **make_lock(repository, PLAYS, HELD_OUT))
    git(repository, "add", "--all")
    git(repository, "commit", "-qm", "with the text")
    prompts = make_lock(repository, {**PLAYS, "prompts.txt": "sha of prompts"}, HELD_OUT)
    add_experiment(repository, "prompts", 1.5, more, **prompts)
    compare.compare()
    assert "cannot be compared" not in capsys.readouterr().out
    [table] = comparison.tables(comparison.read_all())
    assert [model.name for model in table.models] == ["prompts", "this checkout"]
    add_experiment(repository, "renamed", 1.5, more, **make_lock(repository, {"b.txt": "?", "c.txt": "sha of d"}, HELD_OUT))
    assert names(comparison.tables(comparison.read_all())) == [["prompts", "this checkout"], ["renamed"]]
    # In other units, the text is the same.
    characters = make_lock(repository, {**PLAYS, "prompts.txt": "other prompts"}, HELD_OUT, tokens="in characters")
    add_experiment(repository, "char", 1.4, {**more, "vocab.unit": "char"}, **characters)
    [renamed] = git(repository, "for-each-ref", "--format=%(refname)", "refs/exps/*/*/renamed").splitlines()
    git(repository, "update-ref", "-d", renamed)
    compare.compare()
    assert "cannot be compared" not in capsys.readouterr().out
    assert names(comparison.tables(comparison.read_all())) == [["char"], ["prompts", "this checkout"]]


def test_texts_held_out_in_part_are_compared_by_their_tokens(repository: Path) -> None:
    def lock(sha256: str, tokens: str) -> dict[str, Any]:
        return make_lock(repository, {"a.txt": sha256}, {"validation": "a.txt", "test": "a.txt"}, tokens, start=8)

    add_experiment(repository, "one", 1.5, {}, **lock("sha of a", "tokens"))
    add_experiment(repository, "other-beginning", 1.4, {}, **lock("sha of b", "tokens"))
    add_experiment(repository, "other-end", 1.3, {}, **lock("sha of c", "other tokens"))
    add_experiment(repository, "unknown", 1.3, {}, **lock("sha of d", ""))
    assert names(comparison.tables(comparison.read_all())) == [["one", "other-beginning"], ["other-end"], ["this checkout"], ["unknown"]]


def test_without_the_cache_only_the_same_text_with_the_same_split_is_compared(repository: Path) -> None:
    lock = make_lock(repository, PLAYS, HELD_OUT)
    add_experiment(repository, "one", 1.5, {}, **lock)
    add_experiment(repository, "same", 1.4, {"train.epochs": 1}, **lock)
    add_experiment(repository, "prompts", 1.4, {}, **make_lock(repository, {**PLAYS, "prompts.txt": "sha of prompts"}, HELD_OUT))
    assert ["one", "prompts", "same"] in names(comparison.tables(comparison.read_all()))
    for path in (repository / dvc_cache.CACHE).rglob("*.dir"):
        path.write_text("damaged")
    assert ["one", "same"] in names(comparison.tables(comparison.read_all()))


def test_a_cache_elsewhere_is_read(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    add_experiment(repository, "one", 1.5, {}, **make_lock(repository, PLAYS, HELD_OUT))
    add_experiment(repository, "more", 1.4, {}, **make_lock(repository, {**PLAYS, "prompts.txt": "sha of prompts"}, HELD_OUT))
    elsewhere = tmp_path_factory.mktemp("cache") / "shared"
    (repository / ".dvc/cache").rename(elsewhere)
    (repository / ".dvc/config").write_text(f"[cache]\n    dir = {elsewhere}\n")
    assert ["more", "one"] in names(comparison.tables(comparison.read_all()))


def test_other_validation_texts_are_noted(repository: Path) -> None:
    add_experiment(repository, "one", 1.5, {}, **make_lock(repository, PLAYS, HELD_OUT))
    other = {"vocab.validation": ["a.txt"]}
    add_experiment(repository, "other", 1.4, other, **make_lock(repository, PLAYS, {"validation": "a.txt", "test": "c.txt"}))
    tables = comparison.tables(comparison.read_all())
    assert ["one", "other"] in names(tables)
    assert "Where only the test text is the same, validation perplexities cannot be compared." in comparison.notes(tables)


def test_a_model_is_shown_with_the_parameters_of_its_training(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(repository, 1.55, **make_lock(repository, PLAYS, HELD_OUT, epochs=5))
    change_params(repository, {"train.epochs": 9})
    compare.compare()
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines() if "epochs" in line][-1:] == [["this", "checkout", "epochs=5"]]
    assert "this checkout: params.yaml has changed since this run (train." in printed
    assert "last commit:" not in printed
    [checkout] = [model for model in comparison.read_all() if model.name == comparison.CHECKOUT]
    assert "train.epochs" in checkout.changed


def test_parameters_that_change_no_result_are_not_noted(repository: Path) -> None:
    trained = YAML(typ="safe").load((repository / "params.yaml").read_text())["train"]
    write_results(repository, 1.55, **make_lock(repository, PLAYS, HELD_OUT, **trained))
    change_params(repository, {"reporting.status_every": 7})
    assert comparison.outdated(comparison.read_all()) == []


def test_metrics_of_an_earlier_model_are_noted(repository: Path) -> None:
    weights = {"path": "models/weights", "md5": "a.dir"}
    stages: dict[str, Any] = {"train": {"outs": [weights]}, "evaluate-sample": {"deps": [{**weights, "md5": "b.dir"}]}}
    write_results(repository, 1.55, stages=stages)
    assert comparison.outdated(comparison.read_all()) == [
        "this checkout: its metrics are of an earlier model: make repro evaluates the one that was trained since."
    ]
    stages["evaluate-sample"]["deps"] = [weights]
    write_results(repository, 1.55, stages=stages)
    assert comparison.outdated(comparison.read_all()) == []


def test_the_committed_run_says_which_vocabulary_it_has() -> None:
    vocabulary = LockedRun((PROJECT / "dvc.lock").read_text()).vocabulary
    assert vocabulary is not None
    assert len(set(vocabulary)) == 2


def test_the_vocabulary_is_that_of_the_training(repository: Path) -> None:
    def lock(md5: str) -> dict[str, Any]:
        deps = [{"path": f"data/vocab/{name}", "md5": md5} for name in ("vocab.csv", "tokenizer.json")]
        return {"stages": {**LOCK["stages"], "train": {"deps": deps}}}

    write_results(repository, 1.6, **lock("one"))
    git(repository, "commit", "-qam", "with the vocabulary")
    add_experiment(repository, "same", 1.5, {"vocab.max_size": 10**6}, **lock("one"))
    assert "Where the vocabularies differ" not in str(comparison.notes(comparison.tables(comparison.read_all())))
    add_experiment(repository, "other", 1.5, {}, **lock("other"))
    assert "Where the vocabularies differ" in str(comparison.notes(comparison.tables(comparison.read_all())))


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
