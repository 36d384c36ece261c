"""The section `generation`: words per second of generated text."""

from dataclasses import asdict, dataclass

import driver
import systems
from driver import Peer, Settings
from lstm_lm.ui.markdown import table
from page import not_measured, number, ratio
from session import Session
from timing import median, ratios

BATCHES = (1, 32)  # prompts per call
HEADINGS = ["", "prompts", "words/s", "time relative to ours", "compared with"]


@dataclass(frozen=True)
class Case:
    """What a worker generates in a round.

    Attributes:
        name: label in the table.
        prompts: number of prompts.
        words: number of words generated after each.
        temperature: 0 for greedy.
        top_k: 0 for no limit.
        top_p: 1 for no limit.
        by_step: whether to loop over the signature `step` in Python.
    """

    name: str
    prompts: int
    words: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    by_step: bool = False


@dataclass(frozen=True)
class Comparison:
    """A table row: a case of a system, and the case of this project that it is compared with."""

    label: str
    peer: Peer
    case: Case
    reference: Case


def cases(prompts: int, words: int) -> tuple[list[Case], list[Case]]:
    """Return the cases that both this project and the cookbook run (sampled, greedy), and those that only this project runs."""
    common = [
        Case("ours, `generate`, temperature 1", prompts, words),
        Case("ours, `generate`, greedy", prompts, words, temperature=0.0),
    ]
    own = [
        Case("ours, `generate`, top-k 40", prompts, words, top_k=40),
        Case("ours, `generate`, top-p 0.9", prompts, words, top_p=0.9),
        Case("ours, a Python loop over `step`, sampled with NumPy", prompts, words, by_step=True),
    ]
    return common, own


def generation(session: Session, settings: Settings | None = None, words: int = 1000) -> str:
    """Compare `generate` with the book's loop and a loop over `step`, for one prompt and for 32, and measure top-k and top-p."""
    settings = {**(settings or systems.settings_of("cookbook")), "precision": "float32"}
    words = session.pick(words, max(words // 4, 1))
    lengths = {1: words, 32: max(words // 8, 1)}
    by_batch = {prompts: cases(prompts, lengths[prompts]) for prompts in BATCHES}
    ours = {prompts: our_peer(settings, prompts, [*common, *own]) for prompts, (common, own) in by_batch.items()}
    shared = [asdict(case) for common, _ in by_batch.values() for case in common]
    book = systems.cookbook({**settings, "cases": shared}, "cookbook_text.py", "the cookbook's `session.run` per word")
    driver.run_interleaved([*ours.values(), book], session.rounds, 1)

    rows = []
    for prompts, (common, own) in by_batch.items():
        sampled, greedy = common
        comparisons = [
            *(Comparison(case.name, ours[prompts], case, case) for case in common),
            Comparison(f"{book.name}, sampled with NumPy", book, sampled, sampled),
            Comparison(f"{book.name}, greedy as in the book", book, greedy, greedy),
            *(Comparison(case.name, ours[prompts], case, sampled) for case in own),
        ]
        rows += [row(comparison, ours[prompts]) for comparison in comparisons]
    note = (
        f"{lengths[1]} words after one prompt of 4 words, {lengths[32]} after each of 32 prompts. Words/s count all prompts together. "
        "With one prompt, ours uses one thread, as `make sample` and the server do; with 32 it uses all cores."
    )
    return f"{table(HEADINGS, rows)}\n\n{note}"


def our_peer(settings: Settings, prompts: int, selection: list[Case]) -> Peer:
    """Return the worker for some cases of this project."""
    # One thread for one prompt, like `make sample` and the server; all cores for many, like `evaluate-sample`.
    settings = {**settings, "cases": [asdict(case) for case in selection], "threads": 1 if prompts == 1 else 0}
    return Peer(f"{systems.OURS}, prompts: {prompts}", "ours_text.py", settings, environment=systems.SOURCE_PATH)


def row(comparison: Comparison, ours: Peer) -> list[str | int | None]:
    """Return a table row. The references themselves have no ratio."""
    case, reference = comparison.case, comparison.reference
    seconds = median(seconds_of(comparison.peer, case))
    if seconds is None:
        return [comparison.label, case.prompts, not_measured(comparison.peer.problem), None, None]
    rate = number(case.prompts * case.words / seconds)
    if comparison.peer is ours and case is reference:
        return [comparison.label, case.prompts, rate, None, None]
    relative = ratio(ratios(seconds_of(ours, reference), seconds_of(comparison.peer, case)))
    return [comparison.label, case.prompts, rate, relative, reference.name.rpartition(", ")[2]]


def seconds_of(peer: Peer, case: Case) -> list[float]:
    """Return the seconds of a case in each round."""
    return [answer["cases"][f"{case.name}: {case.prompts}"] for answer in peer.answers]
