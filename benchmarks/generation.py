"""The section `generation`: words per second of generated text."""

import tempfile
from dataclasses import asdict, dataclass, field
from typing import Any

import driver
import systems
from driver import Peer, Settings
from lstm_lm.ui.markdown import table
from page import not_measured, number, ratio
from session import Session
from timing import median, ratios

BATCHES = (1, 32)  # prompts per call
DEFAULT_VOCABULARY = 7_388  # of the default text
HEADINGS = ["", "prompts", "words/s", "time relative to ours", "compared with"]
PROFILE_HEADINGS = ["where the time goes", "prompts", "a step", "matrix products", "exponentials, sums, draw", "everything else"]
SAMPLED, GREEDY = "temperature 1", "greedy"
FILTERS: dict[str, dict[str, Any]] = {
    "top-k 40": {"top_k": 40},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.05": {"min_p": 0.05},
    "repetition penalty 1.2": {"repetition_penalty": 1.2},
}


@dataclass(frozen=True)
class Case:
    """What a worker generates in a round.

    Attributes:
        name: label in the table.
        prompts: number of prompts.
        words: number of words generated after each.
        temperature: 0 for greedy.
        options: other options of this project, by their names.
        by: how this project generates: by its "engine", the signature "generate", or a Python loop over the signature "step".
    """

    name: str
    prompts: int
    words: int
    temperature: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    by: str = "engine"


@dataclass(frozen=True)
class Comparison:
    """A table row: a case of a system, and the case of this project that it is compared with."""

    label: str
    peer: Peer
    case: Case
    reference: Case


def cases(prompts: int, words: int) -> tuple[list[Case], list[Case]]:
    """Return the cases that all systems run (sampled, greedy), and those that only this project runs."""
    common = [Case(SAMPLED, prompts, words), Case(GREEDY, prompts, words, temperature=0.0)]
    own = [
        *(Case(name, prompts, words, options=options) for name, options in FILTERS.items()),
        Case("the signature `generate`", prompts, words, by="generate"),
        Case("a Python loop over `step`, sampled with NumPy", prompts, words, by="step"),
    ]
    return common, own


def generation(session: Session, settings: Settings | None = None, words: int = 1000) -> str:
    """Compare this project with the book's loop, NumPy and a minimal TensorFlow loop, at the book's sizes and at the default's."""
    if settings:
        return measure(session, settings, words, with_book=True)
    book = {**systems.settings_of("cookbook"), "precision": "float32"}
    default = {**systems.settings_of(), "precision": "float32", "vocabulary": DEFAULT_VOCABULARY}
    return (
        f"The book's sizes:\n\n{measure(session, book, words, with_book=True)}\n\n"
        f"The default's sizes:\n\n{measure(session, default, words, with_book=False)}"
    )


def measure(session: Session, settings: Settings, words: int, with_book: bool) -> str:
    """Measure one model: a table with a note, and a profile."""
    with tempfile.TemporaryDirectory() as folder:
        return measure_in(folder, session, settings, words, with_book)


def measure_in(folder: str, session: Session, settings: Settings, words: int, with_book: bool) -> str:
    """Measure one model, whose SavedModel is kept in a folder for all workers of this project."""
    settings = {**settings, "precision": "float32", "folder": folder}
    words = session.pick(words, max(words // 4, 1))
    lengths = {1: words, 32: max(words // 8, 1)}
    by_batch = {prompts: cases(prompts, lengths[prompts]) for prompts in BATCHES}
    peers = {prompts: peers_of(settings, prompts, *by_batch[prompts]) for prompts in BATCHES}
    shared = [asdict(case) for common, _ in by_batch.values() for case in common]
    book = systems.cookbook({**settings, "cases": shared}, "cookbook_text.py", "the cookbook's `session.run` per word")
    driver.run_interleaved([*(peer for row in peers.values() for peer in row), *([book] if with_book else [])], session.rounds, 1)

    rows = []
    for prompts, (common, own) in by_batch.items():
        ours, *others = peers[prompts]
        comparisons = [
            *(Comparison(f"ours, {case.name}", ours, case, case) for case in common),
            *(
                Comparison(f"{peer.name}, {case.name}", peer, case, case)
                for peer in [*others, *([book] if with_book else [])]
                for case in common
            ),
            *(Comparison(f"ours, {case.name}", ours, case, common[0]) for case in own),
        ]
        rows += [row(comparison, ours) for comparison in comparisons]
    note = (
        f"{lengths[1]} words after one prompt of 4 words, {lengths[32]} after each of 32 prompts. Words/s count all prompts together. "
        "Ours is the engine of `make sample` and the server, which uses one thread. With one prompt, NumPy and the minimal loop use one "
        "thread too; with 32 they use all cores. The cookbook always does."
    )
    return f"{table(HEADINGS, rows)}\n\n{note}\n\n{profile(session, settings, by_batch)}"


def profile(session: Session, settings: Settings, by_batch: dict[int, tuple[list[Case], list[Case]]]) -> str:
    """Return a table of where the time of a word goes in long calls of the loops, by TensorFlow's profiler."""
    profiled = [case for common, own in by_batch.values() for case in [*common, *own] if case.by == "engine" and not looks_back(case)]
    peer = Peer("profile", "profiled_text.py", {**settings, "cases": [asdict(case) for case in profiled]}, environment=systems.SOURCE_PATH)
    driver.run_interleaved([peer], session.rounds, 1)
    if peer.problem:
        return not_measured(peer.problem)
    rows: list[list[str | int | None]] = []
    for case in profiled:
        found = [answer["cases"][f"{case.name}: {case.prompts}"] for answer in peer.answers]
        whole, products, functions = (median([each[part] for each in found]) or 0.0 for part in ("all", "products", "functions"))
        parts = (products, functions, whole - products - functions)
        rows.append([case.name, case.prompts, number(whole), *(f"{number(part)} ({part / whole:.0%})" for part in parts)])
    note = "Microseconds of a step, by TensorFlow's profiler: one call of the SavedModel for all words, one thread, no engine."
    return f"{table(PROFILE_HEADINGS, rows)}\n\n{note}"


def looks_back(case: Case) -> bool:
    """Whether a case needs the words so far, which a single call is not given here."""
    return "repetition_penalty" in case.options


def peers_of(settings: Settings, prompts: int, common: list[Case], own: list[Case]) -> list[Peer]:
    """Return the workers for a number of prompts: this project, NumPy, and a minimal loop in TensorFlow."""
    threads = 1 if prompts == 1 else 0
    shared = {**settings, "cases": [asdict(case) for case in common], "threads": threads}
    one_thread = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")} if threads else {}
    ours = {**settings, "cases": [asdict(case) for case in [*common, *own]], "threads": 1}
    return [
        Peer(f"{systems.OURS}, prompts: {prompts}", "ours_text.py", ours, environment=systems.SOURCE_PATH),
        Peer("NumPy", "numpy_loop.py", shared, environment=one_thread),
        Peer("a minimal `tf.while_loop`", "while_loop.py", shared),
    ]


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
    return [comparison.label, case.prompts, rate, relative, reference.name]


def seconds_of(peer: Peer, case: Case) -> list[float]:
    """Return the seconds of a case in each round."""
    return [answer["cases"][f"{case.name}: {case.prompts}"] for answer in peer.answers]
