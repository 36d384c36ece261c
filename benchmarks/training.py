"""The sections `training`, `default` and `large-vocabulary`: training throughput."""

from collections.abc import Mapping, Sequence

import driver
import systems
from driver import Peer, Settings
from lstm_lm.ui.markdown import table
from page import gib, not_measured, number, ratio
from peak import best_rate
from session import Session
from timing import median, ratios

LARGE_VOCABULARY = 100_000
EXACT_VOCABULARIES = (33_278, LARGE_VOCABULARY)  # the first is WikiText-2's
HEADINGS = [
    "",
    "words/s",
    "time relative to ours",
    "fraction of peak",
    "loss, warm-up",
    "loss, last round",
    "peak memory",
    "startup",
    "outside TensorFlow",
]


def with_rounds(settings: Settings, rounds: int, steps: int) -> Settings:
    """Return settings for a number of rounds of `steps` steps, after a warm-up of one round.

    One step is added, so that the epoch does not end within the last round.
    """
    return {**settings, "warm_up": steps, "status_every": steps, "steps": (rounds + 1) * steps + 1}


def seconds_per_step(peer: Peer) -> list[float]:
    """Return the seconds of a step in each round."""
    return [answer["seconds"] / answer["steps"] for answer in peer.answers]


def words_per_second(peer: Peer) -> float | None:
    """Return the median throughput of all rounds, or None without any."""
    seconds = median(seconds_per_step(peer))
    return systems.words_per_step(peer.settings) / seconds if seconds else None


def precision_of(peer: Peer) -> str:
    """Return the precision that a system computes in."""
    return str(peer.settings.get("precision") or ("bfloat16" if peer.settings.get("bfloat16") else "float32"))


def row(peer: Peer, reference: Peer, peaks: Mapping[str, float | None]) -> list[str | None]:
    """Return the table row of a system.

    Args:
        peer: the system.
        reference: the system it is compared with.
        peaks: peak throughput by precision, GFLOP/s.
    """
    rate = words_per_second(peer)
    if rate is None:
        return [peer.name, not_measured(peer.problem)] + [None] * (len(HEADINGS) - 2)
    peak = peaks.get(precision_of(peer))
    outside = median(answer["outside"] for answer in peer.answers if "outside" in answer)
    return [
        peer.name,
        number(rate),
        None if peer is reference else ratio(ratios(seconds_per_step(reference), seconds_per_step(peer))),
        f"{systems.operations(peer.settings) * rate / 1e9 / peak:.0%}" if peak else None,
        f"{peer.ready['first_loss']:.3f}",
        f"{peer.results[-1]['loss']:.3f}",
        gib(peer.peak_mib),
        f"{peer.ready['ready']:.0f} s",
        None if outside is None else f"{max(outside, 0):.1%}",
    ]


def compare(session: Session, settings: Settings, peers: Sequence[Peer], steps: int) -> str:
    """Measure some systems and the peak throughput in the same rounds. The first system is the reference."""
    precisions = list(dict.fromkeys(peer.settings["precision"] for peer in peers if "precision" in peer.settings))
    matmul = systems.matmul(settings, session.pick(2048, 512), precisions)
    driver.run_interleaved([*peers, matmul], session.rounds, lambda peer: 1 if peer is matmul else steps)
    peaks = {precision: best_rate(matmul, precision) for precision in precisions}
    rates = " and ".join(f"{number(rate)} GFLOP/s in {precision}" for precision, rate in peaks.items() if rate)
    versions = dict.fromkeys(peer.ready["version"] for peer in peers if peer.ready.get("version"))
    return (
        f"{table(HEADINGS, [row(peer, peers[0], peaks) for peer in peers])}\n\n"
        f"Medians of {session.rounds} interleaved rounds of {steps} steps of {settings['batch_size']} x "
        f"{settings['sequence_length']} words. "
        f"Peak throughput (the fastest matrix product in the same rounds): {rates or 'unknown'}. "
        f"A word takes {systems.operations(settings) / 1e6:.2f} MFLOP. {'; '.join(versions)}."
    )


def training(session: Session, settings: Settings | None = None) -> str:
    """Compare all systems at the book's sizes."""
    steps = session.pick(12, 3)
    settings = with_rounds(settings or systems.settings_of("cookbook"), session.rounds, steps)
    peers = [
        *systems.ours(settings),
        systems.cookbook(settings),
        systems.keras(settings),
        systems.keras(settings, jit=True),
        systems.pytorch(settings),
        systems.pytorch(settings, bfloat16=True),
    ]
    return compare(session, settings, peers, steps)


def default(session: Session, settings: Settings | None = None) -> str:
    """Compare at the sizes of params.yaml, with dropout, projection and tied weights."""
    steps = session.pick(25, 5)
    settings = with_rounds(settings or systems.settings_of(), session.rounds, steps)
    peers = [*systems.ours(settings), systems.keras(settings), systems.keras(settings, jit=True), systems.pytorch(settings)]
    return compare(session, settings, peers, steps)


def large_vocabulary(session: Session, settings: Settings | None = None) -> str:
    """Compare at the book's sizes with 100,000 words, then ours at the default's sizes with the peak of the matrix products."""
    sizes = settings or {**systems.settings_of("cookbook"), "vocabulary": session.pick(LARGE_VOCABULARY, 20_000)}
    parts = [against_others(session, sizes)]
    for vocabulary in [sizes["vocabulary"]] if settings or session.quick else EXACT_VOCABULARIES:
        steps = session.pick(2, 1)
        at_default = with_rounds({**(settings or systems.settings_of()), "vocabulary": vocabulary}, session.rounds, steps)
        parts.append(f"Ours with the sizes of `params.yaml` and a vocabulary of {vocabulary:,}:")
        parts.append(compare(session, at_default, systems.ours(at_default), steps))
    return "\n\n".join(parts)


def against_others(session: Session, sizes: Settings) -> str:
    """Compare all systems at a large vocabulary, with one process alive at a time."""
    rounds, steps = min(session.rounds, 3), session.pick(2, 1)
    settings = with_rounds(sizes, 1, steps)
    approximations = [systems.sampled(settings), systems.adaptive(settings)]
    peers = [*systems.ours(settings), *approximations, systems.keras(settings), systems.pytorch(settings)]
    driver.run_separately(peers, rounds, steps)
    note = (
        f"Medians of {rounds} rounds of {steps} steps of {settings['batch_size']} x {settings['sequence_length']} words, vocabulary "
        f"{settings['vocabulary']:,}. A word takes {systems.operations(settings) / 1e6:.2f} MFLOP."
    )
    return f"{table(HEADINGS, [row(peer, peers[0], {}) for peer in peers])}\n\n{note}"
