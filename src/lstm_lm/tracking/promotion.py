"""Moving the alias `champion`: by the rule of `champion`, on purpose, and back. The alias `previous` follows it.

Several processes may do so at once, on one machine or on several. Each one computes the champion from the tags of all versions, moves the
alias, reads everything back, and repeats that until nothing changes. So the last one to move the alias leaves it where it belongs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lstm_lm.errors import UserError
from lstm_lm.tracking import champion, conflicts, version_links
from lstm_lm.tracking.versions import Board, has_files, read, write_state

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_ROUNDS = 20  # of computing the champion again
SETTLE_SECONDS = 2  # after which another process has moved the alias that it was about to move


def settle(client: MlflowClient, name: str, checked: int | None = None, reason: str | None = None) -> Board:
    """Move the aliases, until nothing changes any more, tag what was decided, and link the logged models to their versions.

    Args:
        client: see `store.connect`.
        name: of the registered model.
        checked: a version whose files are known to be there.
        reason: why the alias is moved, None for the usual one.
    """
    for _ in range(MAX_ROUNDS):
        board = read(client, name)
        number = board.champion
        if number is None:
            break
        if number != checked and not has_files(client, board.version(number)):
            client.set_model_version_tag(name, str(number), champion.FILES_MISSING_TAG, now())
            continue
        checked = number
        if board.alias != number:
            if _set_alias(client, name, champion.ALIAS, number):
                _tag_champion(client, name, board, reason)
        elif board.previous_alias != board.previous:
            _set_alias(client, name, champion.PREVIOUS_ALIAS, board.previous)
        else:
            _tag_others(client, name, board)
            break
    else:
        raise UserError(f"the alias {champion.ALIAS} of {name} keeps moving: another process promotes versions; try again later")
    board = read(client, name)
    version_links.update(client, name, board)
    return board


def _set_alias(client: MlflowClient, name: str, alias: str, number: int | None) -> bool:
    """Put an alias on a version, or on none. Returns False if another process created it in between: it may know of a better version."""
    from mlflow.exceptions import MlflowException

    try:
        if number is None:
            client.delete_registered_model_alias(name, alias)
        else:
            client.set_registered_model_alias(name, alias, str(number))
    except MlflowException as error:
        if not conflicts.is_conflict(error):
            raise
        return False
    return True


def _tag_champion(client: MlflowClient, name: str, board: Board, reason: str | None) -> None:
    number, history = board.champions[-1], board.champions[:-1]
    version = board.version(number)
    if reason is None:
        reason = "first version" if not history else f"better than version {history[-1]} on the same test text"
    tags = {champion.SINCE_TAG: now(), champion.REASON_TAG: reason}
    if board.alias is not None:
        tags[champion.PREVIOUS_TAG] = str(board.alias)
    for key, value in tags.items():
        client.set_model_version_tag(name, version.version, key, value)
    if champion.NOT_CHAMPION_TAG in version.tags:
        client.delete_model_version_tag(name, version.version, champion.NOT_CHAMPION_TAG)


def _tag_others(client: MlflowClient, name: str, board: Board) -> None:
    """Tag versions that have just been compared with the champion, and stay what they are."""
    number = board.champion
    assert number is not None
    for candidate in board.candidates:
        if candidate.number != number and candidate.test_digest is not None and not candidate.is_decided and candidate.is_usable:
            reason = champion.why_not(candidate, board.candidate(number))
            client.set_model_version_tag(name, str(candidate.number), champion.NOT_CHAMPION_TAG, reason)


def keep_alias_moved_by_hand(client: MlflowClient, name: str) -> None:
    """Take an alias that was moved in MLflow's pages for a promotion.

    While a process has just registered a version or written its decision, the alias is not there yet. That is no such move.
    """
    for attempt in range(2):
        board = read(client, name)
        undecided = any(each.test_digest is not None and not each.is_decided for each in board.candidates)
        if board.alias is None or board.alias == board.champion or undecided:
            return
        alias = board.alias
        if attempt == 0:
            time.sleep(SETTLE_SECONDS)
    state = champion.promoted(board.state, board.candidates, alias)
    write_state(client, name, state)


def promote(client: MlflowClient, name: str, number: int) -> Board:
    """Make a version the champion on purpose, whatever its metrics.

    Raises:
        UserError: there is no such version, or its files are gone.
    """
    board = read(client, name)
    if number not in {each.number for each in board.candidates}:
        raise UserError(f"{name} has no version {number}: list the versions with: make models")
    if not has_files(client, board.version(number)):
        raise UserError(
            f"the files of version {number} of {name} are gone from the artifact store: log it again from the checkout that trained it, "
            "with: dvc repro --force --single-item evaluate-sample"
        )
    if champion.FILES_MISSING_TAG in board.version(number).tags:
        client.delete_model_version_tag(name, str(number), champion.FILES_MISSING_TAG)
    keep_alias_moved_by_hand(client, name)
    board = read(client, name)
    if board.champion != number:
        state = champion.promoted(board.state, board.candidates, number)
        write_state(client, name, state)
    return settle(client, name, checked=number, reason="promoted on purpose")


def roll_back(client: MlflowClient, name: str) -> Board:
    """Make the previous champion the champion again.

    Raises:
        UserError: there is none.
    """
    keep_alias_moved_by_hand(client, name)
    board = read(client, name)
    state = champion.rolled_back(board.state, board.candidates)
    if state is None:
        reason = f"no champion before version {board.champion} is left" if board.champion else "it has no champion yet"
        raise UserError(f"{name} cannot be rolled back: {reason} (make models lists the versions, make promote RUN=... promotes one)")
    write_state(client, name, state)
    given_up = str(board.champion)
    client.set_model_version_tag(name, given_up, champion.NOT_CHAMPION_TAG, f"rolled back to version {state.history[-1]} at {now()}")
    return settle(client, name, reason=f"rolled back from version {given_up}")


def now() -> str:
    """The time, as tags have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
