"""Whether a commit has the text of a run."""

from pathlib import Path

import pytest

from conftest import PROJECT, run
from lstm_lm.config import keys, loading
from lstm_lm.config.schema import Params
from lstm_lm.tracking import committed_text, naming, run_facts

COMMIT = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "text"]


def settings_of(source: dict[str, str]) -> Params:
    return loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), {"download.source": source}))


OWN = settings_of({"path": "data/own"})


@pytest.fixture(params=[".", "sub"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, at the root of its repository or in a folder of it, with a committed text."""
    folder = tmp_path / request.param
    (folder / "data/own/books").mkdir(parents=True)
    (folder / "data/own/books/a.txt").write_text("a")
    (folder / ".gitignore").write_text("/data/own/prompts*.txt\n/data/own/large.txt\n")
    run(["git", "init", "-q"], tmp_path)
    run(["git", "add", "-A"], folder)
    run(COMMIT, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return folder


def test_a_committed_text_is_in_the_commit(checkout: Path) -> None:
    assert committed_text.is_in_commit(OWN) is True
    (checkout / "data/own/.DS_Store").write_text("no text")
    (checkout / "other.txt").write_text("not of data/own")
    assert committed_text.is_in_commit(OWN) is True
    assert run_facts.describe(OWN)["text_in_commit"] is True


@pytest.mark.parametrize("name", ["new.txt", "books/a.txt", "prompts.txt", 'a folder/\u00e9 "quoted".txt', "large.txt.dvc"])
def test_a_text_that_was_added_or_changed_since_is_not(name: str, checkout: Path) -> None:
    path = checkout / "data/own" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("b")
    assert committed_text.is_in_commit(OWN) is False
    assert naming.git_tags(has_text=False)["git.dirty"] == "true"
    facts = run_facts.describe(OWN)
    assert (facts["dirty"], facts["text_in_commit"]) == (False, False)


def test_a_text_that_was_removed_since_is_not_what_the_commit_has(checkout: Path) -> None:
    (checkout / "data/own/books/a.txt").unlink()
    assert committed_text.is_in_commit(OWN) is False


def test_only_the_text_that_is_used_counts(checkout: Path) -> None:
    (checkout / "data/own/new.txt").write_text("b")
    assert committed_text.is_in_commit(settings_of({"path": "data/own/books"})) is True
    assert committed_text.is_in_commit(settings_of({"path": "data/own/new.txt"})) is False
    assert committed_text.is_in_commit(settings_of({"url": "https://host/text.txt"})) is None


def test_a_text_that_dvc_tracks_is_in_the_commit_by_its_dvc_file(checkout: Path) -> None:
    (checkout / "data/own/large.txt").write_text("large")
    assert committed_text.is_in_commit(OWN) is False
    (checkout / "data/own/large.txt.dvc").write_text("outs: []")
    run(["git", "add", "-A"], checkout)
    run(COMMIT, checkout)
    assert committed_text.is_in_commit(OWN) is True


def test_outside_a_repository_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert committed_text.is_in_commit(OWN) is None
    run(["git", "init", "-q"], tmp_path)  # without a commit
    assert committed_text.is_in_commit(OWN) is None
