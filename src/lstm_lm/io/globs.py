"""File name patterns as in .gitignore: `*.md`, `plays/**/*.txt`."""

from lstm_lm.errors import UserError


def glob(pattern, key):
    """Compile a pattern.

    Args:
        pattern: str.
        key: where in params.yaml it stands.
    Returns:
        pathspec.PathSpec
    Raises:
        UserError: it is not a pattern.
    """
    import pathspec  # here, since most stages need no pattern

    try:
        return pathspec.PathSpec.from_lines("gitignore", [pattern])
    except ValueError:
        raise UserError(f"params.yaml: {key}: {pattern!r} is not a file name pattern, such as *.txt or plays/**/*.md") from None
