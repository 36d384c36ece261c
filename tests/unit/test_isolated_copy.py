"""What an experiment's isolated copy would lack, in real Git repositories."""

import os
import shutil
from pathlib import Path

import pytest

from conftest import run
from lstm_lm.errors import SettingError, UserError
from lstm_lm.experiments import isolated_copy, runner

PIPELINE = """\
stages:
  download:
    cmd: python src/download.py
    deps: [data/own, src/download.py]
    outs: [data/raw]
  vocab:
    cmd: python src/vocab.py
    deps: [data/raw, src/text, lists/stop.txt]
    outs: [data/vocab]
"""


def git(*arguments: str) -> None:
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments], Path())  # in the current folder


def write(path: str, text: str = "text\n") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the folder `ml/a project` of a Git repository, committed. It is the current folder."""
    project = tmp_path / "repository/ml/a project"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    write("dvc.yaml", PIPELINE)
    write("params.yaml", "train:\n  seed: 1\n")
    for name in (".dvc/config", "data/own/.gitkeep", "data/own/book.txt", "src/download.py", "src/text/rules.py", "lists/stop.txt"):
        write(name)
    write(".gitignore", "/data/raw\n__pycache__/\n*.secret\n")
    git("init", "-q", str(tmp_path / "repository"))
    git("add", "--all")
    git("commit", "-q", "-m", "first")
    return tmp_path / "repository"


def test_roots_are_what_stages_read_and_none_makes(repository: Path) -> None:
    assert isolated_copy.input_roots() == ["src", "data/own", "lists/stop.txt"]


def test_a_checkout_whose_files_are_all_tracked_needs_no_copies(repository: Path) -> None:
    write("src/text/__pycache__/rules.pyc")
    write("data/raw/a.txt")
    write("notes.txt")
    write("data/own/book.txt", "changed\n")  # Git carries changes of tracked files
    Path("data/own/empty").mkdir()
    assert isolated_copy.find_missing() == []


def test_what_git_ignores_or_does_not_track_is_copied(repository: Path) -> None:
    write("src/text/extra.py")
    write("src/new/module.py")
    write("data/own/key.secret")
    write("data/own/caf\u00e9 #1.txt")
    write("data/own/more/deep/a.txt")
    write(f"data/own/{os.fsdecode(bytes([0xE9]))}.txt")
    Path(repository / ".git/info/exclude").write_text("more\n")
    expected = {"src/text/extra.py", "src/new", "data/own/key.secret", "data/own/caf\u00e9 #1.txt", "data/own/more", "data/own/\udce9.txt"}
    assert set(isolated_copy.find_missing()) == expected


def test_what_git_stores_in_another_form_is_copied(repository: Path) -> None:
    """Git LFS is such a filter: a clone without it has pointers in place of texts."""
    write(".gitattributes", "data/own/*.big filter=pointer\n")
    git("config", "filter.pointer.clean", "echo pointer; cat >/dev/null")
    write("data/own/novel.big", "a long novel\n")
    git("add", "--all")
    git("commit", "-q", "-m", "big")
    assert isolated_copy.find_missing() == ["data/own/novel.big"]


def test_changes_that_git_was_told_to_overlook_are_copied(repository: Path) -> None:
    git("update-index", "--assume-unchanged", "data/own/book.txt")
    write("data/own/book.txt", "changed\n")
    assert isolated_copy.find_missing() == ["data/own/book.txt"]


def test_a_repository_inside_the_text_folder_is_copied(repository: Path) -> None:
    write("data/own/corpus/a.txt")
    git("init", "-q", "data/own/corpus")
    assert isolated_copy.find_missing() == ["data/own/corpus"]


def link(path: str, target: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).symlink_to(target)


def test_links_are_copied_as_what_they_lead_to_or_work_in_the_copy(repository: Path) -> None:
    write("texts/a.txt")
    link("data/own/tracked.txt", "../../texts/a.txt")  # leads to a tracked file: the copy has both
    write("../../shared/b.txt")
    link("data/own/shared", "../../../../shared")  # of the repository, outside of the project
    link("data/own/absolute.txt", str(repository / "ml/a project/texts/a.txt"))
    git("-C", str(repository), "add", "--all")
    git("commit", "-q", "-m", "links")
    link("data/own/untracked.txt", "../../texts/a.txt")
    assert isolated_copy.find_missing() == ["data/own/untracked.txt"]


def test_a_tracked_link_to_what_git_does_not_track_is_named(repository: Path) -> None:
    write(str(repository.parent / "elsewhere.txt"))
    link("data/own/b.txt", "../../../../../elsewhere.txt")
    git("add", "--all")
    git("commit", "-q", "-m", "link")
    with pytest.raises(UserError, match=r"^data/own/b.txt is a link to (../)+elsewhere.txt, which an isolated copy of this checkout lacks"):
        isolated_copy.find_missing()


@pytest.mark.parametrize(
    ("path", "target", "message"),
    [
        ("data/own/gone.txt", "nowhere.txt", "is a link to nowhere.txt, which does not exist"),
        ("data/own/more/gone.txt", "nowhere.txt", "is a link to nowhere.txt, which does not exist"),
        ("data/own/more/loop", "..", "is a link to a folder that contains it"),
    ],
)
def test_a_link_that_cannot_be_followed_is_named(repository: Path, path: str, target: str, message: str) -> None:
    link(path, target)
    with pytest.raises(UserError, match=f"^{path} {message}: experiments cannot copy it, so remove it$"):
        isolated_copy.find_missing()


def test_a_project_that_the_last_commit_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    with pytest.raises(UserError, match=r"^experiments need a Git repository with a commit, and this one has no commit yet: commit "):
        isolated_copy.check_place()
    git("commit", "-q", "--allow-empty", "-m", "first")
    write("dvc.yaml")
    with pytest.raises(UserError, match=r"^experiments start from the last commit, which lacks dvc.yaml: commit it first"):
        isolated_copy.check_place()


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
def test_an_incomplete_clone_is_named_with_the_remedy_which_helps(repository: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    isolated_copy.check_place()
    git("commit", "-q", "--allow-empty", "-m", "second")
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "-q", option, f"file://{repository}", str(repository.parent / "clone"))
    monkeypatch.chdir(repository.parent / "clone/ml/a project")
    with pytest.raises(
        UserError, match=r"^experiments need the whole history, and this is a (shallow|partial) clone: run first: git "
    ) as error:
        isolated_copy.check_place()
    run(["sh", "-c", str(error.value).partition("run first: ")[2]], Path())
    isolated_copy.check_place()


@pytest.mark.parametrize("name", ["c# project", "which?", "my%20project"])
def test_a_path_that_dvc_cannot_handle_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.move(repository / "ml", repository / name)
    git("-C", str(repository), "add", "--all")
    git("-C", str(repository), "commit", "-q", "-m", "moved")
    monkeypatch.chdir(repository / name / "a project")
    with pytest.raises(UserError, match=r"^experiments do not work in .*: rename the folder$"):
        isolated_copy.check_place()


@pytest.mark.parametrize("text", ["${train.seed}", "pay ${x} now", "${oc.env:HOME}"])
def test_a_text_with_a_dollar_and_a_brace_stays_as_it_is(repository: Path, text: str) -> None:
    write("params.yaml", f"train:\n  seed: 1\nreporting:\n  prime_texts: ['{text}', a]\n  title: '{text}'\n")
    before = {"train": {"seed": 1}, "reporting": {"prime_texts": [text, "a"], "title": text}}
    after = {**before, "train": {"seed": 2}}
    assert len(runner._checked_overrides({"train.seed": 2}, before, after)) == 3


@pytest.mark.parametrize("text", ["open ${", "${a b}", "???"])
def test_a_text_that_dvc_cannot_keep_is_named(repository: Path, text: str) -> None:
    write("params.yaml", f"train:\n  seed: 1\nreporting:\n  prime_texts: ['{text}']\n")
    before = {"train": {"seed": 1}, "reporting": {"prime_texts": [text]}}
    after = {**before, "train": {"seed": 2}}
    with pytest.raises(SettingError, match=r"^params.yaml: reporting.prime_texts: .* cannot go through DVC's experiments as text"):
        runner._checked_overrides({"train.seed": 2}, before, after)
