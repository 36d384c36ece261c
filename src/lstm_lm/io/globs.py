"""File name patterns as in .gitignore: `*.md`, `plays/**/*.txt`."""

from typing import TYPE_CHECKING

from lstm_lm.errors import SettingError

if TYPE_CHECKING:
    from pathspec import PathSpec


def compile_pattern(pattern: str, key: str) -> "PathSpec":
    """Compile a pattern.

    Args:
        pattern: as in .gitignore.
        key: of params.yaml, for the error message.
    Raises:
        SettingError: it is not a pattern.
    """
    import pathspec  # imported here because most stages need no pattern

    try:
        return pathspec.PathSpec.from_lines("gitignore", [pattern])
    except ValueError:
        raise SettingError(key, f"{pattern!r} is not a file name pattern, such as *.txt or plays/**/*.md") from None
