"""Which version of a registered model is the champion: computed from the tags of all versions, so that every process comes to the same one.

The champion is the version that was put there on purpose, or the first one, until a newer version predicts the same test text better.
The champions so far, in order, are the history that a roll-back walks along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

ALIAS = "champion"
PREVIOUS_ALIAS = "previous"  # on the version that a roll-back makes the champion
STATE_TAG = "mlflow.lstm_lm.champion"  # of the registered model: what was decided on purpose; MLflow's pages hide tags that begin so
OLD_STATE_TAG = "lstm_lm.champion"  # in which an earlier version of this project kept it
METRIC_TAG = "lstm_lm.adjusted_perplexity"  # of a version: of the test text
TEST_DIGEST_TAG = "lstm_lm.test_digest"  # of a version: of the test text, in tokens
NOT_CHAMPION_TAG = "lstm_lm.not_champion"  # of a version: why it did not become the champion
SINCE_TAG = "lstm_lm.champion_since"  # of a version: when it became the champion
PREVIOUS_TAG = "lstm_lm.previous_champion"  # of a version: the champion before it
REASON_TAG = "lstm_lm.champion_reason"  # of a version: why it became the champion
FILES_MISSING_TAG = "lstm_lm.files_missing"  # of a version whose files are gone from the artifact store


@dataclass(frozen=True)
class Candidate:
    """A version as far as the decision needs it.

    Attributes:
        number: of the version.
        metric: adjusted perplexity of the test text, None if it is not known.
        test_digest: identifies the test text and its tokens, None if it is not known.
        is_usable: whether the version has its files.
        is_decided: whether it was once compared with the champion.
    """

    number: int
    metric: float | None
    test_digest: str | None
    is_usable: bool = True
    is_decided: bool = False

    @classmethod
    def from_tags(cls, number: int, tags: Mapping[str, str]) -> Candidate:
        """Read the tags of a version."""
        try:
            metric = float(tags[METRIC_TAG])
        except (KeyError, ValueError):
            metric = None
        is_decided = NOT_CHAMPION_TAG in tags or SINCE_TAG in tags
        return cls(number, metric, tags.get(TEST_DIGEST_TAG), FILES_MISSING_TAG not in tags, is_decided)

    def is_better_than(self, other: Candidate) -> bool:
        """Whether it predicts the same test text better."""
        if self.metric is None or other.metric is None or self.test_digest is None or self.test_digest != other.test_digest:
            return False
        return self.metric < other.metric


@dataclass(frozen=True)
class State:
    """What was decided on purpose. It changes only by a promotion, a roll-back, or an alias that was moved by hand.

    Attributes:
        history: the champions up to the one that was put there on purpose, which is the last.
        through: versions up to this number do not compete any more.
    """

    history: tuple[int, ...] = ()
    through: int = 0

    @classmethod
    def from_json(cls, text: str | None) -> State:
        """Read the tag; nothing was decided if there is none, or none that can be read."""
        try:
            values = json.loads(text or "")
            return cls(tuple(int(number) for number in values["history"]), int(values["through"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def to_json(self) -> str:
        """Return the content of the tag."""
        return json.dumps(asdict(self))


def champions(state: State, candidates: Sequence[Candidate]) -> list[int]:
    """Return the champions so far, oldest first: the last one is the champion. Versions that cannot be served are left out."""
    usable = {each.number: each for each in sorted(candidates, key=lambda each: each.number) if each.is_usable}
    numbers = [number for number in state.history if number in usable]
    through = state.through if numbers else 0  # all compete again if nothing is left of what was decided
    for number, candidate in usable.items():
        if number <= through or candidate.test_digest is None:
            continue
        if not numbers or candidate.is_better_than(usable[numbers[-1]]):
            numbers.append(number)
    return numbers


def promoted(state: State, candidates: Sequence[Candidate], number: int) -> State:
    """Return the state after a version was made the champion on purpose."""
    return State((*champions(state, candidates), number), _newest(candidates))


def rolled_back(state: State, candidates: Sequence[Candidate]) -> State | None:
    """Return the state after the champion was given up for the one before it, or None if there is none."""
    before = before_champion(champions(state, candidates))
    return State(tuple(before), _newest(candidates)) if before else None


def before_champion(numbers: Sequence[int]) -> list[int]:
    """Return the champions before the present one, oldest first. numbers: see `champions`."""
    return [number for number in numbers[:-1] if number != numbers[-1]]


def why_not(candidate: Candidate, champion: Candidate) -> str:
    """Say why a version did not become the champion."""
    command = f"make promote RUN={candidate.number}"
    if candidate.test_digest is None or candidate.test_digest != champion.test_digest:
        return f"measured on another test text than version {champion.number}: promote it on purpose with: {command}"
    if candidate.metric is None or champion.metric is None:
        return f"no adjusted perplexity to compare with that of version {champion.number}: promote it on purpose with: {command}"
    digits = 1 if f"{candidate.metric:.1f}" != f"{champion.metric:.1f}" else 6
    return f"adjusted perplexity {candidate.metric:.{digits}f} is not below {champion.metric:.{digits}f} of version {champion.number}"


def _newest(candidates: Sequence[Candidate]) -> int:
    return max((each.number for each in candidates), default=0)
