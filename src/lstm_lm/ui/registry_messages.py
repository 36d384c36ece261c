"""What is printed about the versions in the model registry."""

from lstm_lm.tracking import champion, model_facts
from lstm_lm.tracking.versions import RUN_TAG, Board
from lstm_lm.ui import terminal
from lstm_lm.ui.terminal import Column

RELOAD = "curl -X POST http://127.0.0.1:5001/admin/reload"  # on the port of `make serve`
DIGEST_LENGTH = 8  # characters of a test text's digest in the table
COLUMNS = (
    Column("version"),
    Column("alias", align="left"),
    Column("test ppl", align="left", drop_order=3),
    Column("adjusted ppl"),
    Column("test text", align="left", drop_order=4),
    Column("run", align="left", drop_order=5),  # a version is recognized by it
    Column("", align="left", drop_order=2),
    Column("MLflow run", align="left", drop_order=1),
)
VERSION, REMARK = 0, 6  # their places


def version_rows(board: Board) -> list[list[str]]:
    """Return the rows of a table with `COLUMNS`, the newest version first."""
    rows = []
    for version in reversed(board.versions):
        tags = version.tags
        candidate = board.candidate(int(version.version))
        rows.append(
            [
                str(version.version),
                ", ".join(_aliases(board, candidate.number)),
                tags.get(model_facts.PERPLEXITY_TAG, ""),
                "" if candidate.metric is None else terminal.perplexity(candidate.metric),
                (candidate.test_digest or "")[:DIGEST_LENGTH],
                tags.get(model_facts.NAME_TAG, ""),
                _remark(candidate.number == board.alias, tags),
                tags.get(RUN_TAG) or version.run_id or "",
            ]
        )
    return rows


def _aliases(board: Board, number: int) -> list[str]:
    placed = {champion.ALIAS: board.alias, champion.PREVIOUS_ALIAS: board.previous_alias}
    return [alias for alias, version in placed.items() if version == number]


def _remark(is_champion: bool, tags: dict[str, str]) -> str:
    if champion.FILES_MISSING_TAG in tags:
        return "its files are gone from the artifact store"
    if is_champion:
        return tags.get(champion.REASON_TAG, "")
    if champion.NOT_CHAMPION_TAG in tags:
        return tags[champion.NOT_CHAMPION_TAG]
    return "a former champion" if champion.SINCE_TAG in tags else ""


def show_versions(name: str, board: Board) -> None:
    """Print the table of versions. In a narrow window the remarks are below it."""
    if not board.versions:
        terminal.print(f"{name} has no versions yet: make repro registers the first one")
        return
    rows = version_rows(board)
    left_out = terminal.table(COLUMNS, rows, where="make ui")
    remarks = [(f"version {row[VERSION]}", row[REMARK]) for row in rows if row[REMARK]]
    if REMARK in left_out and remarks:
        terminal.commands(remarks)
    if len({candidate.test_digest for candidate in board.candidates}) > 1:
        terminal.print("Perplexities can only be compared in rows with the same test text, which is the same text in the same tokens.")


def show_promotion(name: str, before: Board, after: Board) -> None:
    """Print where the alias is now, where it was and how it gets back there, and that servers do not follow it by themselves."""
    if before.alias == after.alias:
        terminal.print(f"models:/{name}@champion is version {after.alias} already")
        return
    if before.alias is None:
        terminal.print(f"models:/{name}@champion is version {after.alias} now")
        return
    back = way_back(before.alias, after)
    terminal.print(
        f"models:/{name}@champion is version {after.alias} now, in place of version {before.alias}{f' (back: {back})' if back else ''}"
    )
    terminal.print("A running make serve keeps the version that it serves until you ask it to reload:")
    terminal.verbatim(f"  {RELOAD}")


def way_back(former: int, board: Board) -> str | None:
    """Return the command that makes a former champion the champion again, or None if it is gone.

    Args:
        former: the champion before the present one.
        board: the registry now. After a roll-back, another roll-back would go further back, not to `former`.
    """
    if board.previous == former:
        return "make rollback"
    is_usable = former in {each.number for each in board.candidates if each.is_usable}
    return f"make promote RUN={former}" if is_usable else None
