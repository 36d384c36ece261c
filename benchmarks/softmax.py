"""The section `softmax`: from which vocabulary on an adaptive or sampled softmax trains faster than the exact one."""

from collections.abc import Sequence

import psutil

import driver
import systems
from driver import Peer, Settings
from lstm_lm.ui.markdown import table
from page import not_measured, number, ratio
from session import Session
from timing import ratios
from training import seconds_per_step, with_rounds, words_per_second

VOCABULARIES = (1_000, 3_000, 10_000, 33_278, 100_000, 250_000)  # 10,000 words has the Penn Treebank, 33,278 WikiText-2
QUICK_VOCABULARIES = (20_000,)  # so large that the exact softmax is tiled
PRECISIONS = ("float32", "bfloat16")
ROUND_FLOP = 1e11  # arithmetic of a round: one to three seconds
TENSORFLOW_GIB = 0.7  # of a process without a model
COPIES = 10  # of the weights: Adam's moments, gradients, what is kept for restoring, what is in use
HEADINGS = [
    "vocabulary",
    "precision",
    "exact, words/s",
    "adaptive, words/s",
    "times as fast as exact",
    f"sampled ({systems.SAMPLED_WORDS:,} words), words/s",
    "times as fast as exact",
]


def softmax(session: Session, settings: Settings | None = None, vocabularies: Sequence[int] | None = None) -> str:
    """Compare the three kinds of softmax at the sizes of params.yaml."""
    base = settings or systems.settings_of()
    rows = []
    for vocabulary in vocabularies or (QUICK_VOCABULARIES if session.quick else VOCABULARIES):
        for precision in PRECISIONS:
            driver.log(f"  vocabulary {vocabulary:,}, {precision}")
            rows.append(measure(session, {**base, "vocabulary": vocabulary, "precision": precision}))
    note = (
        f"Medians of {session.rounds} interleaved rounds of {base['batch_size']} x {base['sequence_length']} words a step, with the "
        "sizes of `params.yaml`. The clusters of the adaptive softmax start at 20% and 60% of the vocabulary; its embedding is not tied. "
        "A sample must have fewer words than the vocabulary."
    )
    return f"{table(HEADINGS, rows)}\n\n{note}"


def measure(session: Session, settings: Settings) -> list[str | None]:
    """Measure one vocabulary in one precision and return the table row."""
    vocabulary = settings["vocabulary"]
    row: list[str | None] = [f"{vocabulary:,}", settings["precision"]]
    needed, available = gib_needed(settings), psutil.virtual_memory().available / 2**30
    if needed > available:
        return [*row, not_measured(f"needs {needed:.0f} GiB of memory, {available:.0f} are free"), *[None] * 4]
    peers = [
        systems.exact(paced(session, settings, vocabulary)),
        systems.adaptive(paced(session, settings, vocabulary // 5)),  # most words are in the head
    ]
    if vocabulary > systems.SAMPLED_WORDS:
        peers.append(systems.sampled(paced(session, settings, systems.SAMPLED_WORDS)))
    driver.run_interleaved(peers, session.rounds, steps_of)
    exact, *others = peers
    row.append(number(words_per_second(exact)) or not_measured(exact.problem))
    for peer in others:
        row.append(number(words_per_second(peer)) or not_measured(peer.problem))
        row.append(ratio(ratios(seconds_per_step(peer), seconds_per_step(exact))))
    return [*row, *[None] * (len(HEADINGS) - len(row))]


def gib_needed(settings: Settings) -> float:
    """Estimate the memory of the three systems together, of which one has weights for the embedding and the softmax each."""
    weights = 2 * settings["embedding_size"] * settings["vocabulary"]
    return 3 * (TENSORFLOW_GIB + COPIES * 4 * weights / 2**30)


def paced(session: Session, settings: Settings, columns: int) -> Settings:
    """Return settings with as many steps in a round as take about equally long.

    Args:
        session: how many rounds.
        settings: sizes of the model.
        columns: of the softmax's largest product.
    """
    operations = systems.operations({**settings, "vocabulary": columns}) * systems.words_per_step(settings)
    return with_rounds(settings, session.rounds, session.pick(max(2, min(50, round(ROUND_FLOP / operations))), 1))


def steps_of(peer: Peer) -> int:
    """Return the steps of a round."""
    return int(peer.settings["warm_up"])
