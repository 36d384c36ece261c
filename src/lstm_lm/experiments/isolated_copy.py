"""What an experiment's isolated copy needs and does not get by itself: DVC clones what Git tracks, at its relative path."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.io import git

REQUIREMENT = "experiments need a Git repository with a commit"
CODE = "src"
PIPELINE = ("dvc.yaml", "params.yaml", ".dvc/config")
UNUSABLE = re.compile(r"[#?]|%[0-9A-Fa-f]{2}")
CACHES = ("__pycache__", ".ipynb_checkpoints")


def check_place() -> None:
    """Check that DVC can make an isolated copy of this checkout.

    Raises:
        UserError: it is no Git repository with a commit, the commit lacks the project, its history is not whole,
            or DVC cannot handle its path.
    """
    if git.run("rev-parse", "--git-dir") is not None and git.run("rev-parse", "--verify", "--quiet", "HEAD") is None:
        raise UserError(f"{REQUIREMENT}, and this one has no commit yet: commit the project first (git add --all && git commit)")
    git.run_checked("rev-parse", "HEAD", requirement=REQUIREMENT)
    for name in PIPELINE:
        if git.run("cat-file", "-e", f"HEAD:./{name}") is None:
            raise UserError(f"experiments start from the last commit, which lacks {name}: commit it first (git add --all && git commit)")
    if UNUSABLE.search(str(Path.cwd())):  # DVC makes an address of the path and does not escape it
        raise UserError(f"experiments do not work in {Path.cwd()}, because DVC cannot handle #, ? or %xx in a path: rename the folder")
    if git.run("rev-parse", "--is-shallow-repository") == "true\n":
        raise UserError("experiments need the whole history, and this is a shallow clone: run first: git fetch --unshallow")
    if partial := git.run("config", "--name-only", "--get-regexp", r"^remote\..*\.partialclonefilter$"):
        name = partial.splitlines()[0]
        raise UserError(
            f"experiments need the whole history, and this is a partial clone: run first: git config --unset {name} && git fetch --refetch"
        )


def input_roots() -> list[str]:
    """Return the paths that the stages read and no stage makes, according to dvc.yaml: the code and the user's own text."""
    stages = loading.read("dvc.yaml")["stages"].values()
    outputs = [Path(next(iter(out)) if isinstance(out, dict) else out) for stage in stages for out in stage.get("outs", [])]
    inputs = {dep for stage in stages for dep in stage.get("deps", []) if not any(Path(dep).is_relative_to(out) for out in outputs)}
    return [CODE, *sorted(dep for dep in inputs if not Path(dep).is_relative_to(CODE))]


def find_missing() -> list[str]:
    """Find the files and folders below the input roots that the copy would lack, or have with another content.

    These are files that Git does not track or ignores, files of which Git stores something else (Git LFS and other filters), and files
    whose changes it was told to overlook. A folder without any tracked file is named as a whole.

    Raises:
        UserError: a link leads to something that the copy would not have.
    """
    roots = input_roots()
    listed = _list("ls-files", "-z", "-v", "--", *roots)
    tracked = {line[2:] for line in listed}
    converted = _with_filter(tracked)
    overlooked = {line[2:] for line in listed if line[0].islower() or line[0] == "S"}
    carried = tracked - converted - overlooked
    folders = {parent.as_posix() for name in tracked for parent in Path(name).parents}
    folders |= {name for name in tracked if Path(name).is_dir() and not Path(name).is_symlink()}  # submodules: empty in the copy
    return [path for root in roots for path in _missing(Path(root), carried, folders)]


def _missing(path: Path, carried: set[str], folders: set[str]) -> Iterator[str]:
    name = path.as_posix()
    if path.name in CACHES:
        return
    if path.is_symlink() and name in carried:
        _check_tracked_link(path)
    elif name in carried:
        return
    elif path.is_dir() and not path.is_symlink() and name in folders:
        for entry in sorted(path.iterdir()):
            yield from _missing(entry, carried, folders)
    elif _has_files(path):
        yield name


def _has_files(path: Path) -> bool:
    """Return whether a path that DVC is to copy is a file, or a folder or link with a file in it.

    Raises:
        UserError: there is a link that cannot be followed.
    """
    entries = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    for link in entries:
        if link.is_symlink() and not link.exists():
            raise UserError(f"{link} is a link to {link.readlink()}, which does not exist: experiments cannot copy it, so remove it")
        if link.is_symlink() and link.absolute().is_relative_to(link.resolve()):
            raise UserError(f"{link} is a link to a folder that contains it: experiments cannot copy it, so remove it")
    return any(entry.is_file() or entry.is_symlink() for entry in entries)


def _check_tracked_link(link: Path) -> None:
    """Check that a link that Git tracks leads to the same content in the copy, which lies in another folder."""
    target = link.readlink()
    if target.is_absolute():
        return
    path = os.path.normpath(link.parent / target)
    is_whole = git.run("ls-files", "--error-unmatch", "--", path) is not None and not git.run("ls-files", "--others", "--", path)
    if not is_whole:
        raise UserError(
            f"{link} is a link to {target}, which an isolated copy of this checkout lacks, because Git does not track it: "
            "replace the link with the file itself, or with a link to its absolute path"
        )


def _with_filter(names: set[str]) -> set[str]:
    """Return the files that a filter of .gitattributes converts, as Git LFS does: the copy would have what Git stores."""
    fields = _list("check-attr", "-z", "--stdin", "filter", text="".join(f"{name}\0" for name in names))
    return {name for name, value in zip(fields[::3], fields[2::3], strict=True) if value not in ("unspecified", "unset")}


def _list(*arguments: str, text: str = "") -> list[str]:
    return git.run_checked(*arguments, requirement=REQUIREMENT, text=text).split("\0")[:-1]


def digest_inputs(roots: list[str]) -> dict[str, str]:
    """Return DVC's digest of each dependency of a stage that lies below the roots, by its path."""
    from dvc.repo import Repo

    with Repo() as repo:
        deps = {dep.def_path: dep for stage in repo.index.stages for dep in stage.deps}
        return {path: dep.get_hash().value for path, dep in deps.items() if any(Path(path).is_relative_to(root) for root in roots)}
