"""Whether the last commit has the text of data/own that a run used: a checkout of that commit makes the same model only if it does."""

from pathlib import Path, PurePosixPath

from lstm_lm.config.schema import Params, PathSource
from lstm_lm.io import git
from lstm_lm.paths import project_root
from lstm_lm.text.sources.files import unwanted

TRACKED_BY_DVC = ".dvc"


def is_in_commit(settings: Params) -> bool | None:
    """Return whether the last commit has the text, or the `.dvc` files by which DVC fetches it, as it is in the checkout.

    None if the text is not from data/own, or if there is no Git repository with a commit.
    """
    source = settings.download.source
    if not isinstance(source, PathSource):
        return None
    root = project_root()
    if git.run("rev-parse", "--verify", "--quiet", "HEAD", cwd=root) is None:
        return None
    changed = git.run(
        *("--literal-pathspecs", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching"),
        *("--", source.path),
        cwd=root,
    )
    if changed is None:
        return None
    prefix = (git.run("rev-parse", "--show-prefix", cwd=root) or "").strip("\n")
    entries = [(entry[:2], entry[3:].removeprefix(prefix)) for entry in changed.split("\0") if entry]
    return not any(_matters(PurePosixPath(name), is_ignored=state == "!!", root=root) for state, name in entries)


def _matters(path: PurePosixPath, *, is_ignored: bool, root: Path) -> bool:
    """Whether the text depends on a file that differs from the commit: it is text, or what DVC has in place of text."""
    if path.suffix == TRACKED_BY_DVC:
        return True
    if is_ignored and any((root / f"{each}{TRACKED_BY_DVC}").exists() for each in (path, *path.parents[:-1])):
        return False  # reported by its .dvc file if that is not committed
    return unwanted(path.as_posix()) is None
